"""Instances through the plugin. No engine: states move by the clock, fifty times as fast."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from emulator.cloud import Cloud
from emulator.services.ecs.model_instances import Disk
from tests.cloud.machines import moving, role
from tests.cloud.plugin_machines import (
    GROUP,
    INSTANCE,
    KEY,
    POLICY,
    PUBLIC,
    calls,
    least,
    network,
    plugin,
    thing,
)
from tests.cloud.plugins import REGION, Life, live
from tests.docker.plugin import Made, PluginClient, plain

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs

__all__ = ["least", "moving", "network", "plugin"]  # fixtures

SCRIPT = "#!/bin/sh\necho hello\n"
R = {"region_id": REGION}


def test_an_instance_lives(
    plugin: PluginClient, moving: Cloud, network: Made, least: dict[str, Any], ecs: Ecs
) -> None:
    from alibabacloud_ecs20140526 import models

    keys = [
        plugin.create(KEY, {"keyPairName": name, "publicKey": PUBLIC}, name=name).id for name in ("a1", "b2")
    ]
    other = plugin.create(GROUP, {"vpcId": network.id}, name="other").id

    def outside(made: Made) -> dict[str, Any]:
        asked = models.ModifyInstanceAttributeRequest(instance_id=made.id, instance_name="by-hand")
        ecs.modify_instance_attribute(asked)
        ecs.untag_resources(
            models.UntagResourcesRequest(**R, resource_type="instance", resource_id=[made.id], tag_key=["b"])
        )
        return {"instanceName": "by-hand", "tags": {}}

    live(
        plugin,
        Life(
            INSTANCE,
            {
                **least,
                "instanceName": "web",
                "hostName": "web-host",
                "description": "one",
                "keyName": keys[0],
                "instanceChargeType": "PostPaid",
                "internetMaxBandwidthOut": 0,
                "userData": base64.b64encode(SCRIPT.encode()).decode(),
                "systemDiskCategory": "cloud_essd",
                "systemDiskSize": 40,
                "systemDiskName": "system",
                "systemDiskEncrypted": True,
                "httpEndpoint": "enabled",
                "httpTokens": "required",
                "securityEnhancementStrategy": "Active",
                "deletionProtection": True,
                "roleName": role(moving, "builder"),
                "tags": {"a": "1"},
            },
            updated={
                "instanceName": "site",
                "hostName": "site-host",
                "description": "two",
                "keyName": keys[1],
                "userData": base64.b64encode(b"#!/bin/sh\n").decode(),
                "instanceType": "ecs.g7.xlarge",
                "securityGroups": [other],
                "systemDiskSize": 60,
                "systemDiskName": "root",
                "systemDiskPerformanceLevel": "PL1",
                "httpTokens": "optional",
                "maintenanceAction": "Stop",
                "maintenanceNotify": True,
                "maintenanceTime": {"startTime": "02:00:00Z", "endTime": "03:00:00Z"},
                "volumeTags": {"kept": "yes"},
                "deletionProtection": None,  # else it could not be deleted
                "tags": {"b": "2"},
            },
            replaced={
                "availabilityZone": f"{REGION}-i",
                "systemDiskCategory": "cloud_auto",
                "systemDiskEncrypted": False,
                "httpPutResponseHopLimit": 2,
                "dataDisks": [{"size": 20}],
            },
            outside=outside,
            hidden=frozenset({"internetMaxBandwidthOut", "roleName", "securityEnhancementStrategy"}),
            outputs=(
                "cpu", "createTime", "expiredTime", "memory", "networkInterfaceId", "osName", "osType",
                "primaryIpAddress", "privateIp", "resourceGroupId", "startTime", "status", "systemDiskId",
                "vpcId",
            ),
        ),
    )  # fmt: skip


def test_what_the_component_asks_for_is_made_and_shows_no_change(
    plugin: PluginClient, least: dict[str, Any], moving: Cloud
) -> None:
    inputs = {**least, "userData": SCRIPT, "instanceName": "web", "httpTokens": "required"}
    made = plugin.create(INSTANCE, inputs)
    assert thing(moving, made).user_data == base64.b64encode(SCRIPT.encode()).decode()
    assert made.state["userData"] == SCRIPT and made.state["status"] == "Running"
    assert made.inputs["__defaults"] == [
        "autoRenewPeriod", "dryRun", "forceDelete", "includeDataDisks", "periodUnit", "renewalStatus",
    ]  # fmt: skip
    again = plugin.read(made)
    assert again is not None and plain(again.state) == plain(made.state)
    for text in (SCRIPT, base64.b64encode(SCRIPT.encode()).decode()):  # one script, however it is written
        assert plugin.diff(again, {**inputs, "userData": text}).paths == {}
    imported = plugin.import_(INSTANCE, made.id)
    assert imported is not None and plugin.diff(imported, inputs).paths == {}


def test_other_user_data_need_a_restart_and_no_other_machine(
    plugin: PluginClient, least: dict[str, Any], moving: Cloud
) -> None:
    inputs = {**least, "userData": SCRIPT}
    made = plugin.create(INSTANCE, inputs)
    moving.calls.clear()
    wanted = {**inputs, "userData": "#cloud-config\n{}\n"}
    assert plugin.diff(made, wanted).paths == {"userData": "UPDATE"}
    changed = plugin.update(made, wanted)
    assert (changed.id, changed.state["userData"]) == (made.id, "#cloud-config\n{}\n")
    assert calls(moving, "ModifyInstanceAttribute", "StopInstance", "StartInstance") == [
        "ModifyInstanceAttribute",
        "StopInstance",
        "StartInstance",
    ]
    cleared = plugin.update(changed, least)
    assert thing(moving, cleared).user_data == "" and plugin.diff(cleared, least).paths == {}


def test_another_type_stops_and_starts_it(plugin: PluginClient, least: dict[str, Any], moving: Cloud) -> None:
    made = plugin.create(INSTANCE, least)
    wanted = {**least, "instanceType": "ecs.r7.large"}
    assert plugin.diff(made, wanted).paths == {"instanceType": "UPDATE"}
    made = plugin.update(made, wanted)
    assert (thing(moving, made).type, made.state["memory"]) == ("ecs.r7.large", 16384)
    order = ["StopInstance", "ModifyInstanceSpec", "StartInstance"]
    assert calls(moving, *order) == order


def test_it_is_stopped_and_started_as_it_is_wanted(
    plugin: PluginClient, least: dict[str, Any], moving: Cloud, ecs: Ecs
) -> None:
    from alibabacloud_ecs20140526 import models

    stopped = {**least, "status": "Stopped", "stoppedMode": "StopCharging"}
    made = plugin.create(INSTANCE, stopped)
    assert (made.state["status"], made.state["stoppedMode"]) == ("Stopped", "StopCharging")
    assert plugin.diff(made, stopped).paths == {}
    moving.calls.clear()
    made = plugin.update(made, {**stopped, "instanceType": "ecs.r7.large", "hostName": "a-name"})
    assert made.state["status"] == "Stopped" and calls(moving, "StopInstance", "StartInstance") == []

    made = plugin.update(made, {**least, "instanceType": "ecs.r7.large", "status": "Running"})
    assert made.state["status"] == "Running"
    ecs.stop_instance(models.StopInstanceRequest(instance_id=made.id))
    # Nothing that is said of its power is no difference, whoever has stopped it.
    drifted = plugin.read(made)
    while drifted is not None and drifted.state["status"] != "Stopped":
        drifted = plugin.read(made)
    assert drifted is not None
    assert plugin.diff(drifted, {**least, "instanceType": "ecs.r7.large"}).paths == {}
    assert plugin.diff(drifted, {**made.inputs, "status": "Running"}).paths == {"status": "UPDATE"}


def test_it_is_never_without_a_group(
    plugin: PluginClient, network: Made, least: dict[str, Any], moving: Cloud
) -> None:
    groups = [plugin.create(GROUP, {"vpcId": network.id}, name=f"g{i}").id for i in range(10)]
    made = plugin.create(INSTANCE, {**least, "securityGroups": groups[:5]})
    for wanted in (groups[5:], [groups[9], groups[0]], [groups[0]], [groups[1]]):
        made = plugin.update(made, {**least, "securityGroups": wanted})
        assert set(thing(moving, made).groups) == set(wanted)
        assert plugin.diff(made, {**least, "securityGroups": wanted[::-1]}).paths == {}


def test_data_disks_come_and_go_with_it(plugin: PluginClient, least: dict[str, Any], moving: Cloud) -> None:
    disks = [
        {"size": 30, "category": "cloud_essd", "performanceLevel": "PL1", "name": "data", "encrypted": True},
        {"size": 20, "deleteWithInstance": False},
    ]
    inputs = {**least, "dataDisks": disks}
    made = plugin.create(INSTANCE, inputs)
    held = {disk.size: disk for disk in moving.store.all(Disk) if not disk.system}
    assert (held[30].name, held[30].encrypted, held[30].with_instance) == ("data", True, True)
    assert (held[20].category, held[20].with_instance) == ("cloud_efficiency", False)
    assert plugin.diff(made, inputs).paths == {}
    assert plugin.diff(made, {**least, "dataDisks": disks[:1]}).replaces == ["dataDisks"]
    refreshed = plugin.read(made)
    assert refreshed is not None and plugin.diff(refreshed, inputs).paths == {}
    plugin.delete(made)
    assert [disk.size for disk in moving.store.all(Disk)] == [20]


def test_a_policy_of_snapshots_is_put_on_its_system_disk(plugin: PluginClient, least: dict[str, Any]) -> None:
    schedule = {"repeatWeekdays": ["1"], "timePoints": ["3"], "retentionDays": -1}
    policies = [plugin.create(POLICY, schedule, name=name).id for name in ("first", "second")]
    inputs = {**least, "systemDiskAutoSnapshotPolicyId": policies[0], "volumeTags": {"a": "1"}}
    made = plugin.create(INSTANCE, inputs)
    assert made.state["systemDiskAutoSnapshotPolicyId"] == policies[0]
    assert made.state["volumeTags"] == {"a": "1"}
    wanted = {**inputs, "systemDiskAutoSnapshotPolicyId": policies[1], "volumeTags": {"b": "2"}}
    made = plugin.update(made, wanted)
    assert plugin.diff(made, wanted).paths == {}


def test_what_makes_no_difference_without_a_public_address(
    plugin: PluginClient, least: dict[str, Any]
) -> None:
    made = plugin.create(INSTANCE, least)
    given = {**least, "internetChargeType": "PayByBandwidth", "internetMaxBandwidthIn": 10}
    assert plugin.diff(made, given).paths == {}
    assert set(plugin.diff(made, {**given, "internetMaxBandwidthOut": 5}).paths) == {
        "internetChargeType", "internetMaxBandwidthIn", "internetMaxBandwidthOut",
    }  # fmt: skip
