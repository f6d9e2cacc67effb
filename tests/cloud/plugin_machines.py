"""The alicloud plugin before a cloud whose machines move by the clock, and what an instance needs there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from emulator.access import AccessKey
from emulator.cloud import Cloud
from emulator.services.ecs.model_instances import Instance
from offline.provider import values
from offline.stubs import provider_pb2
from tests.cloud.machines import IMAGE, ZONE
from tests.cloud.plugins import running
from tests.cloud.running import Listener
from tests.docker.plugin import Made, PluginClient

INSTANCE = "alicloud:ecs/instance:Instance"
GROUP = "alicloud:ecs/securityGroup:SecurityGroup"
KEY = "alicloud:ecs/ecsKeyPair:EcsKeyPair"
POLICY = "alicloud:ecs/autoSnapshotPolicy:AutoSnapshotPolicy"
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBnNx2YvJ8v1rFh3QPJc8V2xkcv8uVX0m6eYV2tNY1Xk me@here"


@pytest.fixture
def plugin(moving: Cloud, key: AccessKey, server: Listener) -> Iterator[PluginClient]:
    with running(moving, key, server) as made:
        yield made


@pytest.fixture
def network(plugin: PluginClient) -> Made:
    return plugin.create("alicloud:vpc/network:Network", {"cidrBlock": "10.0.0.0/8"})


@pytest.fixture
def least(plugin: PluginClient, network: Made) -> dict[str, Any]:
    """The inputs that no instance can do without."""
    inside = {"vpcId": network.id, "zoneId": ZONE, "cidrBlock": "10.1.0.0/24"}
    return {
        "imageId": IMAGE,
        "instanceType": "ecs.c7.large",
        "vswitchId": plugin.create("alicloud:vpc/switch:Switch", inside).id,
        "securityGroups": [plugin.create(GROUP, {"vpcId": network.id}).id],
    }


def thing(cloud: Cloud, made: Made) -> Instance:
    """As the cloud has it."""
    found = cloud.store.get(Instance, made.id)
    assert found is not None
    return found


def calls(cloud: Cloud, *actions: str) -> list[str]:
    """Those of the actions that were called with success, in their order."""
    return [one.action for one in cloud.calls if one.action in actions and not one.code]


def preview(plugin: PluginClient, made: Made, inputs: dict[str, Any]) -> dict[str, Any]:
    """What a preview of an update foresees."""
    request = provider_pb2.UpdateRequest(
        urn=f"urn:pulumi:test::berth::{made.token}::{made.name}",
        type=made.token,
        id=made.id,
        olds=values.encode(made.state),
        news=values.encode(plugin.check(made.token, inputs, olds=made.inputs)),
        preview=True,
    )
    return values.decode(plugin.stub.Update(request).properties)
