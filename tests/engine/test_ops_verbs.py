"""The verbs on a real engine: the usual way, then everything that goes wrong."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from ops import engine
from tests.docker.engines import in_namespace, start_engine
from tests.docker.images import busybox_image, ensure_busybox  # noqa: F401
from tests.engine.workbench import Workbench, children, kill, wait_for
from tests.ports import free_port

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.usefixtures("busybox_image")]


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    found = docker.from_env()
    yield found
    found.close()


@pytest.fixture
def bench(tmp_path: Path, client: docker.DockerClient) -> Iterator[Workbench]:
    made = Workbench(tmp_path, f"ops-{secrets.token_hex(3)}")
    yield made
    for container in made.containers(client):
        container.remove(force=True)
    for volume in client.volumes.list(filters={"label": f"berth.stack={made.name}"}):
        volume.remove(force=True)
    for network in client.networks.list(filters={"label": f"berth.stack={made.name}"}):
        network.remove()


def running(bench: Workbench, client: docker.DockerClient) -> bool:
    return any(container.status == "running" for container in bench.containers(client))


def test_from_nothing_to_reachable_and_back(bench: Workbench, client: docker.DockerClient) -> None:
    began = time.monotonic()
    up = bench.run("up")
    took = time.monotonic() - began
    assert up.returncode == 0, up.stdout + up.stderr
    url = f"http://127.0.0.1:{bench.port}"
    assert f"gateway is up and answers: {url}\n" in up.stdout
    assert "next: ./berth status" in up.stderr
    with urllib.request.urlopen(f"{url}/health") as answer:
        assert answer.read() == b"ok\n"

    text = bench.file.read_text()
    assert "# This comment must survive." in text
    assert "aliyun_access_key:\n      secure: v1:" in text

    shown = json.loads(bench.ok("status", "--json"))
    assert shown["ok"] and [row["health"] for row in shown["containers"]] == ["healthy"]

    # A plain pulumi in a shell that took the exports, as the README says.
    script = 'eval "$("$PYTHON" -m ops env)" && exec pulumi preview --expect-no-changes'
    python = str(bench.root / ".venv" / "bin" / "python")
    plain = subprocess.run(
        ["sh", "-c", script],
        env={**bench.environment, "PYTHON": python},
        cwd=bench.root,
        capture_output=True,
        text=True,
    )
    assert plain.returncode == 0, plain.stdout + plain.stderr
    json.loads(bench.ok("preview", "--json"))

    began = time.monotonic()
    assert "was not confirmed" in bench.fails("destroy")
    assert time.monotonic() - began < took / 3, "refused before anything is started"
    destroyed = bench.run("destroy", "--yes")
    assert destroyed.returncode == 0, destroyed.stdout + destroyed.stderr
    assert f"kept: the data volume(s) {bench.name}-data" in destroyed.stderr
    assert bench.containers(client) == []
    assert "nothing running" in bench.fails("status", code=3)

    assert json.loads(bench.ok("up", "--json"))["urls"] == {"gateway": url}
    assert bench.run("destroy", "--with-data", input="wrong\n").returncode == 1
    assert running(bench, client)
    bench.ok("destroy", "--with-data", input="dev\n")
    assert client.volumes.list(filters={"label": f"berth.stack={bench.name}"}) == []


def test_destroy_needs_no_image_that_cannot_be_made(bench: Workbench, client: docker.DockerClient) -> None:
    bench.ok("up")
    (bench.root / "workloads").unlink()
    base = bench.root / "workloads" / "base"
    base.mkdir(parents=True)
    (base / "build.sh").write_text(f"exit 1  # {bench.name}\n")
    (base / "changes").write_text("")
    bench.file.write_text(bench.file.read_text().replace("source: registry", "source: local"))
    assert "the base image could not be made (exit code 1" in bench.fails("up")
    bench.ok("destroy", "--yes")
    assert bench.containers(client) == []


def test_an_up_of_what_has_not_changed_asks_the_engine_of_containers_alone(
    bench: Workbench, client: docker.DockerClient, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("a certificate, say")
    program = bench.root / "__main__.py"
    program.write_text(program.read_text() + f"\nPath({str(outside)!r}).read_text()\n")
    assert "Updating (" in bench.ok("up")
    before = bench.state.read_bytes()
    again = bench.run("up")
    assert again.returncode == 0 and "nothing has changed since the up of" in again.stderr
    assert again.stdout == f"gateway is up and answers: http://127.0.0.1:{bench.port}\n"
    assert bench.state.read_bytes() == before
    # A plain run of Pulumi writes the same in another order, its secrets encrypted anew.
    shell = 'eval "$("$PYTHON" -m ops env)" && exec pulumi up --yes'
    python = str(bench.root / ".venv" / "bin" / "python")
    subprocess.run(
        ["sh", "-c", shell], env={**bench.environment, "PYTHON": python}, cwd=bench.root, check=True
    )
    assert bench.state.read_bytes() != before
    assert "Previewing" not in bench.ok("up")
    assert json.loads(bench.ok("up", "--json"))["urls"]
    assert "Previewing" in bench.ok("up", "--again")
    outside.write_text("renewed")
    assert "Previewing" in bench.ok("up") and "Previewing" not in bench.ok("up")
    bench.want(mark="other")
    assert "Updating (" in bench.ok("up")
    bench.containers(client)[0].remove(force=True)
    assert "Updating (" in bench.ok("up") and "Updating (" not in bench.ok("up")
    bench.ok("destroy", "--yes")
    assert "Updating (" in bench.ok("up")


def test_container_removed_behind_our_back_is_seen_and_repaired(
    bench: Workbench, client: docker.DockerClient
) -> None:
    bench.ok("up")
    bench.containers(client)[0].remove(force=True)
    status = bench.run("status", "--json")
    assert status.returncode == 1
    assert json.loads(status.stdout)["containers"][0]["state"] == "missing"
    bench.ok("up")
    assert bench.run("status").returncode == 0


def test_preview_shows_what_up_repairs(bench: Workbench, client: docker.DockerClient) -> None:
    bench.ok("up")
    bench.ok("preview", "--expect-no-changes")
    bench.containers(client)[0].remove(force=True)
    before = bench.state.read_bytes()
    assert "create" in bench.ok("preview")
    assert "no changes were expected" in bench.fails("preview", "--expect-no-changes")
    assert bench.state.read_bytes() == before


def test_secret_that_only_the_user_can_set(bench: Workbench, client: docker.DockerClient) -> None:
    """The way that the refusal itself names, from nothing."""
    bench.file.write_text(bench.file.read_text().replace("  berth:generate_secrets: true\n", ""))
    assert "never been brought up" in bench.fails("status", code=3)
    for verb in ("setup", "preview", "up"):
        said = bench.fails(verb)
        assert "berth:secrets.aliyun_access_key: required" in said
    assert "berth:secrets.aliyun_access_key: required" in bench.run("doctor").stdout
    fix = said.splitlines()[-1].replace("./berth", '"$PYTHON" -m ops')
    done = subprocess.run(
        ["sh", "-c", f"printf %s a-long-enough-value | {{ {fix}; }}"],
        env={**bench.environment, "PYTHON": str(bench.root / ".venv" / "bin" / "python")},
        cwd=bench.root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    bench.ok("up")


def test_env_alone_makes_a_stack_that_pulumi_knows(bench: Workbench) -> None:
    done = subprocess.run(
        ["sh", "-c", 'eval "$("$PYTHON" -m ops env)" && exec pulumi stack ls --json'],
        env={**bench.environment, "PYTHON": str(bench.root / ".venv" / "bin" / "python")},
        cwd=bench.root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and '"dev"' in done.stdout, done.stdout + done.stderr


def test_policies_stop_preview_and_up(bench: Workbench, client: docker.DockerClient) -> None:
    program = bench.root / "__main__.py"
    text = program.read_text().replace(
        'external=wanted["port"], ip="127.0.0.1"', 'external=5432, ip="0.0.0.0"'
    )
    program.write_text(text)
    for verb in ("preview", "up"):
        said = bench.fails(verb)
        assert f"a policy stopped `{verb}`" in said
        assert "container web" in said.lower() or ": web" in said
        assert "5432" in said
    assert bench.containers(client) == []


def test_an_address_that_does_not_answer_ends_up(bench: Workbench, client: docker.DockerClient) -> None:
    """The container is healthy; what the stack gives out as its address is another port."""
    program = bench.root / "__main__.py"
    closed = program.read_text().replace("""{wanted['port']}\"""", f'{free_port()}"')
    program.write_text(closed)
    said = bench.fails("up")
    assert "/health" in said and "no answer" in said
    assert running(bench, client)
    assert bench.run("status").returncode == 1


def test_two_ups_at_once(bench: Workbench, client: docker.DockerClient) -> None:
    bench.want(ready=False)
    first = bench.start("up")
    wait_for(lambda: running(bench, client), what="the first up's container")
    assert f"pid {first.pid}" in bench.fails("up")
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)


def test_interrupt_during_create_leaves_nothing_half_made(
    bench: Workbench, client: docker.DockerClient
) -> None:
    bench.want(ready=False)
    up = bench.start("up")
    wait_for(lambda: running(bench, client), what="the container")
    below = children(up.pid)
    up.send_signal(signal.SIGINT)
    _, err = up.communicate(timeout=60)
    assert up.returncode == 130, err
    assert "interrupted; what was finished is recorded" in err and "fix: ./berth up" in err
    assert bench.containers(client) == []
    assert "nothing running" in bench.fails("status", code=3)
    wait_for(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in below),
        what="all processes ended",
        seconds=10,
    )
    bench.want()
    bench.ok("up")


def test_kill_during_create_is_healed_by_the_next_up(bench: Workbench, client: docker.DockerClient) -> None:
    bench.want(ready=False)
    up = bench.start("up")
    wait_for(lambda: running(bench, client), what="the container")
    half_made = bench.containers(client)[0].id
    kill([up.pid, *children(up.pid)])
    up.communicate(timeout=60)
    bench.want()
    healed = bench.run("up")
    assert healed.returncode == 0, healed.stdout + healed.stderr
    # Who removes the half made one depends on who notices first: the plugin, or the next run.
    assert "The last run was interrupted" in healed.stderr
    (container,) = bench.containers(client)
    assert container.id != half_made
    bench.ok("preview", "--expect-no-changes")


def test_killed_berth_takes_the_engine_along(bench: Workbench, client: docker.DockerClient) -> None:
    bench.want(ready=False)
    up = bench.start("up")
    wait_for(lambda: running(bench, client), what="the container")
    below = children(up.pid)
    kill([up.pid])
    up.communicate(timeout=60)
    wait_for(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in below),
        what="all processes ended",
        seconds=60,
    )
    bench.want()
    bench.ok("up")


def test_wrong_passphrase(bench: Workbench) -> None:
    bench.ok("up")
    before = bench.file.read_text()
    said = bench.fails("up", env={"PULUMI_CONFIG_PASSPHRASE": "wrong"})
    assert "the passphrase does not fit stack dev" in said and "PULUMI_CONFIG_PASSPHRASE" in said
    assert bench.file.read_text() == before
    bench.ok("status", env={"PULUMI_CONFIG_PASSPHRASE": "wrong"})


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"config:\n  berth:systems: [gateway\n", "Pulumi.dev.yaml, line 3, column 1"),
        (b"\xff\xfe\x00", "Pulumi.dev.yaml cannot be read"),
        (b"- a\n- b\n", "Pulumi.dev.yaml holds a list"),
        (b"config:\n  berth:systems: [gateway]\n  berth:gatway: {}\n", "berth:gatway: unknown setting"),
    ],
)
def test_unusable_stack_file(bench: Workbench, content: bytes, cause: str) -> None:
    bench.file.write_bytes(content)
    assert cause in bench.fails("up")
    assert bench.file.read_bytes() == content


def test_unknown_stack(bench: Workbench) -> None:
    said = bench.fails("up", "-s", "nope")
    assert "there is no stack 'nope'" in said and "known: dev" in said


def test_no_docker_engine(bench: Workbench, tmp_path: Path) -> None:
    said = bench.fails("up", env={"DOCKER_HOST": f"unix://{tmp_path}/nothing.sock"})
    assert "no Docker engine answers at unix://" in said and "DOCKER_HOST" in said


def test_lock_of_a_dead_pulumi_is_cleared(bench: Workbench) -> None:
    bench.ok("up")
    ended = subprocess.Popen(["true"])
    ended.wait()
    lock = (
        Path(bench.environment["XDG_DATA_HOME"]) / "berth/state/.pulumi/locks/organization/berth/dev/x.json"
    )
    lock.parent.mkdir(parents=True, exist_ok=True)
    owner = {
        "pid": ended.pid,
        "username": "me",
        "hostname": os.uname().nodename,
        "timestamp": "2026-01-02T03:04:05Z",
    }
    lock.write_text(json.dumps(owner))
    bench.want(mark="something to change: a preview alone takes no lock")
    assert "run that is dead" in bench.run("up").stderr
    assert not lock.exists()


def test_lock_of_another_machine_is_kept(bench: Workbench) -> None:
    bench.ok("up")
    lock = (
        Path(bench.environment["XDG_DATA_HOME"]) / "berth/state/.pulumi/locks/organization/berth/dev/x.json"
    )
    lock.parent.mkdir(parents=True, exist_ok=True)
    owner = {"pid": 1, "username": "me", "hostname": "elsewhere", "timestamp": "2026-01-02T03:04:05Z"}
    lock.write_text(json.dumps(owner))
    bench.want(mark="something to change: a preview alone takes no lock")
    said = bench.fails("up")
    assert "locked by another Pulumi run: me@elsewhere, pid 1" in said and "pulumi cancel" in said
    assert lock.exists()


def test_engine_that_stops_during_up(bench: Workbench) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="ops", dir="/tmp") as folder,
        start_engine(Path(folder)) as address,
    ):
        other = docker.DockerClient(base_url=address)
        ensure_busybox(other)
        home = Path(address.removeprefix("unix://")).parent
        bench.environment["DOCKER_HOST"] = address
        bench.prefix = in_namespace(home / "docker.sock")
        bench.want(ready=False)
        up = bench.start("up")
        wait_for(lambda: running(bench, other), what="the container")
        daemon = int((home / "dockerd.pid").read_text())
        command = Path(f"/proc/{daemon}/cmdline").read_bytes().split(b"\0")[:-1]
        os.kill(daemon, signal.SIGTERM)
        _, err = up.communicate(timeout=120)
        assert up.returncode == 1, err
        assert "Traceback" not in err and "error: " in err and "fix: " in err
        assert "no Docker engine answers" in bench.fails("up")
        bench.want()
        wait_for(lambda: not (home / "dockerd.pid").exists(), what="the end of the engine")
        again = subprocess.Popen(
            [*bench.prefix, *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(
                lambda: engine.answers(engine.Engine(host=address, origin="test")) is None, what="the engine"
            )
            bench.ok("up")
            bench.ok("status")
            bench.ok("destroy", "--with-data", input="dev\n")
            assert bench.containers(other) == []
        finally:
            again.terminate()
            again.wait(timeout=60)
            other.close()
