"""Health watch and log rotation in their image, beside another container that writes into the same volume."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from tests.docker.care import Care, care, does
from tests.docker.test_care_backup import client  # noqa: F401
from tests.docker.workloads import until

pytestmark = pytest.mark.docker
# A writer of numbered lines that never closes its file.
_WRITER = """
import itertools, time
with open("/logs/app.log", "a", buffering=1) as log:
    for n in itertools.count():
        log.write(f"{n} {'x' * 100}\\n")
        if n % 500 == 0:
            time.sleep(0.05)
"""
_READ = "cd /logs && for f in $(ls app.log.*.gz); do gzip -dc $f; done; cat app.log"


@pytest.fixture
def logs(client: docker.DockerClient) -> Iterator[Care]:  # noqa: F811
    with care(client) as made:
        yield made


def beside(made: Care, command: list[str]) -> Container:
    """A hardened container of the image over the volume of the logs."""
    return made.client.containers.run(
        made.image, command, detach=True, init=True, labels={"test": made.id}, network=made.network.name,
        read_only=True, tmpfs={"/tmp": "mode=1777"}, cap_drop=["ALL"], security_opt=["no-new-privileges"],
        mem_limit="96m", memswap_limit="96m", environment={"TZ": "UTC"},
        volumes={
            made.data.name: {"bind": "/logs", "mode": "rw"},
            str(made.config): {"bind": "/etc/care", "mode": "ro"},
        },
    )  # fmt: skip


def settings(made: Care, name: str, content: dict[str, Any]) -> None:
    (made.config / name).write_text(json.dumps(content))


def test_large_logs_are_cut_and_a_deleted_one_is_reported(logs: Care) -> None:
    settings(logs, "logrotate.json", {
        "folders": ["/logs"], "hour": 3, "minute": 0, "max_size": 200_000, "keep_days": 28, "every": 0.5,
    })  # fmt: skip
    writer = beside(logs, ["python3.11", "-c", _WRITER])
    rotation = beside(logs, ["care-logrotate", "serve"])
    until("three cuts", lambda: rotation.logs().count(b'"message": "cut"') >= 3 or None, 300)
    assert does(rotation, "care-logrotate", "alive") == (0, "ok\n")
    # Deleted under its writer, as a hand does that wants room.
    assert does(rotation, "rm", "/logs/app.log")[0] == 0
    until("it is reported", lambda: does(rotation, "care-logrotate", "alive")[0] == 1 or None, 300)
    _, said = does(rotation, "care-logrotate", "alive")
    assert "app.log was deleted, but a program keeps it open and still writes into it" in said
    assert "restart that program" in said
    writer.restart(timeout=1)
    until("all is well", lambda: does(rotation, "care-logrotate", "alive")[0] == 0 or None, 300)
    rotation.stop(timeout=20)
    assert rotation.wait()["StatusCode"] == 0


def test_no_line_of_a_writer_in_another_container_is_lost(logs: Care) -> None:
    settings(logs, "logrotate.json", {
        "folders": ["/logs"], "hour": 3, "minute": 0, "max_size": 200_000, "keep_days": 28, "every": 0.2,
    })  # fmt: skip
    writer = beside(logs, ["python3.11", "-c", _WRITER])
    rotation = beside(logs, ["care-logrotate", "serve"])
    until("three cuts", lambda: rotation.logs().count(b'"message": "cut"') >= 3 or None, 300)
    writer.kill()
    rotation.stop(timeout=20)
    reader = beside(logs, ["sleep", "infinity"])
    _, said = does(reader, "sh", "-c", _READ)
    numbers = [int(line.split()[0]) for line in said.replace("\0", "").splitlines() if line.strip()]
    assert numbers == list(range(len(numbers))) and len(numbers) > 5000


def test_the_health_of_a_system_is_appended_line_by_line(logs: Care) -> None:
    settings(logs, "health.json", {
        "every": 0.5, "log": "/logs/health.log",
        "checks": [
            {"label": "app", "kind": "port", "host": "app", "port": 8000},
            {"label": "disk", "kind": "disk", "path": "/logs", "warning": 100, "critical": 100},
        ],
    })  # fmt: skip
    app = logs.serve("app", ["python3.11", "-m", "http.server", "8000"])
    logs.listens(app, 8000)
    watch = beside(logs, ["care-health", "serve"])
    until("it is healthy", lambda: does(watch, "care-health", "alive")[0] == 0 or None, 300)
    assert does(watch, "care-health", "once")[0] == 0
    app.stop(timeout=2)
    until("it is told", lambda: does(watch, "care-health", "alive")[0] == 1 or None, 300)
    code, said = does(watch, "care-health", "once", "--json")
    assert code == 2 and json.loads(said)["checks"]["app"]["state"] == "UNHEALTHY"
    app.start()
    until("it is healthy again", lambda: does(watch, "care-health", "alive")[0] == 0 or None, 300)
    states = [json.loads(line)["state"] for line in does(watch, "cat", "/logs/health.log")[1].splitlines()]
    assert states[0] == "HEALTHY" == states[-1] and "UNHEALTHY" in states
    watch.stop(timeout=20)
    assert watch.wait()["StatusCode"] == 0
