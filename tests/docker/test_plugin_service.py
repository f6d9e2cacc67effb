"""Services through the plugin, on a swarm of one node that the tests start for themselves."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import grpc
import pytest

from tests.docker.engines import start_engine
from tests.docker.images import ensure_busybox
from tests.docker.plugin import CheckFailed, PluginClient

pytestmark = pytest.mark.docker
TOKEN = "docker:index/service:Service"
SOON = {"delay": "0s", "timeout": "60s"}


@pytest.fixture(scope="module")
def swarm() -> Iterator[docker.DockerClient]:
    """A manager of our own: the machine's engine is never put into swarm mode."""
    with (
        tempfile.TemporaryDirectory(prefix="s-", dir="/tmp", ignore_cleanup_errors=True) as folder,
        start_engine(Path(folder)) as url,
    ):
        client = docker.DockerClient(base_url=url)
        ensure_busybox(client)
        client.swarm.init(advertise_addr="127.0.0.1", listen_addr="127.0.0.1:23770")
        client.url = url
        yield client
        client.close()


@pytest.fixture
def make(plugin: PluginClient, swarm: Any) -> Iterator[Any]:
    """Make services; whatever is left goes at the end."""
    plugin.configure(host=swarm.url)
    yield lambda **inputs: plugin.create(TOKEN, inputs)
    for left in swarm.services.list():
        left.remove()


def service(name: str, *, container: dict[str, Any] | None = None, **inputs: Any) -> dict[str, Any]:
    task = inputs.pop("taskSpec", {})
    spec = {"image": "berth-test/busybox:1", "commands": ["sleep", "1000"], "stopGracePeriod": "1s"}
    return {"name": name, "taskSpec": {"containerSpec": spec | (container or {}), **task}, **inputs}


FULL = service(
    "full",
    container={
        "args": ["2000"],
        "commands": ["sleep"],
        "env": {"A": "1", "B": "x=y"},
        "dir": "/tmp",
        "user": "nobody",
        "groups": ["1"],
        "hostname": "berth",
        "hosts": [{"host": "other", "ip": "127.0.0.2"}],
        "labels": [{"label": "b", "value": "2"}, {"label": "a", "value": "1"}],
        "mounts": [
            {"type": "tmpfs", "target": "/x", "tmpfsOptions": {"sizeBytes": 1048576}},
            {"type": "volume", "target": "/v", "source": "full-data", "volumeOptions": {"noCopy": True}},
            {"type": "bind", "target": "/b", "source": "/tmp", "readOnly": True, "bindOptions": {}},
        ],
        "healthcheck": {"tests": ["CMD", "true"], "interval": "60s", "retries": 3},
        "dnsConfig": {"nameservers": ["127.0.0.1"], "searches": ["example.org"], "options": ["ndots:1"]},
        "stopGracePeriod": "90s",
        "stopSignal": "SIGINT",
        "sysctl": {"net.core.somaxconn": "100"},
        "readOnly": True,
        "init": True,
        "capDrops": ["CAP_NET_RAW"],
    },
    taskSpec={
        "forceUpdate": 1,
        "logDriver": {"name": "json-file", "options": {"max-size": "1m"}},
        "placement": {"constraints": ["node.role==manager"], "prefs": ["node.labels.a"], "maxReplicas": 2},
        "resources": {
            "limits": {"memoryBytes": 67108864, "nanoCpus": 500000000},
            "reservation": {"memoryBytes": 33554432},
        },
        "restartPolicy": {"condition": "on-failure", "delay": "3s", "maxAttempts": 4, "window": "120s"},
        "runtime": "container",
    },
    labels=[{"label": "d", "value": "4"}, {"label": "c", "value": "3"}],
    mode={"replicated": {"replicas": 2}},
    updateConfig={"parallelism": 2, "delay": "60s", "failureAction": "rollback", "maxFailureRatio": "0.05"},
    rollbackConfig={"order": "start-first", "monitor": "1m30s"},
    endpointSpec={
        "ports": [{"targetPort": 81, "publishedPort": 28081}, {"targetPort": 80, "publishMode": "host"}]
    },
)


def test_every_setting_arrives_and_shows_no_change(plugin, swarm, make) -> None:
    made = make(**FULL)
    spec = swarm.services.get(made.id).attrs["Spec"]
    assert spec["TaskTemplate"]["RestartPolicy"]["Window"] == 120 * 10**9
    assert spec["UpdateConfig"]["MaxFailureRatio"] == pytest.approx(0.05)
    assert not plugin.diff(made, FULL)
    assert not plugin.diff(plugin.read(made), FULL)
    assert not plugin.diff(plugin.import_(TOKEN, "full"), FULL)


