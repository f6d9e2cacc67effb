"""The provider's functions through the plugin, on a real engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import docker
import grpc
import pytest

pytestmark = pytest.mark.docker
LOGS = "docker:index/getLogs:getLogs"
NETWORK = "docker:index/getNetwork:getNetwork"
IMAGE = "docker:index/getRemoteImage:getRemoteImage"


@pytest.fixture
def talker(client: docker.DockerClient, busybox_image: str, prefix: str) -> Iterator[str]:
    """A container that has said two lines, one to each stream."""
    box = client.containers.run(
        busybox_image, ["sh", "-c", "echo out; sleep 0.3; echo err >&2"], name=prefix, detach=True
    )
    box.wait()
    yield prefix
    box.remove(force=True)


def lines(plugin, name: str, **arguments: object) -> list[str]:
    return plugin.invoke(LOGS, {"name": name, **arguments})["logsListStrings"]


def test_logs(plugin, talker) -> None:
    found = plugin.invoke(LOGS, {"name": talker})
    assert found["logsListStrings"] == ["out", "err"] and found["id"] == talker
    assert found["showStdout"] is True and found["follow"] is False
    assert lines(plugin, talker, showStderr=False) == ["out"]
    assert lines(plugin, talker, tail="1") == ["err"]
    assert lines(plugin, talker, since="10m") == ["out", "err"]
    assert lines(plugin, talker, until="2001-01-01T00:00:00Z") == []
    assert lines(plugin, talker, timestamps=True)[0].endswith("Z out")
    assert lines(plugin, talker, discardHeaders=False)[0].endswith("\x04out")
    assert "logsListStrings" not in plugin.invoke(LOGS, {"name": talker, "logsListStringEnabled": False})


def test_logs_of_a_terminal_have_no_headers(plugin, client, busybox_image, prefix) -> None:
    box = client.containers.run(
        busybox_image, ["echo", "a long line of text"], name=prefix, tty=True, detach=True
    )
    try:
        box.wait()
        assert lines(plugin, prefix) == ["a long line of text"]
    finally:
        box.remove(force=True)


def test_follow_ends_with_the_container_or_on_cancel(plugin, client, busybox_image, prefix) -> None:
    box = client.containers.run(
        busybox_image, ["sh", "-c", "echo one; sleep 1; echo two"], name=prefix, detach=True
    )
    try:
        assert lines(plugin, prefix, follow=True) == ["one", "two"]
    finally:
        box.remove(force=True)
    box = client.containers.run(busybox_image, ["sleep", "60"], name=prefix, detach=True)
    try:
        threading.Timer(1, plugin.cancel).start()
        began = time.monotonic()
        with pytest.raises(grpc.RpcError, match="cancelled"):
            lines(plugin, prefix, follow=True)
        assert time.monotonic() - began < 50
    finally:
        box.remove(force=True)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"name": "plugin-test-nobody"}, "there is no container"),
        ({"since": "yesterday"}, "no point in time"),
        ({"showStdout": False, "showStderr": False}, "both off"),
    ],
)
def test_logs_problems(plugin, talker, arguments, problem) -> None:
    with pytest.raises(grpc.RpcError, match=problem):
        lines(plugin, arguments.pop("name", talker), **arguments)


def test_network(plugin, client, busybox_image, prefix) -> None:
    pool = docker.types.IPAMPool(
        subnet="10.219.77.0/24", gateway="10.219.77.1", aux_addresses={"a": "10.219.77.9"}
    )
    network = client.networks.create(prefix, internal=True, ipam=docker.types.IPAMConfig(pool_configs=[pool]))
    box = client.containers.run(busybox_image, ["sleep", "60"], name=prefix, network=prefix, detach=True)
    try:
        found = plugin.invoke(NETWORK, {"name": prefix})
        assert found["id"] == network.id and found["driver"] == "bridge" and found["internal"] is True
        assert found["ipamConfigs"] == [
            {"subnet": "10.219.77.0/24", "gateway": "10.219.77.1", "auxAddress": {"a": "10.219.77.9"}}
        ]
        (attached,) = found["containers"]
        assert attached["containerId"] == box.id and attached["ipv4Address"].startswith("10.219.77.")
    finally:
        box.remove(force=True)
        network.remove()
    with pytest.raises(grpc.RpcError, match=f"there is no network.*{prefix}"):
        plugin.invoke(NETWORK, {"name": prefix})


def test_remote_image(plugin, client, busybox_image) -> None:
    found = plugin.invoke(IMAGE, {"name": busybox_image})
    assert found["id"] == client.images.get(busybox_image).id and found["repoDigest"] == ""
    with pytest.raises(grpc.RpcError, match="there is no image"):
        plugin.invoke(IMAGE, {"name": "plugin-test-none:1"})


def test_other_functions_are_refused_by_name(plugin) -> None:
    with pytest.raises(grpc.RpcError, match="getRegistryImage is not served"):
        plugin.invoke("docker:index/getRegistryImage:getRegistryImage", {"name": "a"})
