"""Rules of automatic snapshots' policies, and of the disks that have one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from emulator.api.call import Call
from emulator.api.errors import ApiError
from emulator.cloud import Cloud
from emulator.regions import REGIONS
from emulator.services.ecs.model_instances import Disk
from emulator.services.ecs.model_policies import AutoSnapshotAssociation, AutoSnapshotPolicy
from emulator.services.ecs.model_snapshots import Snapshot

MOST: Final = 100
"""Of one region, without a raised quota."""

Exists = Callable[[Cloud, str, str], bool]
"""Whether a disk is in a region: cloud, region, disk id."""

_EXISTS: Final[list[Exists]] = []


def knows_disks(exists: Exists) -> None:
    """Ask this, too, whether a disk is there, before a policy is applied to it."""
    _EXISTS.append(exists)


def find(cloud: Cloud, region: str, policy_id: str) -> AutoSnapshotPolicy:
    """Raises ApiError for one that is not in the region."""
    found = cloud.store.get(AutoSnapshotPolicy, policy_id)
    if found is None or found.region != region:
        raise ApiError(
            404, "InvalidAutoSnapshotPolicyId.NotFound", "The specified AutoSnapshotPolicyId does not exist."
        )
    return found


def invalid(parameter: str) -> ApiError:
    """As these actions word it."""
    return ApiError(403, "ParameterInvalid", f"The specified {parameter} parameter is invalid.")


def keep(call: Call, policy: AutoSnapshotPolicy) -> AutoSnapshotPolicy:
    """Put a new or a changed policy in its place. Raises ApiError for what it may not say."""
    store = call.cloud.store
    if any(region not in REGIONS or region == call.region for region in policy.copy_regions):
        raise invalid("TargetCopyRegions")
    if len(policy.copy_regions) > 1:
        raise invalid("TargetCopyRegions")
    if policy.copies and not policy.copy_regions:
        raise invalid("TargetCopyRegions")
    if store.get(AutoSnapshotPolicy, policy.id) is None and (
        len(store.all(AutoSnapshotPolicy, call.region)) >= MOST
    ):
        raise ApiError(
            403, "QuotaExceed.AutoSnapshotPolicy", "The maximum number of snapshot policies is reached."
        )
    return store.put(policy)


def delete(call: Call, policy: AutoSnapshotPolicy) -> None:
    """Its disks have none from now on."""
    for association in associations(call.cloud, policy):
        call.cloud.store.remove(association)
    call.cloud.store.remove(policy)


def associations(cloud: Cloud, policy: AutoSnapshotPolicy) -> list[AutoSnapshotAssociation]:
    return [one for one in cloud.store.all(AutoSnapshotAssociation, policy.region) if one.policy == policy.id]


def policy_of(cloud: Cloud, disk_id: str) -> str:
    """The id of the policy that a disk has; empty for none."""
    found = cloud.store.get(AutoSnapshotAssociation, disk_id)
    return found.policy if found else ""


def forget_disk(cloud: Cloud, disk: Disk) -> None:
    """A disk that goes has no policy any more; its automatic snapshots go with it where it says so."""
    _take_off(cloud, disk.id)
    if disk.delete_auto_snapshots:
        for one in cloud.store.all(Snapshot, disk.region):
            if one.automatic and one.disk == disk.id:
                cloud.store.remove(one)


def _take_off(cloud: Cloud, disk_id: str) -> None:
    if found := cloud.store.get(AutoSnapshotAssociation, disk_id):
        cloud.store.remove(found)


def apply(call: Call, policy: AutoSnapshotPolicy, disk_ids: Sequence[str]) -> None:
    """In place of the policy that a disk had."""
    _must_exist(call, disk_ids)
    for disk in disk_ids:
        call.cloud.store.put(
            AutoSnapshotAssociation(id=disk, region=call.region, created=call.now, policy=policy.id)
        )


def cancel(call: Call, disk_ids: Sequence[str], policy: AutoSnapshotPolicy | None = None) -> None:
    """policy: only this one; a disk that has another keeps it."""
    _must_exist(call, disk_ids)
    for disk in disk_ids:
        if policy is None or policy_of(call.cloud, disk) == policy.id:
            _take_off(call.cloud, disk)


def _must_exist(call: Call, disk_ids: Sequence[str]) -> None:
    for disk in disk_ids:
        if not any(exists(call.cloud, call.region, disk) for exists in _EXISTS):
            raise ApiError(404, "InvalidDiskId.NotFound", "The specified disk does not exist in the region.")
