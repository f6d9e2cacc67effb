"""Rules of disks."""

from __future__ import annotations

from typing import Final

from emulator.api.call import Call
from emulator.api.errors import ApiError
from emulator.cloud import Cloud
from emulator.services.ecs import auto_snapshot_policies, instances, resource_types
from emulator.services.ecs.model_instances import Disk, Instance
from emulator.services.ecs.model_snapshots import Snapshot
from emulator.services.vpc.vpcs import DEFAULT_GROUP

SIZES: Final[dict[str, tuple[int, int]]] = {
    "cloud_essd": (20, 65536),
    "cloud_essd_entry": (10, 32768),
    "cloud_auto": (1, 65536),
    "cloud_ssd": (20, 32768),
    "cloud_efficiency": (20, 32768),
    "cloud": (5, 2000),
}
"""GiB of a data disk, by category: the least and the most."""
LEVELS: Final = {"PL0": 1, "PL1": 20, "PL2": 461, "PL3": 1261}
"""Performance levels of ESSDs, and the least size in GiB of each."""
MOST_ON_INSTANCE: Final = 16
_BECOMES: Final[dict[str, frozenset[str]]] = {
    "cloud": frozenset(),
    "cloud_efficiency": frozenset({"cloud_ssd", "cloud_essd", "cloud_auto", "cloud_essd_entry"}),
    "cloud_ssd": frozenset({"cloud_essd", "cloud_auto"}),
    "cloud_essd_entry": frozenset({"cloud_essd", "cloud_auto"}),
    "cloud_essd": frozenset({"cloud_auto"}),
    "cloud_auto": frozenset({"cloud_essd"}),
}
"""Categories that a disk of one category can be changed to."""


def find(cloud: Cloud, region: str, disk_id: str) -> Disk:
    """region: empty for any. Raises ApiError for one that is not there."""
    found = cloud.store.get(Disk, disk_id)
    if found is None or region not in ("", found.region):
        raise ApiError(404, "InvalidDiskId.NotFound", "The specified disk does not exist.")
    return found


def must_be(disk: Disk, *allowed: str) -> None:
    if disk.status not in allowed:
        raise ApiError(403, "IncorrectDiskStatus", "The current disk status does not support this operation.")


def being_copied(cloud: Cloud, disk: Disk) -> bool:
    """Whether a snapshot is made of it."""
    return any(one.disk == disk.id and one.status == "progressing" for one in cloud.store.all(Snapshot))


def must_not_be_copied(cloud: Cloud, disk: Disk) -> None:
    """Raises ApiError while a snapshot is made of it."""
    if being_copied(cloud, disk):
        raise ApiError(
            403, "IncorrectDiskStatus.CreatingSnapshot", "A previous snapshot creation is in process."
        )


def checked(category: str, size: int, level: str) -> str:
    """The performance level of such a disk. Raises ApiError for a size or a level that it cannot have."""
    least, most = SIZES[category]
    if not least <= size <= most:
        raise ApiError(400, "InvalidDiskSize.NotSupported", "The specified parameter size exceeds the limit.")
    if category != "cloud_essd":
        if level:
            raise ApiError(
                400, "InvalidPerformanceLevel.Malformed", "The disk category has no performance levels."
            )
        return ""
    level = level or "PL1"
    if size < LEVELS[level]:
        raise ApiError(
            400,
            "InvalidDiskSize.NotSupported",
            f"The performance level {level} begins at {LEVELS[level]} GiB.",
        )
    return level


def create(
    call: Call,
    *,
    zone: str,
    category: str,
    size: int,
    snapshot: str,
    level: str,
    name: str,
    description: str,
    encrypted: bool,
    kms_key: str,
    resource_group: str,
    tags: dict[str, str],
) -> Disk:
    """A data disk that is in no machine."""
    return call.cloud.store.put(
        Disk(
            id=call.cloud.new_id("d-"),
            region=call.region,
            created=call.now,
            name=name,
            description=description,
            zone=zone,
            system=False,
            category=category,
            size=size,
            snapshot=snapshot,
            performance=checked(category, size, level),
            encrypted=encrypted,
            kms_key=kms_key,
            resource_group=resource_group or DEFAULT_GROUP,
            status="Creating",
            since=call.now,
            tags=tags,
        )
    )


