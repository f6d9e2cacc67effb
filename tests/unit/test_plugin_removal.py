"""What goes with a container: its anonymous volumes, which nobody else knows; unless the stack keeps them."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker.errors import NotFound

from offline.docker import container_lifecycle, service_lifecycle
from offline.provider.resource import Context


class Engine:
    """Has one container until it is removed; knows how that was asked for."""

    def __init__(self) -> None:
        self.removed: list[dict[str, bool]] = []
        self.stopped: list[int] = []
        self.api = self

    def info(self) -> dict[str, str]:
        return {"ID": "one"}

    def inspect_container(self, _id: str) -> dict[str, Any]:
        if self.removed:
            raise NotFound("gone")
        return {}

    def stop(self, _id: str, *, timeout: int) -> None:
        self.stopped.append(timeout)

    def remove_container(self, _id: str, **options: bool) -> None:
        self.removed.append(options)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def context(engine: Engine) -> Context:
    return cast(Context, SimpleNamespace(engine=engine, cancelled=threading.Event(), urn="urn"))


@pytest.mark.parametrize(
    ("state", "goes"), [({}, True), ({"removeVolumes": True}, True), ({"removeVolumes": False}, False)]
)
def test_a_deleted_container_takes_its_anonymous_volumes_unless_told_otherwise(
    state: dict[str, Any], goes: bool
) -> None:
    engine = Engine()
    container_lifecycle.delete(context(engine), "1", state)
    assert engine.removed == [{"v": goes, "force": True}] and engine.stopped


def test_one_that_did_not_come_up_leaves_nothing() -> None:
    engine = Engine()
    container_lifecycle._give_up(context(engine), "1", {"name": "web"}, RuntimeError("unhealthy"))
    assert engine.removed == [{"v": True, "force": True}]


def test_a_deleted_services_container_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_lifecycle, "_USUAL_GRACE", 0)
    engine = Engine()
    service_lifecycle._wait_for_removal(context(engine), ["1"], {})
    assert engine.removed == [{"v": True, "force": True}]
