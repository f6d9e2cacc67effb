"""`./berth cloud`, and a program that makes a network, machines and what runs on them there."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from ops.places import ROOT
from tests.docker.clouds import guest, until
from tests.docker.images import _static_busybox
from tests.engine.project import Project

pytestmark = pytest.mark.engine
PROGRAM = Path(__file__).with_name("rehearsal_program.py")
PORTS = (22, 80, 111, 443, 2375, 2376, 3306, 5432, 6379, 6380, 8010, 8011, 8080)


class Control:
    """`./berth cloud`, with data of its own."""

    def __init__(self, folder: Path) -> None:
        self.environment = os.environ | {"XDG_DATA_HOME": str(folder), "BERTH_ROOT": str(ROOT)}

    def run(self, *args: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "ops", "cloud", *args],
            env=self.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if "--json" in args else done.stdout + done.stderr

    def told(self, *args: str, code: int = 0) -> Any:
        return json.loads(self.run(*args, "--json", code=code))


@pytest.fixture
def control(engine: docker.DockerClient, tmp_path: Path) -> Iterator[Control]:
    guest(engine)
    found = Control(tmp_path / "data")
    yield found
    for name in ("local", "other"):
        found.run("stop", "--name", name)


def left(client: docker.DockerClient, folder: Path) -> list[str]:
    """What is there of the clouds whose data are in the folder."""
    import hashlib

    found = []
    for name in ("local", "other"):
        digest = hashlib.sha256(str(folder / "data/berth/cloud" / name).encode()).hexdigest()[:6]
        wanted = {"label": f"berth.cloud={name}-{digest}"}
        found += client.containers.list(all=True, filters=wanted)
        found += client.networks.list(filters=wanted)
        found += client.volumes.list(filters=wanted)
    return [str(one.name) for one in found]


def opens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 0.5).close()
    except OSError:
        return False
    return True


def containers(control: Control) -> list[str]:
    """What the cloud's containers are called, behind its own name. Machines go after their instances."""
    there = control.told("status")["inside"]["machines"]["containers"]
    return [one.rpartition("-")[2] for one in there]


def context(folder: Path) -> None:
    """What the machines' image is built of; they have no registry."""
    folder.mkdir()
    (folder / "busybox").write_bytes(_static_busybox(folder.parent))
    (folder / "busybox").chmod(0o755)
    (folder / "index.html").write_text("from the machine\n")
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY busybox /bin/busybox\nCOPY index.html /www/\n")


def test_machines_their_firewall_and_their_containers(
    control: Control, project: Project, engine: docker.DockerClient, tmp_path: Path
) -> None:
    began = control.told("start")
    shutil.copy(PROGRAM, project.folder / "__main__.py")
    context(project.folder / "image")
    identity = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(identity)], check=True)
    for key, value in began["config"].items():
        project.config(key, value)
    project.config("key_file", str(identity))
    project.config("public_key", identity.with_suffix(".pub").read_text().strip())
    project.config("operators", "198.18.0.0/15")
    project.preview()
    project.up()
    told = project.outputs()
    assert [port for port in PORTS if opens(told["address"], port)] == [22, 8010]
    ssh = ["ssh", "-i", str(identity), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    asked = "; ".join(
        f"curl -s -m 2 http://{told['store']}:{port}/ || echo closed" for port in (6379, 6380, 2375)
    )
    done = subprocess.run(
        [*ssh, f"root@{told['address']}", asked], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "from the machine\nclosed\nclosed\n", done.stderr
    project.unchanged()
    project.refresh()
    project.unchanged()
    secret = json.loads(Path(began["config"]["alicloud:sharedCredentialsFile"]).read_text())
    assert secret["profiles"][0]["access_key_secret"] not in project.state_text()
    project.destroy()
    things = control.told("status")["inside"]
    # What was called and run is remembered for a while, as Alibaba Cloud does; nothing else is there.
    remembered = {"client-token", "invocation", "invocation-run"}
    assert {kind for kind, count in things["things"].items() if count} - remembered == {"access-key"}
    until("the machines are gone", lambda: containers(control) == ["plumber"] or None, 60)
    assert control.told("stop")["removed"]
    assert left(engine, tmp_path) == []
