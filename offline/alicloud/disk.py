"""Disks, what they are in, and the policies of snapshots on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from offline.alicloud.api import Answer, Refused, Unreached, client_token
from offline.alicloud.field import Property, one_of, pick, together
from offline.alicloud.lifecycle import TAGS, CloudResource, pair, without
from offline.alicloud.power import ids
from offline.alicloud.work import Change, Creation, Deletion, Work
from offline.provider.resource import CheckFailure, Context, Field, Inputs, State

_OFFICIAL: Final = "use the official alicloud plugin for it"
_BY_SIZE: Final = "what a disk does follows from its category, size and performance level"
_SETS: Final = f"storage sets are not served; {_OFFICIAL}"
_BUSY: Final = (
    "DisksDetachingOnEcsExceeded",
    "IncorrectDiskStatus",
    "IncorrectInstanceStatus",
    "InvalidOperation.Conflict",
    "OperationConflict",
)
_PAYMENTS: Final = {"PostPaid": "PayAsYouGo", "PrePaid": "Subscription"}
_REPLACE: Final = Property(replace=True)
_BOOTABLE: Final = "only a system disk boots, and it comes with its instance: attach data disks"


class EcsDisk(CloudResource):
    """alicloud:ecs/ecsDisk:EcsDisk. A data disk."""

    type: ClassVar[str] = "alicloud:ecs/ecsDisk:EcsDisk"
    product = "ecs"
    noun = "disk"
    id_parameter = "DiskId"
    tag_kind = "disk"
    ready = ("Available", "In_use")
    update_seconds = 900.0
    fields: ClassVar[Mapping[str, Field]] = {
        "advancedFeatures": Property(refused=_BY_SIZE),
        "availabilityZone": Property(
            create="ZoneId",
            read="ZoneId",
            computed=True,
            replace=True,
            deprecated=True,
            conflicts=("zoneId",),
        ),
        "burstingEnabled": Property(refused=_BY_SIZE),
        "category": Property(
            create="DiskCategory",
            read="Category",
            default="cloud_efficiency",
            valid=one_of(
                "cloud", "cloud_efficiency", "cloud_essd", "cloud_ssd", "cloud_auto", "cloud_essd_entry"
            ),
        ),
        "deleteAutoSnapshot": Property(read="DeleteAutoSnapshot", default=False),
        "deleteWithInstance": Property(read="DeleteWithInstance", computed=True),
        "description": Property(create="Description", read="Description"),
        "diskName": Property(create="DiskName", read="DiskName", computed=True, conflicts=("name",)),
        "dryRun": Property(
            valid=lambda value: "a dry run makes nothing to manage; use `pulumi preview`" if value else None
        ),
        "enableAutoSnapshot": Property(read="EnableAutoSnapshot", computed=True, deprecated=True),
        "encryptAlgorithm": Property(refused="disks are encrypted with AES-256; leave it out"),
        "encrypted": Property(create="Encrypted", read="Encrypted", computed=True, replace=True, flag=True),
        "instanceId": Property(
            refused="only subscriptions are made in an instance: attach it with an EcsDiskAttachment"
        ),
        "kmsKeyId": Property(create="KMSKeyId", read="KMSKeyId", computed=True, replace=True),
        "multiAttach": Property(refused=f"a disk is in one instance at a time here; {_OFFICIAL}"),
        "name": Property(create="DiskName", read="DiskName", computed=True, deprecated=True),
        "paymentType": Property(
            computed=True,
            valid=lambda value: None if value == "PayAsYouGo" else f"only PayAsYouGo is served; {_OFFICIAL}",
        ),
        "performanceLevel": Property(
            create="PerformanceLevel",
            read="PerformanceLevel",
            computed=True,
            valid=one_of("PL0", "PL1", "PL2", "PL3"),
        ),
        "provisionedIops": Property(refused=_BY_SIZE),
        "resourceGroupId": Property(create="ResourceGroupId", read="ResourceGroupId", computed=True),
        "size": Property(create="Size", read="Size", computed=True),
        "snapshotId": Property(create="SnapshotId", read="SourceSnapshotId", computed=True, replace=True),
        "storageSetId": Property(refused=_SETS),
        "storageSetPartitionNumber": Property(refused=_SETS),
        "tags": TAGS,
        # How the next change of the size is done, and no property of the disk.
        "type": Property(valid=one_of("offline", "online"), same=lambda _old, _new: True),
        "zoneId": Property(create="ZoneId", read="ZoneId", computed=True, replace=True),
    }
    creation = Creation(action="CreateDisk", id="DiskId", again=("LastTokenProcessing",))
    changes = (
        Change(
            action="ModifyDiskAttribute",
            properties={
                "deleteAutoSnapshot": "DeleteAutoSnapshot",
                "deleteWithInstance": "DeleteWithInstance",
                "enableAutoSnapshot": "EnableAutoSnapshot",
            },
            late=True,
        ),
        Change(
            action="ModifyDiskAttribute",
            properties={"description": "Description", "diskName": "DiskName", "name": "DiskName"},
        ),
        Change(
            action="JoinResourceGroup",
            properties={"resourceGroupId": "ResourceGroupId"},
            id="ResourceId",
            fixed={"ResourceType": "disk"},
        ),
        Change(
            action="ModifyDiskSpec",
            properties={"category": "DiskCategory", "performanceLevel": "PerformanceLevel"},
            again=("DiskInCoolingPeriod",),
        ),
    )
    deletion = Deletion(action="DeleteDisk", again=("IncorrectDiskStatus.Initializing",))

    def wrong(self, inputs: Inputs) -> list[CheckFailure]:
        found = list(together(("zoneId", "availabilityZone"), inputs, most=2))
        if "size" not in inputs and "snapshotId" not in inputs:
            found.append(CheckFailure(property="size", reason="is required, unless snapshotId is given"))
        return found

    def table(self, ctx: Context, state: State, inputs: Inputs) -> Mapping[str, Field]:  # noqa: ARG002
        essd = inputs.get("category", state.get("category")) == "cloud_essd"
        return self.fields if essd else without(self.fields, "performanceLevel")

    def describe(self, work: Work, id: str) -> Answer | None:
        return disk_of(work, id)

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        charge = answer.get("DiskChargeType")
        return super().state_of(work, id, answer) | {
            "burstingEnabled": answer.get("BurstingEnabled"),
            "createTime": answer.get("CreationTime"),
            "instanceId": answer.get("InstanceId"),
            "multiAttach": answer.get("MultiAttach"),
            "paymentType": _PAYMENTS.get(str(charge), charge),
            "provisionedIops": answer.get("ProvisionedIops"),
            "regionId": answer.get("RegionId"),
            "snapshotId": answer.get("SourceSnapshotId"),
            "status": answer.get("Status"),
            "storageSetId": answer.get("StorageSetId"),
        }

    def after(self, work: Work, id: str, old: State, inputs: Inputs, changed: set[str]) -> None:  # noqa: ARG002
        if "size" in changed:
            how = {"Type": inputs["type"]} if inputs.get("type") else {}
            given = {"DiskId": id, "NewSize": inputs["size"], "ClientToken": client_token()}
            work("ResizeDisk", given | how)


class EcsDiskAttachment(CloudResource):
    """alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment. Its id is DISK:INSTANCE."""

    type: ClassVar[str] = "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment"
    product = "ecs"
    noun = "attachment of a disk"
    attachment = True
    id_parameter = "DiskId"
    ready = ("In_use",)
    fields: ClassVar[Mapping[str, Field]] = {
        "bootable": Property(default=False, replace=True, valid=lambda value: _BOOTABLE if value else None),
        "deleteWithInstance": Property(
            create="DeleteWithInstance", read="DeleteWithInstance", default=False, flag=True
        ),
        "diskId": Property(create="DiskId", read="DiskId", replace=True),
        "instanceId": Property(create="InstanceId", read="InstanceId", replace=True),
        "keyPairName": Property(refused=_BOOTABLE),
        "password": Property(refused=_BOOTABLE),
    }
    creation = Creation(
        action="AttachDisk", id="{diskId}:{instanceId}", token=False, again=_BUSY, seconds=600
    )
    # Official: a change of deleteWithInstance is an update, which does nothing.
    changes = (Change(action="ModifyDiskAttribute", properties={"deleteWithInstance": "DeleteWithInstance"}),)
    deletion = Deletion(action="DetachDisk", again=_BUSY, seconds=600)

    def make(self, work: Work, inputs: Inputs) -> str:
        """To attach once more what is attached is refused, with a code that else means "not yet"."""
        id = self.creation.id.format_map(inputs)
        before = disk_of(work, inputs["diskId"]) or {}
        held = before.get("InstanceId")
        if held and held != inputs["instanceId"] and before.get("Status") == "In_use":
            work.ctx.log(f"disk {inputs['diskId']} is still in {held}")
        if held != inputs["instanceId"]:
            try:
                super().make(work, inputs)
            except (Refused, Unreached) as error:
                lost = isinstance(error, Unreached) or error.undecided
                if not lost or self.describe(work, id) is None:
                    raise
        after = disk_of(work, inputs["diskId"]) or {}
        if after and after.get("DeleteAutoSnapshot") != before.get("DeleteAutoSnapshot"):
            kept = {"DeleteAutoSnapshot": bool(before.get("DeleteAutoSnapshot"))}
            work("ModifyDiskAttribute", {"DiskId": inputs["diskId"], **kept})
        return id

    def named(self, id: str) -> str:
        return pair(id, "DISK:INSTANCE")[0]

    def describe(self, work: Work, id: str) -> Answer | None:
        disk, instance = pair(id, "DISK:INSTANCE")
        found = disk_of(work, disk)
        return found if found and found.get("InstanceId") == instance else None

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        return super().state_of(work, id, answer) | {"device": answer.get("Device")}

    def unmade(self, id: str, state: State) -> dict[str, Any]:  # noqa: ARG002
        disk, instance = pair(id, "DISK:INSTANCE")
        return {"DiskId": disk, "InstanceId": instance}


class EcsAutoSnapshotPolicyAttachment(CloudResource):
    """alicloud:ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment. Its id is POLICY:DISK."""

    type: ClassVar[str] = "alicloud:ecs/ecsAutoSnapshotPolicyAttachment:EcsAutoSnapshotPolicyAttachment"
    product = "ecs"
    noun = "snapshot policy of a disk"
    attachment = True
    id_parameter = "autoSnapshotPolicyId"
    fields: ClassVar[Mapping[str, Field]] = {
        "autoSnapshotPolicyId": Property(read="AutoSnapshotPolicyId", replace=True),
        "diskId": Property(read="DiskId", replace=True),
    }
    creation = Creation(action="ApplyAutoSnapshotPolicy", id="{autoSnapshotPolicyId}:{diskId}")
    deletion = Deletion(action="CancelAutoSnapshotPolicy", again=("InvalidOperation.Conflict",))

    def make(self, work: Work, inputs: Inputs) -> str:
        apply_policy(work, inputs["autoSnapshotPolicyId"], inputs["diskId"])
        return self.creation.id.format_map(inputs)

    def describe(self, work: Work, id: str) -> Answer | None:
        policy, disk = pair(id, "POLICY:DISK")
        found = disk_of(work, disk)
        return found if found and found.get("AutoSnapshotPolicyId") == policy else None

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        return super().state_of(work, id, answer) | {"regionId": answer.get("RegionId")}

    def unmade(self, id: str, state: State) -> dict[str, Any]:  # noqa: ARG002
        policy, disk = pair(id, "POLICY:DISK")
        return {"autoSnapshotPolicyId": policy, "diskIds": ids(disk)}


def disk_of(work: Work, id: str) -> Answer | None:
    """A disk, by its id."""
    found = pick(work.found("DescribeDisks", {"DiskIds": ids(id)}), "Disks.Disk") or []
    return next((one for one in found if one["DiskId"] == id), None)


def disks_of(work: Work, instance: str) -> list[Answer]:
    """Those that an instance has."""
    return list(pick(work("DescribeDisks", {"InstanceId": instance, "PageSize": 100}), "Disks.Disk") or [])


def system_disk(work: Work, instance: str) -> Answer | None:
    """An instance's."""
    return next((one for one in disks_of(work, instance) if one.get("Type") == "system"), None)


def apply_policy(work: Work, policy: str, disk: str) -> None:
    """Let a policy of automatic snapshots apply to a disk, instead of what applied before."""
    given = {"autoSnapshotPolicyId": policy, "diskIds": ids(disk), "regionId": work.api.settings.region}
    work("ApplyAutoSnapshotPolicy", given, again=("InvalidOperation.Conflict",))
