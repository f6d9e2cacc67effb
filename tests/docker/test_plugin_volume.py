"""Volumes through the plugin, on a real engine."""

from __future__ import annotations

import grpc
import pytest

from offline.docker.volume import Volume
from tests.docker.plugin import CheckFailed, plain

pytestmark = pytest.mark.docker
TOKEN = "docker:index/volume:Volume"


def test_volume_lives_and_goes(plugin, made, prefix, client) -> None:
    inputs = {"labels": [{"label": "b", "value": "2"}, {"label": "a", "value": "1"}]}
    volume = made(**inputs)
    assert volume.id == volume.state["name"] and volume.id.startswith(f"{prefix}-")
    assert volume.state["driver"] == "local" and volume.state["mountpoint"].endswith("/_data")
    assert client.volumes.get(volume.id).attrs["Labels"] == {"a": "1", "b": "2"}
    assert not plugin.diff(volume, inputs)
    refreshed = plugin.read(volume)
    assert refreshed is not None and not plugin.diff(refreshed, inputs)
    plugin.delete(volume)
    assert plugin.read(volume) is None


def test_driver_options(plugin, made, client) -> None:
    inputs = {"driver": "local", "driverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}}
    volume = made(**inputs)
    assert client.volumes.get(volume.id).attrs["Options"] == inputs["driverOpts"]
    assert not plugin.diff(volume, inputs)
    changed = plugin.diff(volume, {"driver": "local", "driverOpts": {**inputs["driverOpts"], "o": "size=2m"}})
    assert changed.paths == {"driverOpts.o": "UPDATE_REPLACE"} and changed.replaces == ["driverOpts"]


def test_a_volume_that_exists_is_not_taken_over(plugin, prefix, client) -> None:
    client.volumes.create(prefix)
    try:
        with pytest.raises(grpc.RpcError, match="exists already"):
            plugin.create(TOKEN, {"name": prefix})
    finally:
        client.volumes.get(prefix).remove()


def test_a_volume_of_a_stack_that_lost_its_state_is_used_again_when_asked(
    plugin, made, prefix, client, monkeypatch
) -> None:
    labels = {"berth.service": "db", "berth.stack": prefix, "berth.system": "shop"}
    inputs = {"name": f"{prefix}-data", "labels": [{"label": k, "value": v} for k, v in labels.items()]}
    client.volumes.create(f"{prefix}-data", labels=labels)
    with pytest.raises(grpc.RpcError, match="exists already"):
        plugin.create(TOKEN, inputs, name=prefix)
    monkeypatch.setenv("BERTH_ADOPT_VOLUMES", f"other,{prefix}-data")
    volume = made(**inputs)
    assert volume.id == f"{prefix}-data" and not plugin.diff(volume, inputs)
    Volume().undo(None, volume.id, volume.state)
    assert client.volumes.get(volume.id), "what was adopted is not taken back"
    other = [{"label": "berth.stack", "value": f"{prefix}-other"}]
    with pytest.raises(grpc.RpcError, match="is not as this stack makes it"):
        plugin.create(TOKEN, inputs | {"labels": other}, name=prefix)


def test_import(plugin, prefix, client) -> None:
    client.volumes.create(prefix, labels={"x": "y"})
    try:
        found = plugin.import_(TOKEN, prefix)
        assert found is not None
        assert plain(found.inputs) == {
            "name": prefix,
            "driver": "local",
            "labels": [{"label": "x", "value": "y"}],
        }
        assert not plugin.diff(found, {"name": prefix, "labels": [{"label": "x", "value": "y"}]})
    finally:
        client.volumes.get(prefix).remove()


def test_volume_in_use_is_not_removed(plugin, made, client, busybox_image) -> None:
    volume = made()
    box = client.containers.create(busybox_image, "true", volumes=[f"{volume.id}:/data"])
    try:
        with pytest.raises(grpc.RpcError, match="in use"):
            plugin.delete(volume, timeout=1)
    finally:
        box.remove(force=True)


def test_cluster_is_refused_by_name(plugin) -> None:
    with pytest.raises(CheckFailed) as refused:
        plugin.check(TOKEN, {"cluster": {"scope": "single"}})
    assert "official plugin" in refused.value.failures["cluster"]


def test_renaming_replaces(plugin, made, prefix) -> None:
    volume = made(name=prefix)
    changed = plugin.diff(volume, {"name": f"{prefix}-new"})
    assert changed.paths == {"name": "UPDATE_REPLACE"}
