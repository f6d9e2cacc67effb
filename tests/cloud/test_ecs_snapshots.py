"""Snapshots by the SDK. What is in them is in tests/docker/test_cloud_disks.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alibabacloud_ecs20140526 import models as m

from tests.cloud.conftest import Refused
from tests.cloud.machines import R, moving, place, run
from tests.cloud.running import Clock
from tests.cloud.test_ecs_disks import make, told

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs

__all__ = ["moving", "place"]  # fixtures


def snapshot(ecs: Ecs, disk: str, **more: Any) -> str:
    made: str = ecs.create_snapshot(m.CreateSnapshotRequest(disk_id=disk, **more)).body.snapshot_id
    return made


def listed(ecs: Ecs, **wanted: Any) -> list[Any]:
    found: list[Any] = ecs.describe_snapshots(
        m.DescribeSnapshotsRequest(**R, **wanted)
    ).body.snapshots.snapshot
    return found


def test_one_is_made_told_of_changed_and_deleted(
    ecs: Ecs, moving: Any, clock: Clock, refused: Refused
) -> None:
    disk = make(ecs, size=30, encrypted=True)
    with refused("IncorrectDiskStatus", 403):
        snapshot(ecs, disk)
    clock.later(1)
    made = snapshot(
        ecs,
        disk,
        snapshot_name="before",
        description="d",
        retention_days=7,
        tag=[m.CreateSnapshotRequestTag("team", "a")],
    )
    [one] = listed(ecs)
    assert (one.status, one.progress, one.available) == ("progressing", "0%", False)
    with refused("IncorrectDiskStatus.CreatingSnapshot", 403):
        snapshot(ecs, disk)
    with refused("IncorrectDiskStatus.CreatingSnapshot", 403):
        ecs.delete_disk(m.DeleteDiskRequest(disk_id=disk))
    with refused("IncorrectSnapshotStatus", 403):
        make(ecs, snapshot_id=made, size=None)
    clock.later(1)
    [one] = listed(ecs, snapshot_ids=f'["{made}"]')
    assert one.to_map() == {
        "SnapshotId": made,
        "SnapshotName": "before",
        "Description": "d",
        "SourceDiskId": disk,
        "SourceDiskSize": "30",
        "SourceDiskType": "data",
        "SnapshotType": "user",
        "Category": "standard",
        "Status": "accomplished",
        "Available": True,
        "Progress": "100%",
        "RemainTime": 0,
        "CreationTime": one.creation_time,
        "LastModifiedTime": one.last_modified_time,
        "RetentionDays": 7,
        "Encrypted": True,
        "KMSKeyId": "",
        "InstantAccess": False,
        "InstantAccessRetentionDays": 0,
        "ProductCode": "",
        "RegionId": "cn-hangzhou",
        "ResourceGroupId": one.resource_group_id,
        "SnapshotLinkId": one.snapshot_link_id,
        "SnapshotSN": "",
        "SourceSnapshotId": "",
        "SourceRegionId": "cn-hangzhou",
        "SourceStorageType": "disk",
        "Usage": "none",
        "Tags": {"Tag": [{"TagKey": "team", "TagValue": "a"}]},
    }
    change = m.ModifySnapshotAttributeRequest(snapshot_id=made, snapshot_name="after", description="")
    ecs.modify_snapshot_attribute(change)
    assert [(one.snapshot_name, one.description) for one in listed(ecs, snapshot_name="after")] == [
        ("after", "")
    ]
    ecs.delete_snapshot(m.DeleteSnapshotRequest(snapshot_id=made))
    assert listed(ecs) == []
    with refused("InvalidSnapshotId.NotFound", 404):
        ecs.delete_snapshot(m.DeleteSnapshotRequest(snapshot_id=made))
    with refused("InvalidDiskId.NotFound", 404):
        snapshot(ecs, "d-none")
    with refused("InvalidSnapshotName.Malformed"):
        snapshot(ecs, disk, snapshot_name="auto-x")


def test_a_disk_is_made_of_one_and_as_large(ecs: Ecs, moving: Any, clock: Clock, refused: Refused) -> None:
    disk = make(ecs, size=30)
    clock.later(1)
    made = snapshot(ecs, disk)
    clock.later(1)
    of_it = make(ecs, snapshot_id=made, size=None)
    assert (told(ecs, of_it).size, told(ecs, of_it).source_snapshot_id) == (30, made)
    with refused("SnapshotCreatedDisk", 403):
        ecs.delete_snapshot(m.DeleteSnapshotRequest(snapshot_id=made))
    clock.later(1)
    assert [one.usage for one in listed(ecs)] == ["disk"] and listed(ecs, usage="none") == []
    assert told(ecs, make(ecs, snapshot_id=made, size=50)).size == 50
    with refused("InvalidDiskSize.TooSmall", 403):
        make(ecs, snapshot_id=made, size=20)
    with refused("InvalidSnapshotId.NotFound", 404):
        make(ecs, snapshot_id="s-none")
    with refused("MissingParameter"):
        make(ecs, size=None)


def test_an_instance_comes_with_a_disk_of_one(
    ecs: Ecs, place: dict[str, str], clock: Clock, refused: Refused
) -> None:
    source = make(ecs, size=30)
    clock.later(1)
    made = snapshot(ecs, source)

    def wanted(**more: Any) -> dict[str, Any]:
        return {"data_disk": [m.RunInstancesRequestDataDisk(**more)]}

    with refused("IncorrectSnapshotStatus", 403):
        run(ecs, place, **wanted(snapshot_id=made))
    clock.later(1)
    with refused("MissingParameter"):
        run(ecs, place, **wanted(category="cloud_essd"))
    with refused("InvalidDiskSize.TooSmall", 403):
        run(ecs, place, **wanted(snapshot_id=made, size=20))
    with refused("InvalidSnapshotId.NotFound", 404):
        run(ecs, place, **wanted(snapshot_id="s-none"))
    machines = [run(ecs, place, **wanted(snapshot_id=made, **size))[0] for size in ({}, {"size": 50})]
    with refused("SnapshotCreatedDisk", 403):
        ecs.delete_snapshot(m.DeleteSnapshotRequest(snapshot_id=made))
    clock.later(5)
    for machine, size in zip(machines, (30, 50), strict=True):
        asked = m.DescribeDisksRequest(**R, instance_id=machine, disk_type="data")
        [disk] = ecs.describe_disks(asked).body.disks.disk
        assert (disk.size, disk.source_snapshot_id, disk.status) == (size, made, "In_use")
    ecs.delete_snapshot(m.DeleteSnapshotRequest(snapshot_id=made))


def test_a_disk_is_set_back_while_its_machine_is_off(
    ecs: Ecs, place: dict[str, str], clock: Clock, refused: Refused
) -> None:
    [machine] = run(ecs, place, data_disk=[m.RunInstancesRequestDataDisk(size=20)])
    clock.later(5)
    found = ecs.describe_disks(m.DescribeDisksRequest(**R, instance_id=machine)).body.disks.disk
    system, data = sorted(found, key=lambda one: one.type == "data")
    with refused("UnsupportedParameter.Emulator"):
        snapshot(ecs, system.disk_id)
    made = snapshot(ecs, data.disk_id)
    clock.later(1)
    back = m.ResetDiskRequest(disk_id=data.disk_id, snapshot_id=made)
    with refused("IncorrectInstanceStatus", 403):
        ecs.reset_disk(back)
    ecs.stop_instance(m.StopInstanceRequest(instance_id=machine))
    clock.later(5)
    other = make(ecs)
    clock.later(1)
    with refused("InvalidParameter.Mismatch"):
        ecs.reset_disk(m.ResetDiskRequest(disk_id=other, snapshot_id=made))
    ecs.reset_disk(back)
    assert told(ecs, data.disk_id).status == "ReIniting"
    clock.later(1)
    assert told(ecs, data.disk_id).status == "In_use"
    assert told(ecs, data.disk_id).source_snapshot_id == "", "it was not made of it"
    assert [one.snapshot_id for one in listed(ecs, instance_id=machine)] == [made]
