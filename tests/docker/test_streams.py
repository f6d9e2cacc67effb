"""Streams through a container on a real engine, over its socket and over the plugin's way through ssh."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from ops import streams
from ops.engine import Engine
from ops.errors import UserError
from tests.docker.images import busybox_image  # noqa: F401

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("busybox_image")]


@pytest.fixture(params=["unix", "ssh"])
def client(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[docker.DockerClient]:
    host = "unix:///var/run/docker.sock"
    if request.param == "ssh":
        # What sshd would run at the other end.
        ssh = tmp_path / "ssh"
        ssh.write_text("#!/bin/sh\nexec docker system dial-stdio\n")
        ssh.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        host = "ssh://nowhere"
    made = Engine(host=host, origin="a test").client()
    yield made
    made.close()


@pytest.fixture
def container() -> Iterator[Any]:
    local = docker.from_env()
    made = local.containers.run(
        "berth-test/busybox:1",
        ["sleep", "300"],
        name=f"day-two-{os.urandom(3).hex()}",
        detach=True,
        init=True,
    )
    yield made
    made.remove(force=True)
    local.close()


def test_all_bytes_go_in_and_come_out(client: docker.DockerClient, container: Any) -> None:
    chunks = [os.urandom(70_001) for _ in range(60)]
    size, came = sum(map(len, chunks)), hashlib.sha256()
    # More runs than a host behind ssh has sessions: each must give its own back.
    for _ in range(10):
        came = hashlib.sha256()
        streams.run(
            client, container.name, 'head -c "$1"; echo said >&2', str(size), feed=chunks, sink=came.update
        )
    assert came.digest() == hashlib.sha256(b"".join(chunks)).digest()


def test_a_script_that_fails_tells_its_last_words(client: docker.DockerClient, container: Any) -> None:
    endless = (b"x" * 65536 for _ in range(1000))
    with pytest.raises(streams.ScriptError, match=r"^the reason$"):
        streams.run(client, container.name, "head -c 5; echo the reason >&2; exit 3", feed=endless)
    with pytest.raises(streams.ScriptError, match="exit status 4"):
        streams.run(client, container.name, "exit 4")


def test_a_broken_source_ends_the_script(client: docker.DockerClient, container: Any) -> None:
    def broken() -> Iterator[bytes]:
        yield b"some"
        raise OSError("damaged")

    with pytest.raises(OSError, match="damaged"):
        streams.run(client, container.name, "head -c 1000000", feed=broken())
    with pytest.raises(UserError, match="is missing"):
        streams.run(client, "day-two-nobody", "true")
