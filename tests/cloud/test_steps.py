"""How steps are taken side by side; the real ones are those of emulator/plane."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import requests

from emulator.plane import steps
from emulator.plane.engine import ScriptError
from emulator.plane.steps import Steps

SOON = 5.0
"""Seconds that nothing here takes."""


class Watched:
    """Steps, and what they said."""

    def __init__(self, at_once: int = 2) -> None:
        self.looked = threading.Semaphore(0)
        self.told: list[tuple[str, str]] = []
        self.steps = Steps(at_once, self.looked.release, lambda name, why: self.told.append((name, why)))


@pytest.fixture
def watched() -> Iterator[Watched]:
    found = Watched()
    yield found
    found.steps.stop()


class Held:
    """A step that goes on until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.free = threading.Event()
        self.names: list[str] = []

    def __call__(self, name: str) -> None:
        self.names.append(name)
        self.begun.release()
        assert self.free.wait(SOON)


def test_what_is_asked_for_meanwhile_is_looked_at_again(watched: Watched) -> None:
    """A rule that changes while its network is being brought to the one before must not wait for chance."""
    step = Held()
    watched.steps.take("vpc-1", step)
    assert step.begun.acquire(timeout=SOON)
    watched.steps.take("vpc-1", step)
    watched.steps.take("vpc-1", step)
    assert not watched.looked.acquire(timeout=0.05)
    step.free.set()
    assert watched.looked.acquire(timeout=SOON)
    assert not watched.looked.acquire(timeout=0.05), "once is enough"
    assert step.names == ["vpc-1"], "never two at a time; the look asks for it again"
    watched.steps.take("vpc-1", step)
    assert step.begun.acquire(timeout=SOON)
    watched.steps.stop()
    assert not watched.looked.acquire(timeout=0.05), "nobody asked for it meanwhile"


def test_others_go_on_beside(watched: Watched) -> None:
    step = Held()
    for name in ("one", "two", "three"):
        watched.steps.take(name, step)
    assert step.begun.acquire(timeout=SOON) and step.begun.acquire(timeout=SOON)
    assert not step.begun.acquire(timeout=0.05), "two at once"
    step.free.set()
    assert step.begun.acquire(timeout=SOON)
    assert sorted(step.names) == ["one", "three", "two"]


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (ScriptError("mkfs: no space"), "mkfs: no space"),
        (requests.exceptions.ConnectionError("gone"), "the Docker engine: gone"),
        (KeyError("disk"), "KeyError: 'disk'"),
    ],
)
def test_one_that_fails_is_told_and_asked_for_again_later(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, failure: Exception, why: str
) -> None:
    monkeypatch.setattr(steps, "AGAIN", 0.2)
    tried: list[str] = []

    def fail(name: str) -> None:
        tried.append(name)
        raise failure

    watched.steps.take("d-1", fail)
    while not watched.told:
        threading.Event().wait(0.01)
    watched.steps.take("d-1", fail)
    assert watched.looked.acquire(timeout=SOON)
    assert (tried, watched.told) == (["d-1"], [("d-1", why)]), "not before its time"
    watched.steps.take("d-1", fail)
    assert watched.looked.acquire(timeout=SOON)
    assert tried == ["d-1", "d-1"]


def test_the_end_waits_for_what_runs_and_begins_nothing() -> None:
    watched = Watched(at_once=1)
    step = Held()
    watched.steps.take("one", step)
    watched.steps.take("two", step)
    assert step.begun.acquire(timeout=SOON)
    end = threading.Thread(target=watched.steps.stop)
    end.start()
    end.join(0.05)
    assert end.is_alive()
    step.free.set()
    end.join(SOON)
    watched.steps.take("three", step)
    assert (end.is_alive(), step.names) == (False, ["one"])
