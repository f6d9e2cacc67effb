"""Actions on automatic snapshots' policies. Some parameters begin with a small letter: so they do there."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from emulator.api import errors
from emulator.api.call import NO_URL, Answer, Call, JsonList, Parameters, Request, Says, Tag, wire_name
from emulator.api.paging import Numbered, numbered
from emulator.services.ecs import auto_snapshot_policies as policies
from emulator.services.ecs.model_policies import AutoSnapshotPolicy
from emulator.services.ecs.service import ECS
from emulator.tags import checked, match, shaped
from emulator.times import minutes_utc


def _numbers(least: int, most: int) -> BeforeValidator:
    """A JSON list of numbers, each as text or not, none twice, in their own order."""

    def read(value: Any) -> tuple[int, ...]:
        listed = json.loads(value) if isinstance(value, str) else None
        if not isinstance(listed, list) or not all(str(one).isdecimal() for one in listed):
            raise ValueError("no JSON list of numbers")
        found = tuple(int(str(one)) for one in listed)
        if not found or len(set(found)) < len(found) or not all(least <= one <= most for one in found):
            raise ValueError(f"no list of unlike numbers from {least} to {most}")
        return found

    return BeforeValidator(read)


def _days(value: int) -> int:
    if value != -1 and not 1 <= value <= 65535:
        raise ValueError("neither -1 nor 1 to 65535")
    return value


def _wrong(parameter: str) -> Says:
    refusal = policies.invalid(parameter)
    return Says(refusal.code, refusal.message, refusal.status)


_SMALL: Final = frozenset(
    (
        "regionId", "autoSnapshotPolicyId", "autoSnapshotPolicyName", "repeatWeekdays", "retentionDays",
        "timePoints", "diskIds",
    )
)  # fmt: skip


def _wire_name(name: str) -> str:
    usual = wire_name(name)
    small = usual[0].lower() + usual[1:]
    return small if small in _SMALL else usual


class Small(Request):
    """Parameters of an action whose oldest ones begin with a small letter."""

    model_config = ConfigDict(alias_generator=_wire_name)

    @model_validator(mode="before")
    @classmethod
    def _one_region(cls, given: Any) -> Any:
        """Clients that name the region in every call do so with a capital letter, here too."""
        if not isinstance(given, dict) or "RegionId" not in given:
            return given
        rest = {name: value for name, value in given.items() if name != "RegionId"}
        if rest.setdefault("regionId", given["RegionId"]) != given["RegionId"]:
            raise errors.invalid("RegionId")
        return rest


Name = Annotated[str, Field(max_length=128), NO_URL, _wrong("autoSnapshotPolicyName")]
Weekdays = Annotated[tuple[int, ...], _numbers(1, 7), _wrong("repeatWeekdays")]
Hours = Annotated[tuple[int, ...], _numbers(0, 23), _wrong("timePoints")]
Days = Annotated[int, AfterValidator(_days), _wrong("retentionDays")]
CopyDays = Annotated[int, AfterValidator(_days), _wrong("CopiedSnapshotsRetentionDays")]
Regions = Annotated[JsonList, _wrong("TargetCopyRegions")]
Disks = Annotated[JsonList, Field(min_length=1), _wrong("diskIds")]


class Encryption(Parameters):
    encrypted: bool = False
    kms_key_id: Annotated[str, Field(alias="KMSKeyId")] = ""


class CreateAutoSnapshotPolicy(Small):
    auto_snapshot_policy_name: Name = ""
    repeat_weekdays: Weekdays
    time_points: Hours
    retention_days: Days
    enable_cross_region_copy: bool = False
    target_copy_regions: Regions = ()
    copied_snapshots_retention_days: CopyDays = -1
    copy_encryption_configuration: Encryption = Encryption()
    association_type: Literal["AssociatedWithDisk"] = "AssociatedWithDisk"
    resource_group_id: str = ""
    tag: tuple[Tag, ...] = ()


@ECS.action
def create_auto_snapshot_policy(call: Call, given: CreateAutoSnapshotPolicy) -> Answer:
    policy = policies.keep(
        call,
        AutoSnapshotPolicy(
            id=call.cloud.new_id("sp-"),
            region=call.region,
            created=call.now,
            name=given.auto_snapshot_policy_name,
            weekdays=given.repeat_weekdays,
            hours=given.time_points,
            retention=given.retention_days,
            copies=given.enable_cross_region_copy,
            copy_regions=given.target_copy_regions,
            copy_retention=given.copied_snapshots_retention_days,
            copy_encrypted=given.copy_encryption_configuration.encrypted,
            copy_key=given.copy_encryption_configuration.kms_key_id,
            resource_group=given.resource_group_id,
            tags=checked(given.tag),
        ),
    )
    return {"AutoSnapshotPolicyId": policy.id}


class ModifyAutoSnapshotPolicyEx(Small):
    auto_snapshot_policy_id: str
    auto_snapshot_policy_name: Name | None = None
    repeat_weekdays: Weekdays | None = None
    time_points: Hours | None = None
    retention_days: Days | None = None
    enable_cross_region_copy: bool | None = None
    target_copy_regions: Regions | None = None
    copied_snapshots_retention_days: CopyDays | None = None
    copy_encryption_configuration: Encryption | None = None


@ECS.action
def modify_auto_snapshot_policy_ex(call: Call, given: ModifyAutoSnapshotPolicyEx) -> Answer:
    policy = policies.find(call.cloud, call.region, given.auto_snapshot_policy_id)
    encryption = given.copy_encryption_configuration
    changes = {
        "name": given.auto_snapshot_policy_name,
        "weekdays": given.repeat_weekdays,
        "hours": given.time_points,
        "retention": given.retention_days,
        "copies": given.enable_cross_region_copy,
        "copy_regions": given.target_copy_regions,
        "copy_retention": given.copied_snapshots_retention_days,
        "copy_encrypted": encryption.encrypted if encryption else None,
        "copy_key": encryption.kms_key_id if encryption else None,
    }
    policies.keep(call, policy.but(**{name: value for name, value in changes.items() if value is not None}))
    return {}


class DescribeAutoSnapshotPolicyEx(Numbered):
    page_size: Annotated[int, Field(ge=1, le=100)] = 10
    auto_snapshot_policy_id: str = ""
    auto_snapshot_policy_name: str = ""
    resource_group_id: str = ""
    tag: tuple[Tag, ...] = ()


@ECS.action
def describe_auto_snapshot_policy_ex(call: Call, given: DescribeAutoSnapshotPolicyEx) -> Answer:
    found = [
        policy
        for policy in call.cloud.store.all(AutoSnapshotPolicy, call.region)
        if given.auto_snapshot_policy_id in ("", policy.id)
        and given.auto_snapshot_policy_name in ("", policy.name)
        and given.resource_group_id in ("", policy.resource_group)
        and match(policy.tags, given.tag)
    ]
    part, said = numbered(given, found)
    return said | {"AutoSnapshotPolicies": {"AutoSnapshotPolicy": [_shape(call, policy) for policy in part]}}


class DeleteAutoSnapshotPolicy(Small):
    auto_snapshot_policy_id: str


@ECS.action
def delete_auto_snapshot_policy(call: Call, given: DeleteAutoSnapshotPolicy) -> Answer:
    policies.delete(call, policies.find(call.cloud, call.region, given.auto_snapshot_policy_id))
    return {}


class ApplyAutoSnapshotPolicy(Small):
    auto_snapshot_policy_id: str
    disk_ids: Disks


@ECS.action
def apply_auto_snapshot_policy(call: Call, given: ApplyAutoSnapshotPolicy) -> Answer:
    policies.apply(
        call, policies.find(call.cloud, call.region, given.auto_snapshot_policy_id), given.disk_ids
    )
    return {}


class CancelAutoSnapshotPolicy(Small):
    auto_snapshot_policy_id: str = ""
    disk_ids: Disks


@ECS.action
def cancel_auto_snapshot_policy(call: Call, given: CancelAutoSnapshotPolicy) -> Answer:
    policy = None
    if given.auto_snapshot_policy_id:
        policy = policies.find(call.cloud, call.region, given.auto_snapshot_policy_id)
    policies.cancel(call, given.disk_ids, policy)
    return {}


def _shape(call: Call, policy: AutoSnapshotPolicy) -> dict[str, Any]:
    """Without what it has nothing of: the official provider takes an empty list of regions for a mistake."""
    shape = {
        "AutoSnapshotPolicyId": policy.id,
        "AutoSnapshotPolicyName": policy.name,
        "RegionId": policy.region,
        "Status": "Normal",
        "Type": "Custom",
        "AssociationType": "AssociatedWithDisk",
        "CreationTime": minutes_utc(policy.created),
        "RepeatWeekdays": _texts(policy.weekdays),
        "TimePoints": _texts(policy.hours),
        "RetentionDays": policy.retention,
        "EnableCrossRegionCopy": policy.copies,
        "CopiedSnapshotsRetentionDays": policy.copy_retention,
        "DiskNums": len(policies.associations(call.cloud, policy)),
        "VolumeNums": 0,
        "ResourceGroupId": policy.resource_group,
        "Tags": shaped(policy.tags, key="TagKey", value="TagValue"),
    }
    if policy.copy_regions:
        shape["TargetCopyRegions"] = _texts(policy.copy_regions)
    if policy.copy_encrypted or policy.copy_key:
        shape["CopyEncryptionConfiguration"] = {
            "Encrypted": policy.copy_encrypted,
            "KMSKeyId": policy.copy_key,
        }
    return shape


def _texts(values: tuple[object, ...]) -> str:
    """A JSON list of texts, in a text."""
    return json.dumps([str(value) for value in values], separators=(",", ":"))
