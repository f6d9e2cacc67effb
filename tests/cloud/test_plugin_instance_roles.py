"""RAM roles of instances through the plugin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from alibabacloud_ecs20140526 import models as m

from emulator.api.faults import Fault
from emulator.cloud import Cloud
from tests.cloud.machines import R, moving, role
from tests.cloud.plugin_machines import INSTANCE, least, network, plugin
from tests.cloud.plugins import Life, live
from tests.docker.plugin import UNKNOWN, CheckFailed, PluginClient

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs

__all__ = ["least", "moving", "network", "plugin"]  # fixtures

ON_ONE = "alicloud:ecs/ramRoleAttachment:RamRoleAttachment"
ON_SEVERAL = "alicloud:ram/roleAttachment:RoleAttachment"
POLICY = '{"Version":"1","Statement":[{"Action":"oss:Get*","Effect":"Allow","Resource":"*"}]}'


@pytest.fixture
def machines(plugin: PluginClient, moving: Cloud, least: dict[str, Any]) -> list[str]:
    """Two, and two roles: builder and reader."""
    role(moving, "builder")
    role(moving, "reader")
    return [plugin.create(INSTANCE, least, name=name).id for name in ("one", "two")]


def holders(ecs: Ecs, name: str) -> set[str]:
    asked = m.DescribeInstanceRamRoleRequest(**R, ram_role_name=name)
    found = ecs.describe_instance_ram_role(asked).body.instance_ram_role_sets.instance_ram_role_set
    return {one.instance_id for one in found}


def test_one_on_a_machine_lives(plugin: PluginClient, ecs: Ecs, machines: list[str]) -> None:
    live(
        plugin,
        Life(
            ON_ONE,
            {"instanceId": machines[0], "ramRoleName": "builder", "policy": POLICY},
            replaced={
                "instanceId": machines[1],
                "ramRoleName": "reader",
                "policy": POLICY.replace("Get", "Put"),
            },
            hidden=frozenset({"policy"}),
        ),
    )
    assert holders(ecs, "builder") == set()


def test_one_on_several_machines_lives(plugin: PluginClient, ecs: Ecs, machines: list[str]) -> None:
    live(
        plugin,
        Life(
            ON_SEVERAL,
            {"roleName": "builder", "instanceIds": machines},
            replaced={"roleName": "reader", "instanceIds": [machines[0]]},
        ),
    )
    made = plugin.create(ON_SEVERAL, {"roleName": "builder", "instanceIds": machines})
    turned = {"roleName": "builder", "instanceIds": machines[::-1]}
    assert plugin.diff(made, turned).paths == {}
    assert holders(ecs, "builder") == set(machines)
    detached = m.DetachInstanceRamRoleRequest(**R, instance_ids=f'["{machines[0]}"]', ram_role_name="builder")
    ecs.detach_instance_ram_role(detached)
    seen = plugin.read(made)
    assert seen is not None and seen.state["instanceIds"] == [machines[1]]
    assert plugin.diff(seen, turned).replaces == ["instanceIds"]
    plugin.delete(seen)
    assert holders(ecs, "builder") == set()


def test_a_machine_keeps_the_role_that_it_has(plugin: PluginClient, ecs: Ecs, machines: list[str]) -> None:
    plugin.create(ON_ONE, {"instanceId": machines[0], "ramRoleName": "reader"})
    with pytest.raises(grpc.RpcError, match=rf"{machines[0]}: The instance has a RAM role already") as failed:
        plugin.create(ON_ONE, {"instanceId": machines[0], "ramRoleName": "builder"}, name="second")
    assert "take the role off" in failed.value.details()
    assert holders(ecs, "reader") == {machines[0]}


@pytest.mark.parametrize("token", [ON_ONE, ON_SEVERAL])
def test_one_whose_answer_is_lost_is_made_once(
    plugin: PluginClient, ecs: Ecs, moving: Cloud, machines: list[str], token: str
) -> None:
    moving.faults.order(Fault(action="AttachInstanceRamRole", times=1, cut=True))
    inputs = {
        ON_ONE: {"instanceId": machines[0], "ramRoleName": "builder"},
        ON_SEVERAL: {"roleName": "builder", "instanceIds": [machines[0]]},
    }[token]
    made = plugin.create(token, inputs)
    assert plugin.diff(made, inputs).paths == {}
    assert holders(ecs, "builder") == {machines[0]}


def test_its_policy_is_the_same_however_it_is_written(plugin: PluginClient, machines: list[str]) -> None:
    inputs = {"instanceId": machines[0], "ramRoleName": "builder", "policy": POLICY}
    made = plugin.create(ON_ONE, inputs)
    assert plugin.diff(made, {**inputs, "policy": json.dumps(json.loads(POLICY), indent=1)}).paths == {}


@pytest.mark.parametrize(
    ("token", "inputs", "said"),
    [
        (ON_ONE, {"instanceId": "i-1", "ramRoleName": "r", "policy": "{"}, "is no JSON"),
        (ON_SEVERAL, {"roleName": "r", "instanceIds": []}, "names no instance"),
    ],
)
def test_bad_input_is_refused(plugin: PluginClient, token: str, inputs: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckFailed, match=said):
        plugin.check(token, inputs)
    unknown = dict.fromkeys(inputs, UNKNOWN)
    assert plugin.check(token, unknown), "what is not known yet is not refused"


@pytest.mark.parametrize(
    ("token", "id", "form"),
    [
        (ON_ONE, "builder", "INSTANCE:ROLE"),
        (ON_SEVERAL, "builder:i-1", "ROLE:"),
        (ON_SEVERAL, "builder:[]", "ROLE:"),
    ],
)
def test_an_id_of_another_form_is_told(plugin: PluginClient, token: str, id: str, form: str) -> None:
    with pytest.raises(grpc.RpcError, match=f"is no id of an attachment\n  fix: it is {form}"):
        plugin.import_(token, id)
