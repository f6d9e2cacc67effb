"""Snapshots that are made and removed by themselves, by the clock.

https://help.aliyun.com/zh/ecs/user-guide/automatic-snapshot-overview
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from emulator.cloud import Cloud
from emulator.services.ecs import disks, snapshots
from emulator.services.ecs.model_instances import Disk
from emulator.services.ecs.model_policies import AutoSnapshotAssociation, AutoSnapshotPolicy
from emulator.services.ecs.model_snapshots import Snapshot

_LOCAL: Final = timezone(timedelta(hours=8))
"""The hours and weekdays of a policy are those of this time, in every region."""
FACT: Final = "automatic snapshots through"
"""The hour up to which they are made, in seconds since 1970."""


def run(cloud: Cloud) -> None:
    """Make what is due since the last time, remove what has been kept for long enough. Cheap: call it often.

    A cloud that was away makes one snapshot of a disk, however often one was due meanwhile: the disk's
    earlier contents are gone. Disks that are busy then, and system disks, are passed over.
    """
    now = cloud.now()
    for one in cloud.store.all(Snapshot):
        over = one.created + timedelta(days=one.retention_days)
        if one.retention_days and over <= now and not snapshots.readers(cloud, one):
            cloud.store.remove(one)
    hour = now.replace(minute=0, second=0, microsecond=0)
    told = cloud.store.fact(FACT)
    through = datetime.fromtimestamp(int(told), UTC) if told else hour
    if told and hour <= through:
        return
    with cloud.store.transaction():
        cloud.store.set_fact(FACT, str(int(hour.timestamp())))
        for association in cloud.store.all(AutoSnapshotAssociation):
            policy = cloud.store.get(AutoSnapshotPolicy, association.policy)
            disk = cloud.store.get(Disk, association.id)
            if policy is None or disk is None or not disk.auto_snapshots or disk.system:
                continue
            begun = max(through, association.created)
            if at := _last_due(policy, begun, hour):
                _make(cloud, policy, disk, at)


def _last_due(policy: AutoSnapshotPolicy, after: datetime, until: datetime) -> datetime | None:
    """The last full hour of a policy in (after, until]."""
    at = until
    while at > after and at > until - timedelta(days=7):
        local = at.astimezone(_LOCAL)
        if local.hour in policy.hours and local.isoweekday() in policy.weekdays:
            return at
        at -= timedelta(hours=1)
    return None


def _make(cloud: Cloud, policy: AutoSnapshotPolicy, disk: Disk, at: datetime) -> None:
    if disk.status not in ("Available", "In_use") or disks.being_copied(cloud, disk):
        return
    cloud.store.put(
        Snapshot(
            id=cloud.new_id("s-"),
            region=disk.region,
            created=cloud.now(),
            name=f"auto2.0_{at.astimezone(_LOCAL):%Y%m%d}_{policy.id}",
            automatic=True,
            disk=disk.id,
            size=disk.size,
            encrypted=disk.encrypted,
            kms_key=disk.kms_key,
            retention_days=max(policy.retention, 0),
            resource_group=disk.resource_group,
            status="progressing",
            since=cloud.now(),
            changed=cloud.now(),
        )
    )
