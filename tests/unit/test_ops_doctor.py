"""`./berth doctor`: one truth about a stack, and the disks that a run fills."""

from __future__ import annotations

import shutil
import socket
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from ops import doctor, engine, places
from ops.engine import Engine
from ops.errors import UserError
from ops.project import StackFile

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_args: object) -> Engine:
        raise UserError("no engine answers", fix="start one")

    monkeypatch.setattr(engine, "reachable", none)


def test_a_stack_that_does_not_exist_is_told_once_and_nothing_is_said_of_it() -> None:
    findings = doctor.examine("nope")
    about = [finding for finding in findings if "there is no stack 'nope'" in finding.found]
    assert [finding.what for finding in about] == ["stack file"]
    assert not {finding.what for finding in findings} & {"secrets", "base image", "passphrase"}


def test_each_disk_that_a_run_fills_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = tmp_path / "docker"
    docker.mkdir()
    info = {"DockerRootDir": str(docker), "Name": socket.gethostname()}
    client = SimpleNamespace(info=lambda: info, close=lambda: None)
    found = Engine(host="unix:///run/docker.sock", origin="the default socket")
    monkeypatch.setattr(engine, "reachable", lambda _wanted: found)
    monkeypatch.setattr(Engine, "client", lambda _engine: client)
    monkeypatch.setattr(places, "ROOT", tmp_path)
    monkeypatch.setattr(places, "cache", lambda: tmp_path / "cache" / "berth")  # not made yet
    monkeypatch.setattr(places, "data", lambda: tmp_path / "data" / "berth")
    monkeypatch.setattr(doctor, "_device", lambda path: int(path == docker))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, (1 if path == docker else 99) << 30))
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    project, engines = doctor._disks(StackFile("dev", tmp_path))
    assert (project.grade, engines.grade) == ("ok", "missing")
    assert engines.found == f"1 GiB free for {docker}"
    assert project.found == f"99 GiB free for {tmp_path}, {tmp_path}/cache/berth, {tmp_path}/data/berth"
