"""Actions on disks."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from emulator.api.call import Answer, Call, JsonList, Request, Tag
from emulator.api.errors import ApiError, not_served
from emulator.api.paging import Either, either
from emulator.services.ecs import auto_snapshot_policies, catalogue, disks, instances, snapshots
from emulator.services.ecs.model_instances import Disk
from emulator.services.ecs.run_instances_api import Category, Description, Level
from emulator.services.ecs.service import ECS
from emulator.tags import checked, match, shaped
from emulator.times import seconds_utc


class OnDisk(Request):
    """An action on one disk, which is found in whatever region it is."""

    regional: ClassVar[bool] = False
    disk_id: str


class CreateDisk(Request):
    zone_id: str
    disk_category: Category = "cloud_essd"
    size: int | None = None
    snapshot_id: str = ""
    """What it is made of; it is as large then, unless a larger size is given."""
    performance_level: Level = ""
    disk_name: Annotated[str, Field(max_length=128)] = ""
    description: Description = ""
    encrypted: bool = False
    kms_key_id: Annotated[str, Field(alias="KMSKeyId")] = ""
    resource_group_id: str = ""
    tag: tuple[Tag, ...] = ()


@ECS.action
def create_disk(call: Call, given: CreateDisk) -> Answer:
    catalogue.must_be_zone(call.region, given.zone_id)
    size = snapshots.disk_size(call.cloud, call.region, given.snapshot_id, given.size, "Size")
    disk = disks.create(
        call,
        zone=given.zone_id,
        category=given.disk_category,
        size=size,
        snapshot=given.snapshot_id,
        level=given.performance_level,
        name=given.disk_name,
        description=given.description,
        encrypted=given.encrypted,
        kms_key=given.kms_key_id,
        resource_group=given.resource_group_id,
        tags=checked(given.tag),
    )
    return {"DiskId": disk.id}


class DescribeDisks(Either):
    disk_ids: JsonList | None = None
    instance_id: str = ""
    disk_name: str = ""
    disk_type: Literal["", "all", "system", "data"] = ""
    category: str = ""
    status: str = ""
    """`All` for every one."""
    zone_id: str = ""
    encrypted: bool | None = None
    portable: bool | None = None
    delete_with_instance: bool | None = None
    disk_charge_type: Literal["", "PostPaid", "PrePaid"] = ""
    auto_snapshot_policy_id: str = ""
    resource_group_id: str = ""
    performance_level: Annotated[tuple[str, ...], Field(max_length=4)] = ()
    additional_attributes: tuple[str, ...] = ()
    """Every attribute is answered, asked for or not."""
    tag: tuple[Tag, ...] = ()


@ECS.action
def describe_disks(call: Call, given: DescribeDisks) -> Answer:
    kind = {"system": True, "data": False}.get(given.disk_type)
    found = [
        one
        for one in call.cloud.store.all(Disk, call.region)
        if (given.disk_ids is None or one.id in given.disk_ids)
        and given.instance_id in ("", one.instance)
        and given.disk_name in ("", one.name)
        and kind in (None, one.system)
        and given.category in ("", "all", one.category)
        and given.status in ("", "All", one.status)
        and given.zone_id in ("", one.zone)
        and given.encrypted in (None, one.encrypted)
        and given.portable in (None, not one.system)
        and given.delete_with_instance in (None, one.with_instance)
        and given.disk_charge_type in ("", "PostPaid")
        and given.resource_group_id in ("", one.resource_group)
        and (not given.performance_level or one.performance in given.performance_level)
        and given.auto_snapshot_policy_id in ("", auto_snapshot_policies.policy_of(call.cloud, one.id))
        and match(one.tags, given.tag)
    ]
    part, said = either(given, found)
    return said | {"Disks": {"Disk": [_shape(call, one) for one in part]}}


class ModifyDiskAttribute(Request):
    disk_id: str = ""
    disk_ids: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    disk_name: Annotated[str, Field(max_length=128)] | None = None
    description: Description | None = None
    delete_with_instance: bool | None = None
    delete_auto_snapshot: bool | None = None
    enable_auto_snapshot: bool | None = None


@ECS.action
def modify_disk_attribute(call: Call, given: ModifyDiskAttribute) -> Answer:
    ids = given.disk_ids or ((given.disk_id,) if given.disk_id else ())
    if not ids:
        raise ApiError(400, "MissingParameter", 'The input parameter "DiskId" is not supplied.')
    changes: dict[str, object] = {
        "name": given.disk_name,
        "description": given.description,
        "with_instance": given.delete_with_instance,
        "delete_auto_snapshots": given.delete_auto_snapshot,
        "auto_snapshots": given.enable_auto_snapshot,
    }
    for disk_id in ids:
        one = disks.find(call.cloud, call.region, disk_id)
        call.cloud.store.put(one.but(**{name: value for name, value in changes.items() if value is not None}))
    return {}


class ResizeDisk(OnDisk):
    new_size: int
    type: Literal["", "offline", "online"] = ""


@ECS.action
def resize_disk(call: Call, given: ResizeDisk) -> Answer:
    disks.resize(call, disks.find(call.cloud, call.region, given.disk_id), given.new_size)
    return {}


class ModifyDiskSpec(OnDisk):
    disk_category: Category | None = None
    performance_level: Level = ""


@ECS.action
def modify_disk_spec(call: Call, given: ModifyDiskSpec) -> Answer:
    disk = disks.find(call.cloud, call.region, given.disk_id)
    disks.respecify(call, disk, given.disk_category or disk.category, given.performance_level)
    return {"TaskId": call.cloud.new_id("t-")}


class DeleteDisk(OnDisk):
    pass


@ECS.action
def delete_disk(call: Call, given: DeleteDisk) -> Answer:
    disks.delete(call, disks.find(call.cloud, call.region, given.disk_id))
    return {}


class AttachDisk(OnDisk):
    instance_id: str
    device: Annotated[str, Field(pattern=r"^(/dev/xvd[b-z])?$")] = ""
    delete_with_instance: bool = False
    bootable: bool = False


@ECS.action
def attach_disk(call: Call, given: AttachDisk) -> Answer:
    if given.bootable:  # only system disks boot, and they come with their instances
        raise not_served("AttachDisk", "Bootable=true")
    disks.attach(
        call,
        disks.find(call.cloud, call.region, given.disk_id),
        instances.find(call.cloud, call.region, given.instance_id),
        device=given.device,
        with_instance=given.delete_with_instance,
    )
    return {}


class DetachDisk(OnDisk):
    instance_id: str
    delete_with_instance: bool = False
    """Of the disk as it was in the instance: a disk that is in none has it off."""


@ECS.action
def detach_disk(call: Call, given: DetachDisk) -> Answer:
    disks.detach(
        call,
        disks.find(call.cloud, call.region, given.disk_id),
        instances.find(call.cloud, call.region, given.instance_id),
    )
    return {}


def _shape(call: Call, one: Disk) -> dict[str, Any]:
    policy = auto_snapshot_policies.policy_of(call.cloud, one.id)
    attachment = {
        "InstanceId": one.instance,
        "Device": one.device,
        "AttachedTime": seconds_utc(one.attached) if one.attached else "",
    }
    return {
        "DiskId": one.id,
        "DiskName": one.name,
        "Description": one.description,
        "RegionId": one.region,
        "ZoneId": one.zone,
        "Type": "system" if one.system else "data",
        "Category": one.category,
        "Size": one.size,
        "PerformanceLevel": one.performance,
        "Encrypted": one.encrypted,
        "KMSKeyId": one.kms_key,
        "ImageId": one.image,
        "Status": one.status,
        "InstanceId": one.instance,
        "Device": one.device,
        "SerialNumber": one.id.removeprefix("d-"),
        "Attachments": {"Attachment": [attachment] if one.instance else []},
        "AttachedTime": attachment["AttachedTime"] if one.instance else "",
        "DetachedTime": seconds_utc(one.detached) if one.detached else "",
        "CreationTime": seconds_utc(one.created),
        "ExpiredTime": "2999-09-08T16:00Z",
        "DiskChargeType": "PostPaid",
        "Portable": not one.system,
        "DeleteWithInstance": one.with_instance,
        "DeleteAutoSnapshot": one.delete_auto_snapshots,
        "EnableAutoSnapshot": one.auto_snapshots,
        "EnableAutomatedSnapshotPolicy": bool(policy),
        "AutoSnapshotPolicyId": policy,
        "MultiAttach": "Disabled",
        "BurstingEnabled": False,
        "ProvisionedIops": 0,
        "SourceSnapshotId": one.snapshot,
        "ProductCode": "",
        "StorageSetId": "",
        "StorageClusterId": "",
        "ResourceGroupId": one.resource_group,
        "OperationLocks": {"OperationLock": []},
        "MountInstances": {"MountInstance": []},
        "MountInstanceNum": 1 if one.instance else 0,
        "Tags": shaped(one.tags, key="TagKey", value="TagValue"),
    }
