"""Instances through the plugin: what is refused, what fails half-way, and what stays secret."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from emulator.access import AccessKey
from emulator.api.faults import Fault
from emulator.cloud import Cloud
from emulator.services.ecs.model_instances import Disk, Instance
from offline.provider.values import Secret
from tests.cloud.machines import IMAGE, moving
from tests.cloud.plugin_machines import (
    GROUP,
    INSTANCE,
    calls,
    least,
    network,
    plugin,
    preview,
    thing,
)
from tests.cloud.plugins import running
from tests.cloud.running import Listener
from tests.docker.plugin import UNKNOWN, CheckFailed, Made, PluginClient

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs

__all__ = ["least", "moving", "network", "plugin"]  # fixtures

OTHER_IMAGE = "ubuntu_24_04_x64_20G_alibase_20250630.vhd"


def test_a_type_that_is_not_to_be_had_does_not_leave_it_down(
    plugin: PluginClient, least: dict[str, Any], moving: Cloud
) -> None:
    made = plugin.create(INSTANCE, least)
    moving.faults.order(
        Fault(action="ModifyInstanceSpec", times=1, code="OperationDenied.NoStock", status=403)
    )
    with pytest.raises(grpc.RpcError, match=r"NoStock(.|\n)*choose another zone"):
        plugin.update(made, {**least, "instanceType": "ecs.r7.large"})
    assert (thing(moving, made).status, thing(moving, made).type) == ("Running", "ecs.c7.large")


def test_a_protected_one_is_kept_and_the_way_out_is_told(
    plugin: PluginClient, least: dict[str, Any], moving: Cloud
) -> None:
    made = plugin.create(INSTANCE, {**least, "deletionProtection": True})
    with pytest.raises(grpc.RpcError, match=r"DeletionProtection(.|\n)*fix: set deletionProtection to false"):
        plugin.delete(made)
    assert thing(moving, made).status == "Running"
    plugin.delete(plugin.update(made, least))
    assert moving.store.all(Instance) == [] and moving.store.all(Disk) == []


def test_a_password_stays_secret(plugin: PluginClient, least: dict[str, Any], moving: Cloud) -> None:
    inputs = {**least, "password": "Correct-horse-1"}
    made = plugin.create(INSTANCE, inputs)  # plain in the program: a secret in the state nevertheless
    assert made.state["password"] == Secret("Correct-horse-1")
    refreshed = plugin.read(made)
    assert refreshed is not None and refreshed.state["password"] == Secret("Correct-horse-1")
    assert plugin.diff(refreshed, inputs).paths == {}
    assert plugin.diff(refreshed, least).paths == {}  # nothing takes a password away
    moving.calls.clear()
    made = plugin.update(refreshed, {**least, "password": Secret("Battery-staple-2")})
    assert made.state["password"] == Secret("Battery-staple-2")
    assert calls(moving, "StopInstance", "StartInstance") == ["StopInstance", "StartInstance"]
    with pytest.raises(grpc.RpcError, match=r"InvalidPassword\.Malformed") as failed:
        plugin.create(INSTANCE, {**least, "password": Secret("too simple")}, name="second")
    assert "too simple" not in failed.value.details()


def test_what_cannot_change_in_place_is_told_before_anything_is_done(
    plugin: PluginClient, least: dict[str, Any], moving: Cloud
) -> None:
    made = plugin.create(INSTANCE, least)
    wanted = {**least, "imageId": OTHER_IMAGE, "instanceName": "new"}
    # The engine makes a replacement of it where the program asks for that.
    assert plugin.diff(made, wanted).paths == {"imageId": "UPDATE", "instanceName": "UPDATE"}
    for attempt in (preview, lambda plugin, made, wanted: plugin.update(made, wanted)):
        with pytest.raises(
            grpc.RpcError, match=r"imageId of instance i-\w+ cannot change in place"
        ) as failed:
            attempt(plugin, made, wanted)
        assert 'replace_on_changes=["imageId"]' in failed.value.details()
    assert thing(moving, made).name != "new"
    assert preview(plugin, made, {**least, "imageId": UNKNOWN})["imageId"] is UNKNOWN
    for name, value in {"vswitchId": "vsw-other", "privateIp": "10.1.0.9", "roleName": "other"}.items():
        with pytest.raises(grpc.RpcError, match=f"{name} of instance"):
            preview(plugin, made, {**least, name: value})


def test_another_image_is_another_machine_where_the_provider_is_told_so(
    moving: Cloud, key: AccessKey, server: Listener, plugin: PluginClient, least: dict[str, Any]
) -> None:
    made = plugin.create(INSTANCE, least)
    with running(moving, key, server, features={"ecsInstance": {"replaceOnImageUpdate": True}}) as replacing:
        assert replacing.diff(made, {**least, "imageId": OTHER_IMAGE}).replaces == ["imageId"]
        assert replacing.diff(made, least).paths == {}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("imageId", None, "is required"),
        ("securityGroups", [], "is required"),
        ("instanceType", "c7.large", "must begin with 'ecs.'"),
        ("instanceChargeType", "PrePaid", "only PostPaid is served"),
        ("dryRun", True, "use `pulumi preview`"),
        ("spotStrategy", "SpotAsPriceGo", "not at the spot market's"),
        ("status", "Rebooting", "must be one of Running, Stopped"),
        ("httpTokens", "maybe", "must be one of optional, required"),
        ("period", 1, "only subscriptions have it"),
        ("launchTemplateId", "lt-1", "launch templates are not served"),
        ("vpcId", "vpc-1", "give vswitchId"),
    ],
)
def test_an_instance_that_cannot_be_is_told(plugin: PluginClient, name: str, value: Any, reason: str) -> None:
    given = {
        "imageId": IMAGE, "instanceType": "ecs.c7.large", "vswitchId": "vsw-1", "securityGroups": ["sg-1"],
        name: value,
    }  # fmt: skip
    with pytest.raises(CheckFailed) as failed:
        plugin.check(INSTANCE, {key: one for key, one in given.items() if one is not None})
    assert reason in failed.value.failures[name]


def test_a_data_disk_that_cannot_be_is_told(plugin: PluginClient) -> None:
    given = {
        "imageId": IMAGE,
        "instanceType": "ecs.c7.large",
        "vswitchId": "vsw-1",
        "securityGroups": ["sg-1"],
    }
    with pytest.raises(CheckFailed) as failed:
        plugin.check(INSTANCE, {**given, "dataDisks": [{"size": 20}, {"size": 20, "category": "tape"}]})
    assert "must be one of cloud" in failed.value.failures["dataDisks[1].category"]


def test_a_machine_that_never_gets_ready_is_no_orphan(
    plugin: PluginClient, least: dict[str, Any], moving: Cloud
) -> None:
    moving.pace = 1000
    with pytest.raises(grpc.RpcError, match=r"is made, but not as wanted: timed out .* to be Running"):
        plugin.create(INSTANCE, least, timeout=1)
    [kept] = moving.store.all(Instance)
    moving.pace = 0.02
    plugin.delete(Made(INSTANCE, "test", kept.id, least, {}))
    assert moving.store.all(Instance) == []


def test_a_lost_answer_makes_no_second_machine(
    plugin: PluginClient, least: dict[str, Any], moving: Cloud
) -> None:
    moving.faults.order(Fault(action="RunInstances", times=2, cut=True))
    made = plugin.create(INSTANCE, least)
    assert [one.id for one in moving.store.all(Instance)] == [made.id]


def test_deletion_waits_for_a_machine_that_is_just_starting(
    plugin: PluginClient, least: dict[str, Any], moving: Cloud, ecs: Ecs
) -> None:
    from alibabacloud_ecs20140526 import models

    made = plugin.create(INSTANCE, least)
    moving.pace = 1
    ecs.reboot_instance(models.RebootInstanceRequest(instance_id=made.id))
    done = threading.Thread(target=plugin.delete, args=(made,))
    done.start()
    done.join(20)
    assert moving.store.all(Instance) == []
    assert "IncorrectInstanceStatus.Initializing" in {one.code for one in moving.calls}


def test_lost_answers_on_the_way_are_no_failure(
    plugin: PluginClient, network: Made, least: dict[str, Any], moving: Cloud
) -> None:
    made = plugin.create(INSTANCE, least)
    other = plugin.create(GROUP, {"vpcId": network.id}, name="other").id
    actions = ("JoinSecurityGroup", "LeaveSecurityGroup", "ResizeDisk", "StopInstance", "ModifyInstanceSpec")
    for action in (*actions, "StartInstance"):
        moving.faults.order(Fault(action=action, times=1, cut=True))
    wanted = {**least, "securityGroups": [other], "instanceType": "ecs.r7.large", "systemDiskSize": 50}
    made = plugin.update(made, wanted)
    assert (made.state["status"], made.state["instanceType"]) == ("Running", "ecs.r7.large")
    assert plugin.diff(made, wanted).paths == {}
