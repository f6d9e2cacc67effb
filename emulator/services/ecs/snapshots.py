"""Rules of snapshots. What copies the bytes is emulator/plane."""

from __future__ import annotations

from typing import Literal

from emulator.api.call import Call
from emulator.api.errors import ApiError, missing_parameter, not_served
from emulator.cloud import Cloud
from emulator.services.ecs import disks, instances, resource_types
from emulator.services.ecs.model_instances import Disk, Instance
from emulator.services.ecs.model_snapshots import Snapshot


def find(cloud: Cloud, region: str, snapshot_id: str) -> Snapshot:
    """region: empty for any. Raises ApiError for one that is not there."""
    found = cloud.store.get(Snapshot, snapshot_id)
    if found is None or region not in ("", found.region):
        raise ApiError(404, "InvalidSnapshotId.NotFound", "The specified SnapshotId does not exist.")
    return found


def create(
    call: Call,
    disk: Disk,
    *,
    name: str,
    description: str,
    category: Literal["standard", "flash"],
    retention_days: int,
    resource_group: str,
    tags: dict[str, str],
) -> Snapshot:
    """What is on the disk from now on may change: the copy is of one moment after this."""
    if disk.system:
        raise not_served(call.action, "DiskId of a system disk")
    disks.must_be(disk, "Available", "In_use")
    disks.must_not_be_copied(call.cloud, disk)
    return call.cloud.store.put(
        Snapshot(
            id=call.cloud.new_id("s-"),
            region=disk.region,
            created=call.now,
            name=name,
            description=description,
            disk=disk.id,
            size=disk.size,
            encrypted=disk.encrypted,
            kms_key=disk.kms_key,
            category=category,
            retention_days=retention_days,
            resource_group=resource_group or disk.resource_group,
            status="progressing",
            since=call.now,
            changed=call.now,
            tags=tags,
        )
    )


def must_be_whole(snapshot: Snapshot) -> None:
    """Raises ApiError while its bytes are still being copied."""
    if snapshot.status != "accomplished":
        raise ApiError(
            403, "IncorrectSnapshotStatus", "The current status of the snapshot does not allow it."
        )


def disk_size(cloud: Cloud, region: str, snapshot_id: str, size: int | None, parameter: str) -> int:
    """GiB of a disk that is made: of a snapshot, unless that is empty, it may be larger than it, not smaller.

    parameter: the size's. Raises ApiError, also for a snapshot that is not there or not whole.
    """
    if not snapshot_id:
        if size is None:
            raise missing_parameter(parameter)
        return size
    snapshot = find(cloud, region, snapshot_id)
    must_be_whole(snapshot)
    if size is not None and size < snapshot.size:
        raise ApiError(
            403, "InvalidDiskSize.TooSmall", "Specified disk size is less than the size of the snapshot."
        )
    return size or snapshot.size


def reset(call: Call, disk: Disk, snapshot: Snapshot) -> Disk:
    """The disk as it was. What it has now is gone. Its machine does not run meanwhile."""
    if snapshot.disk != disk.id:
        raise ApiError(
            400, "InvalidParameter.Mismatch", "The specified snapshot was not made of the specified disk."
        )
    must_be_whole(snapshot)
    disks.must_be(disk, "In_use", "Available")
    if disk.instance:
        instances.must_be(instances.find(call.cloud, disk.region, disk.instance), "Stopped")
    return call.cloud.store.put(disk.but(resetting=snapshot.id, status="ReIniting", since=call.now))


def readers(cloud: Cloud, snapshot: Snapshot) -> list[str]:
    """The disks that are just being made of it, or set back to it."""
    unmade = {one.id for one in cloud.store.all(Instance) if one.status == "Pending"}
    return [
        one.id
        for one in cloud.store.all(Disk)
        if one.resetting == snapshot.id
        or (one.snapshot == snapshot.id and (one.status == "Creating" or one.instance in unmade))
    ]


def delete(call: Call, snapshot: Snapshot) -> None:
    if busy := readers(call.cloud, snapshot):
        raise ApiError(403, "SnapshotCreatedDisk", f"The snapshot is just being read. ({busy[0]})")
    call.cloud.store.remove(snapshot)


resource_types.serves("snapshot", Snapshot)
