"""`./berth health` on a real engine: its three answers, its refusals, and who is told."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from tests.docker.images import busybox_image, ensure_busybox  # noqa: F401
from tests.engine.workbench import Workbench, wait_for
from tests.ports import free_port

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.usefixtures("busybox_image")]

ALERTS = [
    {"kind": "generic", "url": "alert_any"},
    {"kind": "dingtalk", "url": "alert_ding", "signature": "alert_ding_key"},
    {"kind": "wecom", "url": "alert_gone"},
]


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    found = docker.from_env()
    yield found
    found.close()


@pytest.fixture(scope="module")
def bench(
    tmp_path_factory: pytest.TempPathFactory, client: docker.DockerClient, request: pytest.FixtureRequest
) -> Iterator[Workbench]:
    made = Workbench(tmp_path_factory.mktemp("health"), f"ops-{secrets.token_hex(3)}")
    request.addfinalizer(lambda: _remove(made, client))
    made.ok("up")
    yield made


def _remove(made: Workbench, client: docker.DockerClient) -> None:
    for container in made.containers(client):
        container.remove(force=True)
    for volume in client.volumes.list(filters={"label": f"berth.stack={made.name}"}):
        volume.remove(force=True)


@pytest.fixture
def told() -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """The address of a webhook, and each path and body that it got."""
    got: list[tuple[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"errcode": 0, "errmsg": "ok"}')

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()


def look(bench: Workbench, *args: str) -> tuple[int, dict[str, Any]]:
    """Exit status, and the one document on stdout."""
    done = bench.run("health", "--json", *args)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def of(found: dict[str, Any], check: str) -> list[tuple[str, str]]:
    return [(one["state"], one["reason"]) for one in found["findings"] if one["check"] == check]


def put(bench: Workbench, name: str, value: str) -> None:
    """As the refusal says it."""
    script = f'eval "$("$PYTHON" -m ops env)" && pulumi config set --secret --path berth:secrets.{name}'
    done = subprocess.run(
        ["sh", "-c", script],
        env={**bench.environment, "PYTHON": str(bench.root / ".venv" / "bin" / "python")},
        cwd=bench.root,
        input=value,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_well_is_0_and_a_line_for_each_check(bench: Workbench) -> None:
    code, found = look(bench)
    # How full the disk is, is the machine's affair.
    (disk,) = of(found, "disk")
    own = [one for one in found["findings"] if one["system"] == "gateway"]
    assert {one["check"] for one in own} == {
        "containers", "address", "restarts", "logs", "container-cpu", "container-memory",
    }  # fmt: skip
    assert {one["state"] for one in own} == {"HEALTHY"}, own
    assert "% of Docker's disk is in use" in disk[1]
    states = ["HEALTHY", "WARNING", "UNHEALTHY"]
    assert found["systems"] == {"gateway": "HEALTHY"} and code == states.index(found["state"])
    assert found["state"] == disk[0] and found["stack"] == "dev"
    shown = bench.run("health", "gateway")
    assert shown.returncode == code and "gateway address: http://127.0.0.1" in shown.stdout


def test_a_command_that_could_not_look_is_none_of_its_answers(bench: Workbench, tmp_path: Path) -> None:
    said = bench.fails("health", "celery", code=3)
    assert "celery is no system that this stack runs" in said and "name one of: gateway" in said
    assert "no stack 'nosuch'" in bench.fails("health", "-s", "nosuch", code=3)
    assert bench.run("health", "--jsno").returncode == 3
    assert bench.run("health", "-s").returncode == 3
    assert bench.run("--json", "health").returncode == 3
    elsewhere = {"XDG_DATA_HOME": str(tmp_path)}
    assert "./berth up" in bench.fails("health", code=3, env=elsewhere)
    assert "has no berth:alerts" in bench.fails("health", "--alert", code=3)


def has_socket(pid: int) -> bool:
    with suppress(OSError):  # a file may be closed meanwhile
        files = Path(f"/proc/{pid}/fd").iterdir()
        return any("socket:" in str(file.readlink()) for file in files if int(file.name) > 2)
    return False


def test_it_can_be_stopped(bench: Workbench) -> None:
    started = bench.start("health", "--json")
    wait_for(lambda: has_socket(started.pid), what="a question to the engine")
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert (started.returncode, out) == (130, ""), err
    assert "Traceback" not in err


def test_an_engine_that_does_not_answer_is_unhealthy(bench: Workbench, tmp_path: Path) -> None:
    done = bench.run("health", "--json", env={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    found = json.loads(done.stdout)
    ((state, reason),) = of(found, "engine")
    assert (done.returncode, state) == (2, "UNHEALTHY") and "no Docker engine answers" in reason
    # What can be asked without it is asked all the same.
    assert of(found, "address")[0][0] == "HEALTHY"


def test_an_answer_that_nobody_can_read_is_none(bench: Workbench) -> None:
    for arguments in (["health"], ["health", "--json"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "ops", *arguments],
                env=bench.environment,
                cwd=bench.root,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert done.returncode == 3 and "the answer cannot be written" in done.stderr
        assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


def test_an_engine_that_never_answers_is_unhealthy_in_time(bench: Workbench, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(f"{tmp_path}/deaf.sock")
        deaf.listen(8)
        began = time.monotonic()
        done = bench.run("health", "--json", env={"DOCKER_HOST": f"unix://{tmp_path}/deaf.sock"})
    found = json.loads(done.stdout)
    ((state, reason),) = of(found, "engine")
    assert (done.returncode, state) == (2, "UNHEALTHY") and "no Docker engine answers" in reason
    assert "does not answer in time" in reason and time.monotonic() - began < 120
    assert of(found, "address")[0][0] == "HEALTHY"


def test_errors_in_a_log_are_a_warning_and_never_repeated(
    bench: Workbench, client: docker.DockerClient
) -> None:
    (web,) = bench.containers(client)
    # Its first process's stdout is what the engine keeps; the user of the container may write there.
    printed = web.exec_run(["sh", "-c", "echo 'ERROR: the password is hunter2' >/proc/1/fd/1"])
    assert printed.exit_code == 0, printed.output
    code, found = look(bench)
    assert of(found, "logs") == [("WARNING", "web printed 1 errors in the last 10 minutes")]
    assert code == max(1, ["HEALTHY", "WARNING", "UNHEALTHY"].index(of(found, "disk")[0][0]))
    assert "hunter2" not in json.dumps(found)


def test_busy_processors_and_full_memory_are_told(bench: Workbench, client: docker.DockerClient) -> None:
    (web,) = bench.containers(client)
    web.exec_run(["sh", "-c", "timeout 40 sh -c 'while :; do :; done'"], detach=True)
    # 59 of its 64 MiB, which nothing gives back.
    filled = web.exec_run(["dd", "if=/dev/zero", "of=/dev/shm/full", "bs=1M", "count=59"])
    assert filled.exit_code == 0, filled.output
    try:
        code, found = look(bench)
    finally:
        web.exec_run(["rm", "/dev/shm/full"])
    # On a machine that others keep busy it does not get all that it may have.
    ((state, reason),) = of(found, "container-cpu")
    percent = int(re.findall(r"([0-9]+) %", reason)[0])
    assert percent > 15 and state == "HEALTHY", reason
    assert of(found, "container-memory")[0][0] in ("WARNING", "UNHEALTHY"), found
    assert code >= 1
    assert of(found, "restarts") == [("HEALTHY", "none lately")]
    # One byte after the other, until the kernel ends it; the container itself goes on.
    ended = web.exec_run(["sh", "-c", "x=$(head -c 99000000 /dev/zero | tr '\\0' x)"])
    assert ended.exit_code == 137
    code, found = look(bench)
    assert (
        "WARNING",
        "web had no more memory (64 MiB), and the kernel ended a process of it since it started",
    ) in of(found, "restarts")
    assert code >= 1


def test_a_container_that_came_back_by_itself_is_a_warning(
    bench: Workbench, client: docker.DockerClient
) -> None:
    (web,) = bench.containers(client)
    os.kill(client.api.inspect_container(web.id)["State"]["Pid"], 9)

    def back() -> bool:
        web.reload()
        return bool(
            web.attrs["RestartCount"] == 1 and web.attrs["State"].get("Health", {}).get("Status") == "healthy"
        )

    wait_for(back, what="it came back")
    code, found = look(bench)
    assert any(state == "WARNING" and "started again 1 times" in it for state, it in of(found, "restarts"))
    assert code >= 1


def test_who_is_to_be_told_is_told_and_who_is_down_changes_nothing(
    bench: Workbench, client: docker.DockerClient, told: tuple[str, list[tuple[str, Any]]]
) -> None:
    url, got = told
    document = yaml.safe_load(bench.file.read_text())
    document["config"]["berth:alerts"] = ALERTS
    bench.file.write_text(yaml.safe_dump(document))
    refused = bench.fails("up")
    for name in ("alert_any", "alert_ding", "alert_ding_key", "alert_gone"):
        assert f"berth:secrets.{name}: required" in refused, "no URL is made up"
    assert "berth:secrets.alert_any is not set" in bench.fails("health", "--alert", code=3)
    put(bench, "alert_any", f"{url}/any?token=first-secret")
    put(bench, "alert_ding", f"{url}/robot/send?access_token=second-secret")
    put(bench, "alert_ding_key", "SEC-a-key-of-the-robot")
    put(bench, "alert_gone", f"http://127.0.0.1:{free_port()}/send?key=third-secret")
    (web,) = bench.containers(client)
    web.stop(timeout=1)
    began = time.time()
    done = bench.run("health", "--json", "--alert")
    found = json.loads(done.stdout)
    assert done.returncode == 2 and found["state"] == "UNHEALTHY", done.stderr
    assert any("exited" in reason for _, reason in of(found, "containers"))
    assert any("no answer" in reason for _, reason in of(found, "address"))
    assert "alert wecom alert_gone (http://127.0.0.1) was not taken: no answer" in done.stderr
    for secret in ("first-secret", "second-secret", "third-secret", "SEC-a-key"):
        assert secret not in done.stdout + done.stderr
    (plain, document), (signed, message) = got
    assert plain == "/any?token=first-secret" and document == found
    assert signed.startswith("/robot/send?access_token=second-secret&timestamp=") and "&sign=" in signed
    assert began * 1000 - 1 <= int(signed.partition("timestamp=")[2].partition("&")[0])
    assert message["msgtype"] == "text"
    assert message["text"]["content"].startswith("berth: stack dev is UNHEALTHY")
    got.clear()
    # Without being asked to it tells nobody.
    assert bench.run("health").returncode == 2 and got == []
