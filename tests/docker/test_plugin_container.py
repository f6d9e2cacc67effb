"""Containers through the plugin, on a real engine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import grpc
import pytest

from offline.provider import values
from offline.provider.check import without_marks
from offline.stubs import provider_pb2
from tests.docker.engines import start_engine
from tests.docker.images import ensure_busybox
from tests.docker.plugin import CheckFailed, Made, PluginClient
from tests.docker.workloads import until

pytestmark = pytest.mark.docker
TOKEN = "docker:index/container:Container"
NEVER = {"tests": ["CMD-SHELL", "echo probe says no; exit 3"], "interval": "200ms", "retries": 2}
ALWAYS = {"tests": ["CMD", "true"], "interval": "200ms"}
Make = Callable[..., Made]


@pytest.fixture
def base(busybox_image: str, prefix: str) -> dict[str, Any]:
    """The inputs of a container that runs and does nothing, under a fixed name."""
    return {"name": prefix, "image": busybox_image, "command": ["sleep", "1000"]}


@pytest.fixture
def make(plugin: PluginClient, client: docker.DockerClient, prefix: str) -> Iterator[Make]:
    """Make containers; whatever is left under the prefix goes at the end."""
    yield lambda **inputs: plugin.create(TOKEN, inputs, name=prefix)
    for left in client.containers.list(all=True, filters={"name": prefix}):
        left.remove(force=True, v=True)


@pytest.fixture
def failing(plugin: PluginClient, client: docker.DockerClient, prefix: str) -> Callable[..., str]:
    """A creation that fails, leaves nothing, and the message that it fails with."""

    def create(**inputs: Any) -> str:
        with pytest.raises(grpc.RpcError) as failure:
            plugin.create(TOKEN, inputs, name=prefix)
        assert not client.containers.list(all=True, filters={"name": f"^/{inputs['name']}$"})
        return str(failure.value.details())

    return create


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a path short enough for the socket of an engine of our own."""
    with tempfile.TemporaryDirectory(prefix="c-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


# --- create


def test_a_container_runs_and_a_second_look_changes_nothing(plugin, client, make, base) -> None:
    made = make(**base)
    assert client.containers.get(made.id).status == "running"
    assert made.state["exitCode"] == 0 and made.state["networkDatas"][0]["networkName"] == "bridge"
    assert not plugin.diff(made, base)
    refreshed = plugin.read(made)
    assert refreshed is not None and without_marks(refreshed.inputs) == without_marks(made.inputs)
    assert not plugin.diff(refreshed, base)


FULL: dict[str, Any] = {
    "capabilities": {"adds": ["NET_ADMIN"], "drops": ["ALL"]},
    "cpuShares": 100,
    "cpus": "0.50",
    "devices": [{"hostPath": "/dev/null"}],
    "dns": ["127.0.0.1"],
    "dnsOpts": ["ndots:1"],
    "dnsSearches": ["example.org"],
    "domainname": "example.org",
    "envs": ["B=2", "A=1"],
    "groupAdds": ["1"],
    "healthcheck": {"tests": ["CMD", "true"], "interval": "60s", "retries": 3},
    "hostname": "berth",
    "hosts": [{"host": "other", "ip": "127.0.0.2"}],
    "init": True,
    "labels": [{"label": "b", "value": "2"}, {"label": "a", "value": "1"}],
    "logDriver": "json-file",
    "logOpts": {"max-size": "1m"},
    "maxRetryCount": 3,
    "memory": 64,
    "memoryReservation": 32,
    "mounts": [
        {"type": "tmpfs", "target": "/x", "tmpfsOptions": {"sizeBytes": 1048576, "mode": 0o700}},
        {"type": "bind", "source": "/tmp", "target": "/b", "readOnly": True},
    ],
    "ports": [{"internal": 81}, {"internal": 80, "ip": "127.0.0.1", "protocol": "udp"}],
    "readOnly": True,
    "restart": "on-failure",
    "securityOpts": ["no-new-privileges:true", "systempaths=unconfined"],
    "shmSize": 32,
    "stdinOpen": True,
    "stopSignal": "SIGINT",
    "stopTimeout": 3,
    "sysctls": {"net.core.somaxconn": "100"},
    "tmpfs": {"/t": "size=1m"},
    "tty": True,
    "ulimits": [{"name": "nofile", "soft": 100, "hard": 200}],
    "user": "nobody",
    "volumes": [{"hostPath": "/tmp", "containerPath": "/c", "readOnly": True}],
    "workingDir": "/tmp",
}


def test_every_setting_arrives_and_shows_no_change(plugin, client, make, base) -> None:
    made = make(**base, **FULL)
    inside = client.containers.get(made.id)
    host = inside.attrs["HostConfig"]
    assert host["Memory"] == 64 * 2**20 and host["NanoCpus"] == 500_000_000 and host["MaskedPaths"] == []
    assert inside.attrs["Config"]["Healthcheck"]["Interval"] == 60 * 10**9
    assert {"A=1", "B=2"} <= set(inside.attrs["Config"]["Env"])
    assert not plugin.diff(made, base | FULL)
    refreshed = plugin.read(made)
    assert refreshed is not None and without_marks(refreshed.inputs) == without_marks(made.inputs)
    assert not plugin.diff(refreshed, base | FULL)


@pytest.mark.parametrize("key", ["ports", "mounts", "labels", "envs"])
def test_order_is_no_difference(plugin, make, base, key) -> None:
    made = make(**base, **FULL)
    assert not plugin.diff(made, base | FULL | {key: FULL[key][::-1]})


def test_an_image_given_by_id_shows_no_change(plugin, client, make, base) -> None:
    inputs = base | {"image": client.images.get(base["image"]).id}
    made = make(**inputs)
    assert made.state["image"] == inputs["image"] and not plugin.diff(made, inputs)


def test_uploads_are_there_before_the_program_starts(client, make, base, tmp_path) -> None:
    (tmp_path / "source").write_bytes(b"\x00from a file")
    made = make(
        **base
        | {
            "command": ["sh", "-c", "cat /etc/one /etc/two /deep/er/three; ls -l /etc/one; sleep 1000"],
            "uploads": [
                {"file": "/etc/one", "content": "plain ", "permissions": "0640"},
                {"file": "/etc/two", "contentBase64": "YmFzZTY0IA==", "executable": True},
                {"file": "/deep/er/three", "source": str(tmp_path / "source")},
            ],
        }
    )

    def log() -> bytes | None:
        text = client.containers.get(made.id).logs()
        return text if b"/etc/one\n" in text else None

    whole = until("everything is printed", log)
    assert b"plain base64 \x00from a file" in whole and b"-rw-r-----" in whole


def test_networks_replace_the_default_one(plugin, client, make, base, prefix) -> None:
    network = client.networks.create(f"{prefix}-net")
    try:
        wanted = base | {"networksAdvanced": [{"name": network.name, "aliases": ["web"]}]}
        made = make(**wanted)
        attached = client.containers.get(made.id).attrs["NetworkSettings"]["Networks"]
        assert set(attached) == {network.name} and "web" in attached[network.name]["Aliases"]
        assert not plugin.diff(made, wanted)
        by_id = base | {"networksAdvanced": [{"name": network.id, "aliases": ["web"]}]}
        assert not plugin.diff(made, by_id), "the id names the same network"
        network.disconnect(made.id)
        refreshed = plugin.read(made)
        assert plugin.diff(refreshed, wanted).replaces == ["networksAdvanced"]
        plugin.delete(made)
    finally:
        network.remove()


def test_attach_waits_for_the_end_and_keeps_the_log(plugin, make, base) -> None:
    once = base | {
        "command": ["sh", "-c", "echo out; sleep 0.3; echo err >&2; exit 3"],
        "attach": True,
        "logs": True,
        "mustRun": False,
    }
    made = make(**once)
    assert sorted(made.state["containerLogs"].split()) == ["err", "out"] and made.state["exitCode"] == 3
    assert not plugin.diff(made, once)
    refreshed = plugin.read(made)
    assert refreshed.state["containerLogs"] == made.state["containerLogs"] and not plugin.diff(
        refreshed, once
    )


def test_wait_returns_when_healthy(client, make, base) -> None:
    made = make(**base, healthcheck=ALWAYS, wait=True)
    assert client.containers.get(made.id).attrs["State"]["Health"]["Status"] == "healthy"


def test_without_start_it_is_only_created(client, make, base) -> None:
    assert client.containers.get(make(**base, start=False, mustRun=False).id).status == "created"


# --- create that fails


def test_unhealthy_fails_at_once_with_log_and_health_output_and_no_secret(failing, base) -> None:
    started = time.monotonic()
    text = failing(
        **base
        | {
            "command": ["sh", "-c", "echo starting with $DB_PASSWORD; sleep 1000"],
            "envs": ["DB_PASSWORD=hunter22"],
        },
        healthcheck=NEVER,
        wait=True,
        waitTimeout=300,
    )
    assert time.monotonic() - started < 150
    assert "became unhealthy" in text and "probe says no" in text and "exit code 3" in text
    assert "starting with [secret]" in text and "hunter22" not in text


def test_an_end_during_wait_fails_at_once(failing, base) -> None:
    text = failing(
        **base | {"command": ["sh", "-c", "echo bye; exit 4"]},
        healthcheck=ALWAYS | {"interval": "9s"},
        wait=True,
    )
    assert "ended with exit code 4" in text and "bye" in text


def test_a_refusal_that_is_started_again_and_again_fails_at_once(failing, base) -> None:
    started = time.monotonic()
    text = failing(
        **base | {"command": ["sh", "-c", "echo not with this password; exit 78"], "restart": "always"},
        healthcheck=ALWAYS | {"interval": "9s", "startPeriod": "60s"},
        wait=True,
        waitTimeout=300,
    )
    assert time.monotonic() - started < 150
    assert "ended with exit code 78" in text and "not with this password" in text


def test_wait_without_a_health_check_is_refused(failing, base) -> None:
    assert "no health check" in failing(**base, wait=True)


def test_wait_has_a_limit(failing, base) -> None:
    text = failing(
        **base, healthcheck={"tests": ["CMD", "sleep", "30"], "interval": "9s"}, wait=True, waitTimeout=1
    )
    assert "was not healthy within 1 s" in text


def test_cancel_ends_the_wait_and_removes_the_container(plugin, failing, base) -> None:
    threading.Timer(1, plugin.cancel).start()
    started = time.monotonic()
    text = failing(**base, healthcheck={"tests": ["CMD", "sleep", "30"], "interval": "9s"}, wait=True)
    assert "cancelled" in text and time.monotonic() - started < 50


@pytest.mark.parametrize("waits", [True, False], ids=["waits until healthy", "has begun to start"])
def test_a_container_that_an_engine_did_not_live_to_hear_of_is_removed(plugin, client, base, waits) -> None:
    probe = {"tests": ["CMD", "sleep", "30"], "interval": "9s"}
    inputs = plugin.check(TOKEN, base | ({"healthcheck": probe, "wait": True} if waits else {}))
    urn = f"urn:pulumi:test::berth::{TOKEN}::test"
    request = provider_pb2.CreateRequest(type=TOKEN, urn=urn, properties=values.encode(inputs))
    call = plugin.stub.Create.future(request)

    def there() -> bool:
        return bool(client.api.containers(all=True, filters={"name": f"^/{inputs['name']}$"}))

    deadline = time.monotonic() + 20
    while not there():  # a shorter step than `until` has: a start takes a few tenths of a second
        assert time.monotonic() < deadline
        time.sleep(0.02)
    call.cancel()
    until("it is gone", lambda: not there() or None)


def test_a_taken_port_names_the_process(failing, base) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = failing(**base, ports=[{"internal": 80, "external": port, "ip": "127.0.0.1"}])
    assert f"host port {port} is taken by process {os.getpid()} (" in text and f"kill {os.getpid()}" in text


def test_a_taken_port_names_the_container(client, failing, base, prefix) -> None:
    holder = client.containers.run(
        base["image"],
        ["sleep", "1000"],
        name=f"holder-{prefix}",
        ports={"80/tcp": ("127.0.0.1", None)},
        detach=True,
    )
    try:
        holder.reload()
        port = int(holder.ports["80/tcp"][0]["HostPort"])
        text = failing(**base, ports=[{"internal": 80, "external": port, "ip": "127.0.0.1"}])
        assert f"host port {port} is taken by container 'holder-{prefix}'" in text
        assert f"docker stop holder-{prefix}" in text
    finally:
        holder.remove(force=True)


def test_a_name_of_others_is_refused_and_left_alone(plugin, client, base, prefix) -> None:
    foreign = client.containers.run(base["image"], ["sleep", "1000"], name=prefix, detach=True)
    try:
        with pytest.raises(grpc.RpcError) as failure:
            plugin.create(TOKEN, base, name=prefix)
        text = failure.value.details()
        assert f"'{prefix}' is taken by container {foreign.id[:12]}" in text and "pulumi import" in text
        foreign.reload()
        assert foreign.status == "running"
    finally:
        foreign.remove(force=True)


def test_a_missing_image_says_where_it_was_looked_for(failing, base) -> None:
    text = failing(**base | {"image": "localhost:1/no/such:1"})
    assert "localhost:1/no/such:1" in text and "fix:" in text


def test_a_missing_gpu_says_what_to_install(failing, base) -> None:
    text = failing(**base, deviceRequests=[{"driver": "nvidia", "count": -1, "capabilities": ["gpu"]}])
    assert "NVIDIA Container Toolkit" in text


def test_what_a_killed_plugin_left_is_removed_by_the_next(
    plugin, client, make, base, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    script = (
        "import threading\nfrom offline.docker.container import Container\n"
        "from offline.docker.engine import Engine\n"
        "from offline.provider.resource import Context\n"
        "ctx = Context(engine=Engine({}), urn='', log=print, warn=print, cancelled=threading.Event())\n"
        f"Container().create(ctx, {base | {'healthcheck': NEVER | {'interval': '30s'}, 'wait': True}!r})\n"
    )
    creating = subprocess.Popen([sys.executable, "-c", script])
    try:
        _until(lambda: client.containers.list(filters={"name": f"^/{base['name']}$"}))
        half_made = client.containers.get(base["name"]).id
    finally:
        creating.send_signal(signal.SIGKILL)
        creating.wait()
    made = make(**base)
    assert made.id != half_made and client.containers.get(base["name"]).id == made.id
    assert not list((tmp_path / "berth" / "creating").iterdir())


def test_what_this_engine_would_ignore_is_refused(client, failing, base) -> None:
    if tuple(map(int, client.api.api_version.split("."))) >= (1, 48):
        pytest.fail("this engine ignores nothing any more: give the test an older API version")
    text = failing(**base, networksAdvanced=[{"name": "bridge", "gwPriority": 1}])
    assert "networksAdvanced[0].gwPriority needs Docker 28.0" in text


# --- check


def test_wrong_values_are_named_all_at_once(plugin, base) -> None:
    with pytest.raises(CheckFailed) as refused:
        plugin.check(
            TOKEN,
            base
            | {
                "command": ["sh", ""],
                "restart": "sometimes",
                "memorySwap": -2,
                "gpus": "al",
                "mounts": [{"type": "cdrom", "target": "/x"}],
                "healthcheck": {"tests": ["CMD", "true"], "interval": "soon"},
                "uploads": [{"file": "/x"}],
            },
        )
    assert set(refused.value.failures) == {
        *("command[1]", "restart", "memorySwap", "gpus"),
        *("mounts[0].type", "healthcheck.interval", "uploads[0]"),
    }


# --- update, replace


def test_limits_and_restart_change_in_place(plugin, client, make, base) -> None:
    made = make(**base, memory=64)
    wanted = base | {"memory": 128, "cpuShares": 256, "cpuQuota": 50000, "restart": "unless-stopped"}
    diff = plugin.diff(made, wanted)
    assert not diff.replaces and diff.diffs == ["cpuQuota", "cpuShares", "memory", "restart"]
    updated = plugin.update(made, wanted)
    host = client.containers.get(made.id).attrs["HostConfig"]
    assert (host["Memory"], host["CpuShares"], host["CpuQuota"]) == (128 * 2**20, 256, 50000)
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert not plugin.diff(updated, wanted)


def test_taking_a_limit_away_needs_a_new_container(plugin, make, base) -> None:
    made = make(**base, memory=64)
    assert plugin.diff(made, base).replaces == ["memory"]


def test_memory_swap_may_be_left_to_the_engine(plugin, make, base) -> None:
    wanted = base | {"memory": 64}
    made = make(**wanted)
    assert not plugin.diff(made, wanted) and not plugin.diff(plugin.read(made), wanted)
    wanted = base | {"memory": 64, "memorySwap": 64}
    assert plugin.diff(made, wanted).diffs == ["memorySwap"]
    assert not plugin.diff(plugin.update(made, wanted), wanted)


def test_settings_of_the_provider_itself_are_only_recorded(plugin, client, make, base) -> None:
    made = make(**base)
    wanted = base | {"destroyGraceSeconds": 7, "waitTimeout": 5, "removeVolumes": False}
    assert not plugin.diff(made, wanted).replaces
    assert plugin.update(made, wanted).state["destroyGraceSeconds"] == 7


@pytest.mark.parametrize(
    "change",
    [
        {"command": ["sleep", "2000"]},
        {"envs": ["A=1"]},
        {"healthcheck": ALWAYS},
        {"ports": [{"internal": 80}]},
        {"init": True},
        {"tmpfs": {"/t": ""}},
        {"mounts": [{"type": "tmpfs", "target": "/x"}]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_changes_replace(plugin, make, base, change) -> None:
    diff = plugin.diff(make(**base), base | change)
    assert diff.replaces == list(change) and diff.delete_before_replace


def test_start_first_replacement_keeps_the_old_one_when_the_new_is_unhealthy(
    plugin, client, make, base, prefix
) -> None:
    nameless = {key: value for key, value in base.items() if key != "name"}
    old = make(**nameless, healthcheck=ALWAYS, wait=True)
    with pytest.raises(grpc.RpcError, match="unhealthy"):
        plugin.create(TOKEN, nameless | {"healthcheck": NEVER, "wait": True}, name=f"{prefix}-2")
    running = client.containers.list(filters={"name": prefix})
    assert [one.id for one in running] == [old.id] and old.state["name"].startswith(f"{prefix}-")
    new = plugin.create(TOKEN, nameless | {"healthcheck": ALWAYS, "wait": True}, name=f"{prefix}-3")
    plugin.delete(old)
    assert [one.id for one in client.containers.list(filters={"name": prefix})] == [new.id]


# --- changes from outside, import


def test_removed_behind_our_back(plugin, client, make, base) -> None:
    made = make(**base)
    client.containers.get(made.id).remove(force=True)
    assert plugin.read(made) is None
    with pytest.raises(grpc.RpcError, match="removed outside of this stack"):
        plugin.update(made, base | {"memory": 64})
    plugin.delete(made)


def test_stopped_behind_our_back_is_started_again(plugin, client, make, base) -> None:
    wanted = base | {"ports": [{"internal": 80}]}
    made = make(**wanted)
    client.containers.get(made.id).kill()
    _until(lambda: client.containers.get(made.id).status == "exited")
    stopped = plugin.read(made)
    diff = plugin.diff(stopped, wanted)
    assert diff.diffs == ["mustRun"] and not diff.replaces
    started = plugin.update(stopped, wanted)
    assert client.containers.get(made.id).status == "running" and not plugin.diff(started, wanted)


def test_limits_changed_behind_our_back_are_seen(plugin, client, make, base) -> None:
    wanted = base | {"memory": 64}
    made = make(**wanted)
    client.containers.get(made.id).update(mem_limit="128m", memswap_limit="256m")
    seen = plugin.read(made)
    assert seen.state["memory"] == 128 and plugin.diff(seen, wanted).diffs == ["memory"]


@pytest.mark.parametrize("by", ["name", "id"])
def test_import_shows_no_change(plugin, make, base, by) -> None:
    made = make(**base, **FULL)
    imported = plugin.import_(TOKEN, base["name"] if by == "name" else made.id)
    assert imported.id == made.id and not plugin.diff(imported, base | FULL)


def test_import_of_a_plain_container_needs_few_inputs(plugin, client, make, base) -> None:
    make(**base)
    imported = plugin.import_(TOKEN, base["name"])
    assert {key: imported.inputs[key] for key in base} == base
    assert not plugin.diff(imported, base)


def test_import_of_nothing_finds_nothing(plugin, prefix) -> None:
    assert plugin.import_(TOKEN, f"{prefix}-nobody") is None


# --- delete


def test_delete_gives_the_grace_that_was_asked_for(plugin, client, make, base) -> None:
    trap = "trap 'sleep 1; exit 0' TERM; echo ready; while :; do sleep 0.1; done"
    made = make(**base | {"command": ["sh", "-c", trap]}, destroyGraceSeconds=60)
    # Before that the kernel drops a SIGTERM: it is the first process of its namespace.
    until("the trap is set", lambda: b"ready" in client.containers.get(made.id).logs() or None)
    started = time.monotonic()
    plugin.delete(made)
    assert 1 <= time.monotonic() - started < 50 and not client.containers.list(
        all=True, filters={"id": made.id}
    )


def test_delete_removes_anonymous_volumes_unless_told_otherwise(plugin, client, make, base) -> None:
    for keep in (False, True):
        made = make(**base, volumes=[{"containerPath": "/data"}], removeVolumes=not keep)
        [mount] = client.containers.get(made.id).attrs["Mounts"]
        plugin.delete(made)
        left = [volume for volume in client.volumes.list() if volume.name == mount["Name"]]
        assert bool(left) == keep
        for volume in left:
            volume.remove()


def test_delete_of_one_that_removes_itself(plugin, client, make, base) -> None:
    made = make(**base, rm=True)
    plugin.delete(made)
    plugin.delete(made)
    assert not client.containers.list(all=True, filters={"id": made.id})


# --- an engine of our own


def test_gpus_are_asked_of_the_hook(plugin, tmp_path, short) -> None:
    hook = tmp_path / "bin" / "nvidia-container-runtime-hook"
    hook.parent.mkdir()
    asked = tmp_path / "asked"
    hook.write_text(f'#!/bin/sh\necho "$@" > {asked}\ncat >> {asked}\n')
    hook.chmod(0o755)
    with start_engine(short, env={"PATH": f"{hook.parent}:{os.environ['PATH']}"}) as url:
        own = docker.DockerClient(base_url=url)
        image = ensure_busybox(own)
        plugin.configure(host=url)
        for number, request in enumerate(
            (
                {"deviceRequests": [{"driver": "nvidia", "count": -1, "capabilities": ["gpu"]}]},
                {"gpus": "device=0,2"},
            )
        ):
            asked.unlink(missing_ok=True)
            inputs = {"name": f"gpu{number}", "image": image, "command": ["sleep", "1000"], **request}
            made = plugin.create(TOKEN, inputs)
            env = own.containers.get(made.id).attrs["HostConfig"]["DeviceRequests"]
            assert "prestart" in asked.read_text(), "the engine ran the hook"
            assert env[0]["Capabilities"] == [["gpu"]]
            assert not plugin.diff(made, inputs) and not plugin.diff(plugin.read(made), inputs)
            plugin.delete(made)
        own.close()


def test_an_engine_that_stops_in_between_leaves_nothing_unrecorded(plugin, short) -> None:
    inputs = {
        "name": "half",
        "command": ["sleep", "1000"],
        "healthcheck": NEVER | {"interval": "30s"},
        "wait": True,
    }
    data = short / "kept"
    with start_engine(short / "1", options=["--data-root", str(data)]) as url:
        own = docker.DockerClient(base_url=url)
        inputs["image"] = ensure_busybox(own)
        plugin.configure(host=url)
        failure: list[grpc.RpcError] = []

        def create() -> None:
            try:
                plugin.create(TOKEN, inputs)
            except grpc.RpcError as error:
                failure.append(error)

        creating = threading.Thread(target=create)
        creating.start()
        _until(lambda: own.containers.list())
        own.close()
    creating.join(60)
    assert failure and "could not be removed" in failure[0].details()
    with start_engine(short / "2", options=["--data-root", str(data)]) as url:
        plugin.configure(host=url)
        own = docker.DockerClient(base_url=url)
        [half_made] = own.containers.list(all=True)
        recorded = plugin.read(Made(TOKEN, "test", half_made.id, inputs, {"name": "half"}))
        wanted = inputs | {"healthcheck": ALWAYS}
        assert plugin.diff(recorded, wanted).replaces, "a half-made container is replaced"
        plugin.delete(recorded)
        made = plugin.create(TOKEN, wanted)
        assert own.containers.get(made.id).status == "running"
        plugin.delete(made)
        own.close()


def _until(ready: Callable[[], Any], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
