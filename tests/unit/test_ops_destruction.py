"""What `./berth destroy` says of data: gone only where it is gone."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

from ops.destruction import destroy


def volume(name: str, options: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "docker:index/volume:Volume",
        "id": name,
        "protect": True,
        "outputs": {"driver": "local", "driverOpts": options},
    }


def bound(folder: str) -> dict[str, str]:
    return {"type": "none", "o": "bind", "device": folder}


class Volumes:
    def __init__(self) -> None:
        self.removed: list[str] = []

    def get(self, name: str) -> Any:
        return SimpleNamespace(remove=lambda: self.removed.append(name))


def stack(*volumes: dict[str, Any], host: str = "unix:///var/run/docker.sock") -> Any:
    removed = Volumes()
    client = SimpleNamespace(volumes=removed, close=lambda: None)
    return SimpleNamespace(
        name="dev",
        removed=removed.removed,
        export=lambda: {"deployment": {"resources": list(volumes)}},
        pulumi=SimpleNamespace(capture=lambda *_: ""),
        run=lambda *_: None,
        engine=SimpleNamespace(host=host, client=lambda: client),
    )


MIXED = (
    volume("dev-cache", {}),
    volume("dev-postgres", bound("/srv/the app/postgres")),
    volume("dev-redis", bound("/srv/the app/redis")),
)


def test_folders_of_the_host_are_told_to_be_there_still(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("dev\n"))
    made = stack(*MIXED)
    destroy(made, yes=False, with_data=True)
    assert made.removed == ["dev-cache", "dev-postgres", "dev-redis"]
    said = capsys.readouterr().err
    assert "AND ITS DATA for good: dev-cache." in said
    assert "are yours and stay: /srv/the app/postgres, /srv/the app/redis." in said
    assert [part.split("\n")[0] for part in said.split("removed for good: ")[1:]] == ["volume dev-cache"]
    assert "kept: the data in the folders /srv/the app/postgres, /srv/the app/redis: they are yours" in said
    assert "as root there: rm -rf -- '/srv/the app/postgres' '/srv/the app/redis'" in said


def test_without_an_engine_what_is_left_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("dev\n"))
    made = stack(*MIXED)
    made.engine = None
    destroy(made, yes=False, with_data=True)
    assert "not removed: dev-cache, dev-postgres, dev-redis: they were on" in capsys.readouterr().err
    assert not made.removed


def test_a_stack_of_folders_alone_promises_no_removal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("dev\n"))
    made = stack(volume("dev-redis", bound("/srv/redis")), host="ssh://root@far")
    destroy(made, yes=False, with_data=True)
    said = capsys.readouterr().err
    assert "AND ITS DATA" not in said and "removed for good" not in said
    assert "kept: the data in the folders of ssh://root@far /srv/redis" in said


def test_what_stays_is_told_without_with_data_too(capsys: pytest.CaptureFixture[str]) -> None:
    destroy(stack(*MIXED), yes=True, with_data=False)
    said = capsys.readouterr().err
    assert "kept: the data volume(s) dev-cache, dev-postgres, dev-redis" in said
    assert "to remove them for good: ./berth destroy -s dev --with-data" in said
    assert "rm -rf -- '/srv/the app/postgres'" in said
    destroy(stack(volume("dev-redis", bound("/srv/redis"))), yes=True, with_data=False)
    assert "--with-data" not in capsys.readouterr().err