def test_converge_waits_until_all_run_and_an_update_rolls_out(plugin, swarm, make) -> None:
    wanted = service("web", mode={"replicated": {"replicas": 2}}, convergeConfig=SOON)
    made = make(**wanted)
    tasks = swarm.services.get(made.id).tasks({"desired-state": "running"})
    assert [task["Status"]["State"] for task in tasks] == ["running", "running"]
    wanted = service(
        "web", container={"env": {"A": "1"}}, mode={"replicated": {"replicas": 1}}, convergeConfig=SOON
    )
    diff = plugin.diff(made, wanted)
    assert set(diff.diffs) == {"mode", "taskSpec"} and not diff.replaces
    updated = plugin.update(made, wanted)
    assert updated.id == made.id and not plugin.diff(updated, wanted)
    [task] = swarm.services.get(made.id).tasks({"desired-state": "running"})
    assert task["Spec"]["ContainerSpec"]["Env"] == ["A=1"]


@pytest.mark.parametrize(
    ("change", "replaced"),
    [({"name": "other"}, "name"), ({"mode": {"global": True}}, "mode")],
    ids=["name", "mode"],
)
def test_what_needs_a_new_service(plugin, make, change, replaced) -> None:
    made = make(**service("one"))
    assert plugin.diff(made, service("one") | change).replaces == [replaced]


def test_what_does_not_converge_is_removed_and_says_why(swarm, make) -> None:
    started = time.monotonic()
    with pytest.raises(grpc.RpcError) as failure:
        make(
            **service(
                "bad", container={"commands": ["nonesuch"]}, convergeConfig={"delay": "0s", "timeout": "3s"}
            )
        )
    text = failure.value.details()
    assert "did not converge within 3 s" in text and "nonesuch" in text
    assert not swarm.services.list() and time.monotonic() - started < 100


def test_a_global_service_on_a_network_that_is_named(plugin, swarm, make) -> None:
    network = swarm.networks.create("overlay-net", driver="overlay")
    wanted = service(
        "everywhere", taskSpec={"networksAdvanceds": [{"name": "overlay-net", "aliases": ["e"]}]}
    )
    wanted["mode"] = {"global": True}
    made = make(**wanted)
    assert not plugin.diff(made, wanted) and not plugin.diff(plugin.read(made), wanted)
    assert not plugin.diff(plugin.import_(TOKEN, made.id), wanted)
    plugin.delete(made)
    network.remove()


def test_removed_and_changed_behind_our_back(plugin, swarm, make) -> None:
    wanted = service("drift", mode={"replicated": {"replicas": 1}})
    made = make(**wanted)
    swarm.services.get(made.id).scale(2)
    assert "mode" in plugin.diff(plugin.read(made), wanted).diffs
    swarm.services.get(made.id).remove()
    assert plugin.read(made) is None
    with pytest.raises(grpc.RpcError, match="removed outside of this stack"):
        plugin.update(made, wanted)
    plugin.delete(made)


def test_delete_returns_when_the_containers_are_gone(plugin, swarm, make) -> None:
    made = make(**service("gone", convergeConfig=SOON))
    assert swarm.containers.list()
    plugin.delete(made)
    assert not swarm.services.list() and not swarm.containers.list(all=True, filters={"name": "gone."})


def test_a_name_of_others_is_refused(make) -> None:
    make(**service("taken"))
    with pytest.raises(grpc.RpcError) as failure:
        make(**service("taken"))
    assert "service 'taken' cannot be created" in failure.value.details()
    assert "fix: choose another name" in failure.value.details()


def test_an_engine_without_swarm_says_how_to_start_one(plugin) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        plugin.create(TOKEN, service("nowhere"))
    assert "docker swarm init" in failure.value.details()


def test_wrong_values_are_named_all_at_once(plugin) -> None:
    wrong = service(
        "x",
        container={"isolation": "total"},
        mode={"global": True},
        convergeConfig=SOON,
        updateConfig={"maxFailureRatio": "2", "order": "any"},
        endpointSpec={"mode": "lb"},
    )
    with pytest.raises(CheckFailed) as refused:
        plugin.check(TOKEN, wrong)
    assert set(refused.value.failures) == {
        *("taskSpec.containerSpec.isolation", "convergeConfig", "endpointSpec.mode"),
        *("updateConfig.maxFailureRatio", "updateConfig.order"),
    }
