"""The files of creations: what a dead plugin left is removed, what a living one makes never is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from offline.docker import container_journal
from offline.docker.container_journal import creation, remove_unrecorded
from offline.docker.container_read import CREATION_LABEL


class Engine:
    """An engine that knows which containers carry which word."""

    def __init__(self) -> None:
        self.words: set[str] = set()
        self.removed: list[str] = []

    def info(self) -> dict[str, str]:
        return {"ID": "one"}

    def containers(self, *, all: bool, filters: dict[str, str]) -> list[dict[str, Any]]:
        assert all
        word = filters["label"].removeprefix(f"{CREATION_LABEL}=")
        return [{"Id": word, "Names": [f"/{word}"]}] if word in self.words else []

    def remove_container(self, id: str, *, v: bool, force: bool) -> None:
        assert v and force, "its anonymous volumes hold secrets; nobody else could remove them"
        self.removed.append(id)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_what_a_dead_plugin_left_is_removed_once(tmp_path: Path) -> None:
    engine = Engine()
    engine.words.add("left")
    folder = tmp_path / "berth" / "creating"
    folder.mkdir(parents=True)
    (folder / "left").write_text('{"engine": "one"}')
    (folder / "elsewhere").write_text('{"engine": "another"}')
    assert remove_unrecorded(engine) == ["left"] and engine.removed == ["left"]
    assert [path.name for path in folder.iterdir()] == ["elsewhere"]
    assert remove_unrecorded(engine) == []


def test_a_creation_that_ends_while_another_looks_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is opened while it is there, and locked when its creation has just ended."""
    engine = Engine()
    made = creation(engine)
    engine.words.add(made.__enter__()[CREATION_LABEL])
    lock = container_journal.fcntl.flock

    def end_first(file: Any, how: int) -> None:
        made.__exit__(None, None, None)
        lock(file, how)

    monkeypatch.setattr(container_journal.fcntl, "flock", end_first)
    assert remove_unrecorded(engine) == [] and engine.removed == []


def test_many_at_once_lose_none(tmp_path: Path) -> None:
    engine = Engine()

    def make(_number: int) -> None:
        remove_unrecorded(engine)
        with creation(engine) as label:
            engine.words.add(label[CREATION_LABEL])

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(make, range(400)))
    assert engine.removed == []
    assert not list((tmp_path / "berth" / "creating").iterdir())
