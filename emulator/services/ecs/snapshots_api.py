"""Actions on snapshots."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from emulator.api.call import Answer, Call, JsonList, Request, Says, Tag
from emulator.api.paging import Either, either
from emulator.services.ecs import disks, snapshots
from emulator.services.ecs.model_instances import Disk
from emulator.services.ecs.model_snapshots import Snapshot
from emulator.services.ecs.run_instances_api import Description
from emulator.services.ecs.service import ECS
from emulator.tags import checked, match, shaped
from emulator.times import seconds_utc


def _not_automatic(name: str) -> str:
    if name.startswith("auto"):
        raise ValueError("names that begin with auto are those of automatic snapshots")
    return name


Name = Annotated[
    str,
    Field(max_length=128),
    AfterValidator(_not_automatic),
    Says("InvalidSnapshotName.Malformed", "The specified snapshot name is wrongly formed."),
]
Days = Annotated[int, Field(ge=1, le=65536)]


class OnSnapshot(Request):
    regional: ClassVar[bool] = False
    snapshot_id: str


class CreateSnapshot(Request):
    regional: ClassVar[bool] = False
    disk_id: str
    snapshot_name: Name = ""
    description: Description = ""
    category: Literal["standard", "flash"] = "standard"
    retention_days: Days | None = None
    instant_access: bool = False
    """From before all snapshots could be used at once."""
    instant_access_retention_days: int = 0
    resource_group_id: str = ""
    tag: tuple[Tag, ...] = ()


@ECS.action
def create_snapshot(call: Call, given: CreateSnapshot) -> Answer:
    made = snapshots.create(
        call,
        disks.find(call.cloud, call.region, given.disk_id),
        name=given.snapshot_name,
        description=given.description,
        category=given.category,
        retention_days=given.retention_days or 0,
        resource_group=given.resource_group_id,
        tags=checked(given.tag),
    )
    return {"SnapshotId": made.id}


class DescribeSnapshots(Either):
    snapshot_ids: JsonList | None = None
    disk_id: str = ""
    instance_id: str = ""
    snapshot_name: str = ""
    status: Literal["", "all", "progressing", "accomplished", "failed"] = ""
    snapshot_type: Literal["", "all", "user", "auto"] = ""
    source_disk_type: Literal["", "system", "data", "System", "Data"] = ""
    category: str = ""
    usage: Literal["", "none", "image", "disk", "image_disk"] = ""
    encrypted: bool | None = None
    resource_group_id: str = ""
    tag: tuple[Tag, ...] = ()


@ECS.action
def describe_snapshots(call: Call, given: DescribeSnapshots) -> Answer:
    held = {one.id: one for one in call.cloud.store.all(Disk, call.region)}
    used = {one.snapshot for one in held.values()}
    found = [
        one
        for one in call.cloud.store.all(Snapshot, call.region)
        if (given.snapshot_ids is None or one.id in given.snapshot_ids)
        and given.disk_id in ("", one.disk)
        and (not given.instance_id or (one.disk in held and held[one.disk].instance == given.instance_id))
        and given.snapshot_name in ("", one.name)
        and given.status in ("", "all", one.status)
        and given.snapshot_type in ("", "all", _kind(one))
        and given.source_disk_type.lower() in ("", "data")
        and given.category in ("", one.category)
        and given.usage in ("", _usage(one, used))
        and given.encrypted in (None, one.encrypted)
        and given.resource_group_id in ("", one.resource_group)
        and match(one.tags, given.tag)
    ]
    part, said = either(given, found)
    said.pop("MaxResults", None)
    return said | {"Snapshots": {"Snapshot": [_shape(one, used) for one in part]}}


def _kind(one: Snapshot) -> str:
    return "auto" if one.automatic else "user"


def _usage(one: Snapshot, used: set[str]) -> str:
    return "disk" if one.id in used else "none"


class ModifySnapshotAttribute(OnSnapshot):
    snapshot_name: Name | None = None
    description: Description | None = None
    retention_days: Days | None = None


@ECS.action
def modify_snapshot_attribute(call: Call, given: ModifySnapshotAttribute) -> Answer:
    one = snapshots.find(call.cloud, call.region, given.snapshot_id)
    changes: dict[str, Any] = {
        "name": given.snapshot_name,
        "description": given.description,
        "retention_days": given.retention_days,
    }
    new = {name: value for name, value in changes.items() if value is not None}
    call.cloud.store.put(one.but(changed=call.now, **new))
    return {}


class DeleteSnapshot(OnSnapshot):
    force: bool = False
    """Also where disks were made of it: their bytes are their own, so that it makes no difference here."""


@ECS.action
def delete_snapshot(call: Call, given: DeleteSnapshot) -> Answer:
    snapshots.delete(call, snapshots.find(call.cloud, call.region, given.snapshot_id))
    return {}


class ResetDisk(OnSnapshot):
    disk_id: str


@ECS.action
def reset_disk(call: Call, given: ResetDisk) -> Answer:
    disk = disks.find(call.cloud, call.region, given.disk_id)
    snapshots.reset(call, disk, snapshots.find(call.cloud, disk.region, given.snapshot_id))
    return {}


def _shape(one: Snapshot, used: set[str]) -> dict[str, Any]:
    done = one.status == "accomplished"
    return {
        "SnapshotId": one.id,
        "SnapshotName": one.name,
        "Description": one.description,
        "SourceDiskId": one.disk,
        "SourceDiskSize": str(one.size),
        "SourceDiskType": "data",
        "SnapshotType": _kind(one),
        "Category": one.category,
        "Status": one.status,
        "Available": done,
        "Progress": "100%" if done else "0%",
        "RemainTime": 0 if done else 1,
        "CreationTime": seconds_utc(one.created),
        "LastModifiedTime": seconds_utc(one.changed),
        "RetentionDays": one.retention_days,
        "Encrypted": one.encrypted,
        "KMSKeyId": one.kms_key,
        "InstantAccess": False,
        "InstantAccessRetentionDays": 0,
        "ProductCode": "",
        "RegionId": one.region,
        "ResourceGroupId": one.resource_group,
        "SnapshotLinkId": f"sl-{one.disk.removeprefix('d-')}",
        "SnapshotSN": "",
        "SourceSnapshotId": "",
        "SourceRegionId": one.region,
        "SourceStorageType": "disk",
        "Usage": _usage(one, used),
        "Tags": shaped(one.tags, key="TagKey", value="TagValue"),
    }
