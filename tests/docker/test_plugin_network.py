"""Networks through the plugin, on a real engine."""

from __future__ import annotations

import docker
import grpc
import pytest

from tests.docker.plugin import plain

pytestmark = pytest.mark.docker
TOKEN = "docker:index/network:Network"


def test_network_gets_an_automatic_name_and_its_outputs(plugin, made, prefix, client) -> None:
    net = made()
    assert net.state["name"].startswith(f"{prefix}-") and len(net.state["name"]) == len(prefix) + 8
    found = client.networks.get(net.id)
    assert found.name == net.state["name"]
    assert (
        net.state["driver"] == "bridge" and net.state["scope"] == "local" and net.state["internal"] is False
    )
    assert net.state["ipamConfigs"][0]["subnet"] == found.attrs["IPAM"]["Config"][0]["Subnet"]
    assert net.inputs["__defaults"] == ["ipamDriver", "name"]
    assert net.state["__meta"] == '{"schema_version":"1"}'


def test_nothing_changed_is_no_difference(plugin, made) -> None:
    inputs = {
        "labels": [{"label": "b", "value": "2"}, {"label": "a", "value": "1"}],
        "options": {"com.docker.network.bridge.enable_icc": "false"},
        "ipamConfigs": [
            {"subnet": "10.231.7.0/24", "gateway": "10.231.7.1", "auxAddress": {"router": "10.231.7.9"}}
        ],
        "internal": True,
    }
    net = made(**inputs)
    assert not plugin.diff(net, inputs)
    inputs["labels"].reverse()
    assert not plugin.diff(net, inputs)
    refreshed = plugin.read(net)
    assert refreshed is not None
    assert plain(refreshed.state) == plain(net.state)
    assert not plugin.diff(refreshed, inputs)


def test_every_change_needs_a_new_network(plugin, made) -> None:
    net = made(ipamConfigs=[{"subnet": "10.231.8.0/24"}], labels=[{"label": "a", "value": "1"}])
    changed = plugin.diff(
        net, {"ipamConfigs": [{"subnet": "10.231.9.0/24"}], "labels": [{"label": "a", "value": "2"}]}
    )
    assert changed.paths == {"ipamConfigs[0]": "UPDATE_REPLACE", "labels[0]": "UPDATE_REPLACE"}
    assert changed.replaces == ["ipamConfigs", "labels"]
    assert not changed.delete_before_replace  # the automatic name lets both live


def test_a_name_of_its_own_is_deleted_before_it_is_replaced(plugin, made, prefix) -> None:
    net = made(name=prefix)
    assert plugin.diff(net, {"name": prefix, "internal": True}).delete_before_replace
    assert plugin.diff(net, {"name": prefix, "internal": True}, ignore=["internal"]).paths == {}


def test_foreign_network_of_that_name_is_not_touched(plugin, prefix, client) -> None:
    foreign = client.networks.create(prefix)
    try:
        with pytest.raises(grpc.RpcError, match="exists already"):
            plugin.create(TOKEN, {"name": prefix})
        assert client.networks.get(foreign.id)
    finally:
        foreign.remove()


def test_refresh_sees_what_happened_outside(plugin, made, prefix, client) -> None:
    net = made(name=prefix)
    client.networks.get(net.id).remove()
    assert plugin.read(net) is None
    plugin.delete(net)  # gone already: no error


@pytest.mark.parametrize("by", ["id", "name"])
def test_import(plugin, prefix, client, by) -> None:
    made = client.networks.create(prefix, labels={"x": "y"}, internal=True)
    try:
        found = plugin.import_(TOKEN, made.id if by == "id" else prefix)
        assert found is not None and found.id == made.id
        assert plain(found.inputs)["name"] == prefix and found.inputs["internal"] is True
        assert not plugin.diff(found, plain(found.inputs))
        assert not plugin.diff(
            found, {"name": prefix, "internal": True, "labels": [{"label": "x", "value": "y"}]}
        )
    finally:
        made.remove()


def test_deletion_waits_for_containers_and_names_them(plugin, made, client, busybox_image) -> None:
    net = made()
    box = client.containers.run(
        busybox_image, "sleep 60", detach=True, network=net.state["name"], name=f"{net.name}-c"
    )
    try:
        with pytest.raises(grpc.RpcError, match=f"{net.name}-c"):
            plugin.delete(net, timeout=1)
    finally:
        box.remove(force=True)


def test_engine_networks_are_refused(plugin) -> None:
    from tests.docker.plugin import CheckFailed

    with pytest.raises(CheckFailed, match="belongs to the engine"):
        plugin.check(TOKEN, {"name": "host"})


def test_subnet_that_overlaps_is_told(plugin, made, prefix, client: docker.DockerClient) -> None:
    made(ipamConfigs=[{"subnet": "10.231.10.0/24"}])
    with pytest.raises(grpc.RpcError, match="overlaps"):
        plugin.create(TOKEN, {"name": f"{prefix}-2", "ipamConfigs": [{"subnet": "10.231.10.0/24"}]})