def attach(call: Call, disk: Disk, instance: Instance, *, device: str, with_instance: bool) -> Disk:
    must_be(disk, "Available")
    instances.must_be(instance, "Running", "Stopped")
    if disk.zone != instance.zone:
        raise ApiError(
            403, "ResourcesNotInSameZone", "The specified instance and disk are not in the same zone."
        )
    taken = {one.device for one in instances.disks_of(call.cloud, instance)}
    if len(taken) > MOST_ON_INSTANCE:
        raise ApiError(
            403, "InstanceDiskLimitExceeded", "The amount of the disk on instance exceeds the limit."
        )
    free = next(
        f"/dev/xvd{letter}" for letter in "bcdefghijklmnopqrstuvwxyz" if f"/dev/xvd{letter}" not in taken
    )
    if device in taken:
        raise ApiError(403, "InvalidDevice.InUse", "The specified device has been occupied.")
    return call.cloud.store.put(
        disk.but(
            instance=instance.id,
            device=device or free,
            with_instance=with_instance,
            status="Attaching",
            since=call.now,
        )
    )


def detach(call: Call, disk: Disk, instance: Instance) -> Disk:
    must_be(disk, "In_use")
    if disk.instance != instance.id:
        raise ApiError(
            403, "DependencyViolation", "The specified disk has not been attached on the specified instance."
        )
    if disk.system:
        raise ApiError(400, "InvalidDiskCategory.NotSupported", "A system disk cannot be detached.")
    instances.must_be(instance, "Running", "Stopped")
    return call.cloud.store.put(disk.but(status="Detaching", since=call.now))


def delete(call: Call, disk: Disk) -> None:
    must_be(disk, "Available")
    must_not_be_copied(call.cloud, disk)
    auto_snapshot_policies.forget_disk(call.cloud, disk)
    call.cloud.store.remove(disk)


def resize(call: Call, disk: Disk, size: int) -> Disk:
    """Larger only."""
    if size <= disk.size:
        raise ApiError(
            403, "InvalidDiskSize.TooSmall", "Specified new disk size is less than the original size."
        )
    must_be(disk, "Available", "In_use")
    checked(disk.category, size, disk.performance)
    return call.cloud.store.put(disk.but(size=size))


def respecify(call: Call, disk: Disk, category: str, level: str) -> Disk:
    """Another category or performance level. level: empty for that which the category begins with."""
    must_be(disk, "Available", "In_use")
    if disk.instance:
        holder = instances.find(call.cloud, disk.region, disk.instance)
        instances.must_be(holder, "Running", "Stopped")
    if category != disk.category and category not in _BECOMES[disk.category]:
        raise ApiError(
            403,
            "InvalidDiskCategory.NotSupported",
            f"The disk category {disk.category} cannot be changed to {category}.",
        )
    if level == "PL0" and disk.performance:
        raise ApiError(
            400, "InvalidPerformanceLevel.Malformed", "The performance level cannot be lowered to PL0."
        )
    level = checked(category, disk.size, level)
    if (category, level) == (disk.category, disk.performance):
        raise ApiError(
            403,
            "NoChangeInDiskCategoryAndPerformanceLevel",
            "The specified disk category and performance level have not changed.",
        )
    return call.cloud.store.put(disk.but(category=category, performance=level))


auto_snapshot_policies.knows_disks(
    lambda cloud, region, disk_id: (
        (disk := cloud.store.get(Disk, disk_id)) is not None and disk.region == region
    )
)
resource_types.serves("disk", Disk)
resource_types.serves("instance", Instance)
