"""What goes wrong with machines of the emulated cloud, and how it is told."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import docker
import httpx
import pytest
from alibabacloud_ecs20140526 import models as m

from tests.docker.clouds import Cloud, R, until

pytestmark = pytest.mark.docker
FAILS = "#!/bin/sh\necho going; ls /not/there; exit 3\n"
HANGS = "#!/bin/sh\necho waiting; while :; do sleep 1; done\n"


class Way:
    """A socket that leads to the Docker engine until it is cut."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mend()

    def mend(self) -> None:
        self._open = True
        self._ends: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """As an engine that is killed: nobody listens, and what was open is closed."""
        self._open = False
        self._listener.close()
        self.path.unlink()
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect("/var/run/docker.sock")
                self._ends += (near, far)
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := one.recv(1 << 16):
                other.sendall(part)
            other.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    found = docker.from_env(timeout=600)
    yield found
    found.close()


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    made = Way(tmp_path_factory.mktemp("way") / "docker.sock")
    yield made
    made.cut()


@pytest.fixture(scope="module")
def cloud(client: docker.DockerClient, way: Way, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{way.path}")
        made = Cloud(client, tmp_path_factory.mktemp("cloud"))
    yield made
    made.stop()
    assert made.left() == []


@pytest.fixture(scope="module")
def place(cloud: Cloud) -> dict[str, str]:
    vpc, [switch] = cloud.network("10.0.0.0/16", "10.0.1.0/24")
    return {"switch": switch, "group": cloud.group(vpc)}


def told(cloud: Cloud) -> dict[str, object]:
    """What `./berth cloud status` says of the machines."""
    token = (cloud.folder / "cloud/token").read_text()
    asked = httpx.get(f"{cloud.url}/_berth/status", headers={"Authorization": f"Bearer {token}"}, timeout=20)
    found: dict[str, object] = asked.json()["machines"]
    return found


def console(cloud: Cloud, machine: str) -> str:
    asked = m.GetInstanceConsoleOutputRequest(**R, instance_id=machine, remove_symbols=True)
    said = cloud.ecs.get_instance_console_output(asked).body.console_output
    return base64.b64decode(said).decode(errors="replace")


def run(cloud: Cloud, place: dict[str, str], script: str) -> str:
    data = base64.b64encode(script.encode()).decode()
    [made] = cloud.run(place["switch"], place["group"], user_data=data)
    cloud.reaches(made, "Running")
    return made


def test_user_data_that_fails_is_read_on_the_console(cloud: Cloud, place: dict[str, str]) -> None:
    made = run(cloud, place, FAILS)

    def over() -> str | None:
        text = console(cloud, made)
        return text if "scripts-user" in text or "part-001" in text else None

    said = until("the boot's end", over, 60)
    assert "going" in said and "/not/there" in said and "\x1b" not in said


def test_a_machine_that_never_gets_ready_is_told_by_whom_waits(cloud: Cloud, place: dict[str, str]) -> None:
    made = run(cloud, place, HANGS)
    asked = m.RunCommandRequest(
        **R,
        type="RunShellScript",
        command_content="cloud-init status --wait",
        instance_id=[made],
        timeout=10,
    )
    id = cloud.ecs.run_command(asked).body.invoke_id

    def over() -> str | None:
        wanted = m.DescribeInvocationResultsRequest(**R, invoke_id=id)
        [one] = cloud.ecs.describe_invocation_results(
            wanted
        ).body.invocation.invocation_results.invocation_result
        return one.error_code or None

    assert until("the command's time is over", over, 40) == "ExecutionTimeout"
    assert "waiting" in console(cloud, made)
    cloud.ecs.delete_instance(m.DeleteInstanceRequest(instance_id=made, force=True))


def test_without_the_engine_the_api_answers_and_says_why_nothing_goes_on(
    cloud: Cloud, place: dict[str, str], way: Way
) -> None:
    assert told(cloud)["trouble"] == ""
    way.cut()
    [made] = cloud.run(place["switch"], place["group"])
    until("it is told", lambda: "Docker engine does not answer" in str(told(cloud)["trouble"]) or None, 30)
    assert cloud.told(made).status == "Pending"
    way.mend()
    cloud.reaches(made, "Running")
    until("it is well", lambda: told(cloud)["trouble"] == "" or None)
    assert told(cloud)["waits"] == {}
