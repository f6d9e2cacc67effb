"""Snapshots that policies make, and that go again, as time passes. Hours are those of UTC+8."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_ecs20140526 import models as m
from hypothesis import given
from hypothesis import strategies as st

from emulator.clockwork import move
from emulator.cloud import Cloud
from emulator.services.ecs.automatic_snapshots import _last_due
from emulator.services.ecs.model_instances import Disk
from emulator.services.ecs.model_policies import AutoSnapshotAssociation, AutoSnapshotPolicy
from emulator.services.ecs.model_snapshots import Snapshot
from tests.cloud.machines import R, moving, place, run
from tests.cloud.running import Clock
from tests.cloud.test_ecs_disks import make
from tests.cloud.test_ecs_policies import apply, described
from tests.cloud.test_ecs_snapshots import listed, snapshot

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs

__all__ = ["moving", "place"]  # fixtures

_NOW = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY = _NOW + timedelta(days=8 - _NOW.isoweekday())
"""The next Monday, at midnight: what a cloud has done already it does not do again."""
MONDAY = DAY + timedelta(hours=9, minutes=30)
"""17:30 at UTC+8."""
Until = Callable[[datetime], list[str]]


@pytest.fixture
def passes(cloud: Cloud, moving: Cloud, clock: Clock) -> Until:
    """Lets time pass, in steps of 20 minutes; answers the day and hour of those that are there in the end.

    Before and after it the clock is that of the machine, by which the SDK signs.
    """
    real = clock.time

    def pass_(end: datetime) -> list[str]:
        clock.time = begun[0]
        while clock.time < end:
            clock.later(1200)
            move(moving)
            clock.later(1)
            move(moving)
        begun[0], clock.time = clock.time, real
        found = sorted(one.created for one in cloud.store.all(Snapshot) if one.automatic)
        return [f"{(at - DAY).days}d{at:%H}" for at in found]

    begun = [MONDAY]
    clock.time = MONDAY
    move(moving)
    clock.time = real
    return pass_


def policy(ecs: Ecs, disk: str, cloud: Cloud, **changed: Any) -> str:
    """On the disk since Monday, or since `begun`."""
    begun = changed.pop("begun", MONDAY)
    usual = {"repeat_weekdays": '["1","3"]', "time_points": '["18","2"]', "retention_days": -1}
    asked = m.CreateAutoSnapshotPolicyRequest(**R, **(usual | changed))
    made: str = ecs.create_auto_snapshot_policy(asked).body.auto_snapshot_policy_id
    apply(ecs, made, disk)
    held = cloud.store.get(AutoSnapshotAssociation, disk)
    assert held is not None
    cloud.store.put(held.but(created=begun))
    return made


def disk_of(ecs: Ecs, cloud: Cloud, clock: Clock, **more: Any) -> str:
    made = make(ecs, **more)
    clock.later(1)
    move(cloud)
    return made


def test_they_are_made_at_their_hours(ecs: Ecs, cloud: Cloud, clock: Clock, passes: Until) -> None:
    disk = disk_of(ecs, cloud, clock, size=30, encrypted=True)
    made = policy(ecs, disk, cloud)
    # Monday 18:00 and Wednesday 02:00 and 18:00 there are these hours of UTC; Monday 02:00 was before.
    assert passes(MONDAY + timedelta(days=3)) == ["0d10", "1d18", "2d10"]
    [one, *_] = sorted(listed(ecs), key=lambda one: str(one.creation_time))
    assert (one.snapshot_name, one.snapshot_type, one.source_disk_id, one.source_disk_size) == (
        f"auto2.0_{DAY:%Y%m%d}_{made}",
        "auto",
        disk,
        "30",
    )
    assert (one.status, one.progress, one.encrypted, one.retention_days) == ("accomplished", "100%", True, 0)
    snapshot(ecs, disk, snapshot_name="mine")
    assert len(listed(ecs, snapshot_type="auto")) == 3 and len(listed(ecs, snapshot_type="user")) == 1


def test_they_go_when_their_days_are_over(ecs: Ecs, cloud: Cloud, clock: Clock, passes: Until) -> None:
    disk = disk_of(ecs, cloud, clock)
    policy(ecs, disk, cloud, repeat_weekdays='["1","2","3","4","5","6","7"]', retention_days=2)
    assert passes(MONDAY + timedelta(days=4)) == ["2d10", "2d18", "3d10", "3d18"]


def test_so_do_those_made_by_hand_with_days(ecs: Ecs, cloud: Cloud, clock: Clock, moving: Cloud) -> None:
    disk = disk_of(ecs, cloud, clock)
    for days in (1, None):
        snapshot(ecs, disk, retention_days=days)
        clock.later(1)
        move(moving)
    real = clock.time
    clock.later(86400)
    move(moving)
    clock.time = real
    assert [one.retention_days for one in listed(ecs)] == [0]


def test_one_that_is_being_read_stays_until_it_is_not(
    ecs: Ecs, cloud: Cloud, clock: Clock, moving: Cloud
) -> None:
    source = disk_of(ecs, cloud, clock)
    taken = snapshot(ecs, source, retention_days=1)
    clock.later(1)
    move(moving)
    cloud.pace = 10**6
    made = make(ecs, snapshot_id=taken, size=None)
    clock.later(90000)
    move(moving)
    assert cloud.store.get(Snapshot, taken) is not None
    cloud.pace = 1
    move(moving)
    move(moving)
    held = cloud.store.get(Disk, made)
    assert held is not None and held.status == "Available"
    assert cloud.store.get(Snapshot, taken) is None


def test_a_cloud_that_was_away_makes_one(ecs: Ecs, cloud: Cloud, clock: Clock, moving: Cloud) -> None:
    disk = disk_of(ecs, cloud, clock)
    real = clock.time
    clock.time = MONDAY
    move(moving)
    clock.time = real
    policy(ecs, disk, cloud)
    clock.time = MONDAY + timedelta(days=5)
    move(moving)
    [one] = cloud.store.all(Snapshot)
    assert one.name.startswith(f"auto2.0_{DAY + timedelta(days=2):%Y%m%d}_"), "the last that was due"
    assert one.created == clock.time, "what is on it is of now"


def test_what_is_passed_over(
    ecs: Ecs, place: dict[str, str], cloud: Cloud, clock: Clock, passes: Until
) -> None:
    off, busy, later = (disk_of(ecs, cloud, clock) for _ in range(3))
    [machine] = run(ecs, place)
    [system] = [one.id for one in cloud.store.all(Disk) if one.instance == machine]
    for disk in (off, busy, system):
        policy(ecs, disk, cloud)
    policy(ecs, later, cloud, begun=MONDAY + timedelta(hours=1))
    ecs.modify_disk_attribute(m.ModifyDiskAttributeRequest(**R, disk_id=off, enable_auto_snapshot=False))
    held = cloud.store.get(Disk, busy)
    assert held is not None
    cloud.store.put(held.but(status="Attaching", since=MONDAY + timedelta(days=10)))
    assert passes(MONDAY + timedelta(hours=6)) == []


def test_a_disk_that_goes_takes_its_policy_and_what_it_says_with_it(
    ecs: Ecs, place: dict[str, str], cloud: Cloud, clock: Clock, passes: Until
) -> None:
    [machine] = run(
        ecs, place, data_disk=[m.RunInstancesRequestDataDisk(size=20, delete_with_instance=True)] * 2
    )
    clock.later(5)
    move(cloud)
    disks = [one.id for one in cloud.store.all(Disk) if one.instance == machine and not one.system]
    for disk in disks:
        made = policy(ecs, disk, cloud, time_points='["18"]')
    ecs.modify_disk_attribute(m.ModifyDiskAttributeRequest(**R, disk_id=disks[0], delete_auto_snapshot=True))
    assert passes(MONDAY + timedelta(hours=2)) == ["0d10", "0d10"]
    ecs.delete_instance(m.DeleteInstanceRequest(instance_id=machine, force=True))
    assert [one.source_disk_id for one in listed(ecs)] == [disks[1]]
    assert described(ecs, auto_snapshot_policy_id=made)[0].disk_nums == 0


@given(
    st.sets(st.integers(0, 23), min_size=1),
    st.sets(st.integers(1, 7), min_size=1),
    st.integers(0, 400),
    st.integers(0, 200),
)
def test_the_last_due_hour_is_one_of_the_policy_and_none_is_after_it(
    hours: set[int], weekdays: set[int], began: int, length: int
) -> None:
    held = AutoSnapshotPolicy.model_validate(
        {
            "id": "sp-1",
            "region": "cn-hangzhou",
            "weekdays": tuple(weekdays),
            "hours": tuple(hours),
            "retention": -1,
            "resource_group": "rg",
        }
    )
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=began)
    end = start + timedelta(hours=length)

    def due(at: datetime) -> bool:
        there = at + timedelta(hours=8)
        return there.hour in hours and there.isoweekday() in weekdays

    every = [at for i in range(1, length + 1) if due(at := start + timedelta(hours=i))]
    recent = [at for at in every if at > end - timedelta(days=7)]
    assert _last_due(held, start, end) == (recent[-1] if recent else None)
    assert bool(recent) == bool(every), "every policy is due within a week"
