"""Disks, what is attached to what, and the function that finds instances, through the plugin."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from emulator.api.faults import Fault
from emulator.cloud import Cloud
from emulator.services.ecs.model_instances import Disk, Instance
from tests.cloud.machines import ZONE, moving, role
from tests.cloud.plugin_machines import INSTANCE, KEY, POLICY, PUBLIC, least, network, plugin
from tests.cloud.plugins import REGION, Life, live
from tests.docker.plugin import UNKNOWN, CheckFailed, Made, PluginClient, plain

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs

__all__ = ["least", "moving", "network", "plugin"]  # fixtures

DISK = "alicloud:ecs/ecsDisk:EcsDisk"
DISK_ATTACHMENT = "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment"
KEY_ATTACHMENT = "alicloud:ecs/ecsKeyPairAttachment:EcsKeyPairAttachment"
POLICY_ATTACHMENT = "alicloud:ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment"
GET_INSTANCES = "alicloud:ecs/getInstances:getInstances"
DATA = {"zoneId": ZONE, "size": 20}
R = {"region_id": REGION}


@pytest.fixture
def machine(plugin: PluginClient, least: dict[str, Any]) -> Made:
    return plugin.create(INSTANCE, {**least, "instanceName": "web", "tags": {"team": "a"}})


@pytest.fixture
def pair(plugin: PluginClient) -> str:
    return plugin.create(KEY, {"keyPairName": "ops", "publicKey": PUBLIC}).id


def test_a_disk_lives(plugin: PluginClient, ecs: Ecs) -> None:
    from alibabacloud_ecs20140526 import models

    def outside(made: Made) -> dict[str, Any]:
        ecs.modify_disk_attribute(
            models.ModifyDiskAttributeRequest(
                **R, disk_id=made.id, description="by hand", disk_name="hand", delete_with_instance=False
            )
        )
        return {"description": "by hand", "diskName": "hand", "deleteWithInstance": False}

    live(
        plugin,
        Life(
            DISK,
            {
                "zoneId": ZONE,
                "size": 40,
                "category": "cloud_essd",
                "performanceLevel": "PL1",
                "diskName": "data",
                "description": "one",
                "encrypted": True,
                "deleteWithInstance": False,
                "deleteAutoSnapshot": True,
                "paymentType": "PayAsYouGo",
                "tags": {"a": "1"},
            },
            updated={
                "size": 100,
                "category": "cloud_auto",
                "performanceLevel": None,
                "diskName": "other",
                "description": "two",
                "deleteAutoSnapshot": False,
                "deleteWithInstance": True,
                "tags": {"b": "2"},
            },
            replaced={"zoneId": f"{REGION}-i", "encrypted": False},
            outside=outside,
            hidden=frozenset({"deleteWithInstance"}),
            outputs=("createTime", "regionId", "resourceGroupId", "status"),
        ),
    )


def test_a_disk_of_a_snapshot_lives(plugin: PluginClient, ecs: Ecs) -> None:
    from alibabacloud_ecs20140526 import models

    source = plugin.create(DISK, {**DATA, "size": 30}, name="source")

    def snapshot() -> str:
        made: str = ecs.create_snapshot(models.CreateSnapshotRequest(disk_id=source.id)).body.snapshot_id
        asked = models.DescribeSnapshotsRequest(**R, snapshot_ids=json.dumps([made]))
        for _ in range(200):
            if ecs.describe_snapshots(asked).body.snapshots.snapshot[0].available:
                return made
            time.sleep(0.02)
        raise AssertionError(f"{made} is never whole")

    first, second = snapshot(), snapshot()
    live(
        plugin,
        Life(
            DISK,
            {"zoneId": ZONE, "snapshotId": first},
            updated={"size": 40},
            replaced={"snapshotId": second},
            outputs=("size", "status"),
        ),
    )


def test_a_level_of_performance_is_changed_in_place(plugin: PluginClient) -> None:
    essd = {**DATA, "size": 500, "category": "cloud_essd", "performanceLevel": "PL1"}
    made = plugin.create(DISK, essd)
    faster = {**essd, "performanceLevel": "PL2"}
    assert plugin.diff(made, faster).paths == {"performanceLevel": "UPDATE"}
    made = plugin.update(made, faster)
    assert made.state["performanceLevel"] == "PL2" and plugin.diff(made, faster).paths == {}
    with pytest.raises(grpc.RpcError, match=r"ModifyDiskSpec: InvalidDiskCategory\.NotSupported"):
        plugin.update(made, {**DATA, "size": 500, "category": "cloud_efficiency"})
    # No other category has levels, so that to name one makes no difference there.
    other = plugin.create(DISK, DATA, name="other")
    assert other.state["category"] == "cloud_efficiency"
    assert plugin.diff(other, {**DATA, "performanceLevel": "PL2"}).paths == {}


def test_how_a_disk_is_resized_is_no_difference(plugin: PluginClient) -> None:
    made = plugin.create(DISK, DATA)
    assert plugin.diff(made, {**DATA, "type": "online"}).paths == {}
    made = plugin.update(made, {**DATA, "size": 30, "type": "online"})
    assert made.state["size"] == 30
    with pytest.raises(grpc.RpcError, match=r"InvalidDiskSize\.TooSmall"):
        plugin.update(made, DATA)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("size", None, "is required"),
        ("zoneId", None, "one of zoneId, availabilityZone"),
        ("category", "tape", "must be one of cloud"),
        ("paymentType", "Subscription", "only PayAsYouGo is served"),
        ("name", "x", "conflicts with name"),
        ("instanceId", "i-1", "attach it with an EcsDiskAttachment"),
        ("dryRun", True, "use `pulumi preview`"),
    ],
)
def test_a_disk_that_cannot_be_is_told(plugin: PluginClient, name: str, value: Any, reason: str) -> None:
    given = {**DATA, "diskName": "data", name: value}
    with pytest.raises(CheckFailed) as failed:
        plugin.check(DISK, {key: one for key, one in given.items() if one is not None})
    assert reason in " ".join(failed.value.failures.values())


def test_a_disk_is_attached_and_detached(
    plugin: PluginClient, machine: Made, moving: Cloud, ecs: Ecs
) -> None:
    from alibabacloud_ecs20140526 import models

    disk = plugin.create(DISK, {**DATA, "deleteAutoSnapshot": True})

    def outside(made: Made) -> dict[str, Any]:
        asked = models.ModifyDiskAttributeRequest(**R, disk_id=disk.id, delete_with_instance=False)
        ecs.modify_disk_attribute(asked)
        return {"deleteWithInstance": False}

    life = Life(
        DISK_ATTACHMENT,
        {"diskId": disk.id, "instanceId": machine.id},
        updated={"deleteWithInstance": True},
        replaced={"instanceId": UNKNOWN},
        outside=outside,
        outputs=("device",),
    )
    live(plugin, life)
    kept = moving.store.get(Disk, disk.id)
    assert kept is not None and (kept.status, kept.instance) == ("Available", "")
    made = plugin.create(DISK_ATTACHMENT, life.inputs)
    assert made.id == f"{disk.id}:{machine.id}" and made.state["device"] == "/dev/xvdb"
    refreshed = plugin.read(disk)
    assert refreshed is not None and refreshed.state["instanceId"] == machine.id
    assert plugin.diff(refreshed, {**DATA, "deleteAutoSnapshot": True}).paths == {}


def test_a_disk_goes_over_to_another_machine(
    plugin: PluginClient, machine: Made, least: dict[str, Any], moving: Cloud
) -> None:
    """As it does when a machine is replaced: what holds it still is waited for."""
    other = plugin.create(INSTANCE, least, name="other")
    disk = plugin.create(DISK, DATA)
    first = plugin.create(DISK_ATTACHMENT, {"diskId": disk.id, "instanceId": machine.id})
    leaving = threading.Timer(0.5, plugin.delete, (first,))
    leaving.start()
    plugin.create(DISK_ATTACHMENT, {"diskId": disk.id, "instanceId": other.id}, name="second")
    leaving.join()
    held = moving.store.get(Disk, disk.id)
    assert held is not None and (held.instance, held.status) == (other.id, "In_use")
    assert "IncorrectDiskStatus" in {one.code for one in moving.calls if one.action == "AttachDisk"}
    assert plugin.read(first) is None


def test_a_lost_answer_attaches_once(plugin: PluginClient, machine: Made, moving: Cloud) -> None:
    disk = plugin.create(DISK, DATA)
    moving.faults.order(Fault(action="AttachDisk", times=1, cut=True))
    made = plugin.create(DISK_ATTACHMENT, {"diskId": disk.id, "instanceId": machine.id})
    assert len([one for one in moving.calls if one.action == "AttachDisk"]) == 1
    assert plugin.read(made) is not None


def test_only_a_system_disk_boots(plugin: PluginClient) -> None:
    given = {"diskId": "d-1", "instanceId": "i-1"}
    for more in ({"bootable": True}, {"keyPairName": "ops"}, {"password": "x"}):
        with pytest.raises(CheckFailed, match="attach data disks"):
            plugin.check(DISK_ATTACHMENT, given | more)


def test_a_key_pair_is_put_on_machines(
    plugin: PluginClient, machine: Made, least: dict[str, Any], pair: str, moving: Cloud
) -> None:
    other = plugin.create(INSTANCE, least, name="other")
    both = sorted([machine.id, other.id])
    inputs = {"keyPairName": pair, "instanceIds": both[::-1]}
    made = plugin.create(KEY_ATTACHMENT, inputs)
    assert made.id == f"{pair}:{json.dumps(both, separators=(',', ':'))}"
    assert {one.key_pair for one in moving.store.all(Instance)} == {pair}
    assert plugin.diff(made, {**inputs, "instanceIds": both}).paths == {}
    assert plugin.diff(made, {**inputs, "instanceIds": [other.id]}).replaces == ["instanceIds"]
    refreshed = plugin.read(machine)
    assert refreshed is not None and refreshed.state["keyName"] == pair
    plugin.delete(made)
    assert {one.key_pair for one in moving.store.all(Instance)} == {""}
    live(
        plugin,
        Life(
            KEY_ATTACHMENT,
            {"keyPairName": pair, "instanceIds": [machine.id], "force": True},
            replaced={"instanceIds": UNKNOWN, "force": False},
            hidden=frozenset({"force"}),
        ),
    )
    assert [one.action for one in moving.calls if one.action == "RebootInstance"] == ["RebootInstance"]


def test_a_key_pair_that_one_machine_lost_is_no_attachment_any_more(
    plugin: PluginClient, machine: Made, pair: str, ecs: Ecs
) -> None:
    from alibabacloud_ecs20140526 import models

    made = plugin.create(KEY_ATTACHMENT, {"keyPairName": pair, "instanceIds": [machine.id]})
    ecs.detach_key_pair(
        models.DetachKeyPairRequest(**R, key_pair_name=pair, instance_ids=json.dumps([machine.id]))
    )
    assert plugin.read(made) is None
    with pytest.raises(grpc.RpcError, match=r"is no id of an attachment\n  fix: it is NAME:"):
        plugin.import_(KEY_ATTACHMENT, f"{pair}:{machine.id}")


def test_a_policy_of_snapshots_is_put_on_a_disk(plugin: PluginClient) -> None:
    schedule = {"repeatWeekdays": ["1"], "timePoints": ["3"], "retentionDays": -1}
    policy = plugin.create(POLICY, schedule)
    disk = plugin.create(DISK, DATA)
    live(
        plugin,
        Life(
            POLICY_ATTACHMENT,
            {"autoSnapshotPolicyId": policy.id, "diskId": disk.id},
            replaced={"autoSnapshotPolicyId": UNKNOWN, "diskId": UNKNOWN},
            outputs=("regionId",),
        ),
    )


def test_instances_are_found(
    plugin: PluginClient, moving: Cloud, machine: Made, least: dict[str, Any], tmp_path: Path
) -> None:
    named = {"instanceName": "db", "roleName": role(moving, "builder")}
    other = plugin.create(INSTANCE, {**least, **named}, name="other")
    both = plugin.invoke(GET_INSTANCES, {})
    assert sorted(both["ids"]) == sorted([machine.id, other.id]) and both["totalCount"] == 2
    assert sorted(both["names"]) == ["db", "web"]

    file = tmp_path / "found.json"
    [web] = plugin.invoke(GET_INSTANCES, {"nameRegex": "^w", "outputFile": str(file)})["instances"]
    state = plain(machine.state)
    told = {
        "availabilityZone", "imageId", "instanceType", "privateIp", "resourceGroupId", "securityGroups",
        "status", "tags", "vpcId", "vswitchId",
    }  # fmt: skip
    assert {name: web[name] for name in told} == {name: state[name] for name in told}
    assert (web["id"], web["name"], web["ramRoleName"], web["publicIp"]) == (machine.id, "web", "", "")
    [disk] = web["diskDeviceMappings"]
    assert (disk["diskId"], disk["type"], disk["size"]) == (state["systemDiskId"], "system", 40)
    assert json.loads(file.read_text("utf-8"))[0]["id"] == machine.id

    for asked, found in (
        ({"ids": [machine.id]}, ["web"]),
        ({"ramRoleName": "builder"}, ["db"]),
        ({"ramRoleName": "builder", "enableDetails": False}, ["db"]),
        ({"tags": {"team": "a"}}, ["web"]),
        ({"instanceName": "db"}, ["db"]),
        ({"status": "Stopped"}, []),
        ({"imageId": "m-none"}, []),
        ({"vswitchId": least["vswitchId"], "nameRegex": "^d"}, ["db"]),
    ):
        assert plugin.invoke(GET_INSTANCES, asked)["names"] == found, asked
    page = plugin.invoke(GET_INSTANCES, {"pageNumber": 2, "pageSize": 1})
    assert len(page["ids"]) == 1 and page["totalCount"] == 2
    assert plugin.invoke(GET_INSTANCES, {"enableDetails": False})["instances"][0]["diskDeviceMappings"] == []
    with pytest.raises(grpc.RpcError, match="nameRegex: is no regular expression"):
        plugin.invoke(GET_INSTANCES, {"nameRegex": "("})
