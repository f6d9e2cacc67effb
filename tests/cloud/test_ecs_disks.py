"""Disks by the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_ecs20140526 import models as m

from tests.cloud.conftest import Refused
from tests.cloud.machines import ZONE, R, moving, place, run
from tests.cloud.running import Clock

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs

__all__ = ["moving", "place"]  # fixtures


def make(ecs: Ecs, **more: Any) -> str:
    settings: dict[str, Any] = {"zone_id": ZONE, "size": 20} | more
    made: str = ecs.create_disk(m.CreateDiskRequest(**R, **settings)).body.disk_id
    return made


def told(ecs: Ecs, disk: str) -> Any:
    [one] = ecs.describe_disks(m.DescribeDisksRequest(**R, disk_ids=f'["{disk}"]')).body.disks.disk
    return one


def test_a_disk_goes_in_and_out_of_a_machine(
    ecs: Ecs, place: dict[str, str], clock: Clock, refused: Refused
) -> None:
    [machine] = run(ecs, place)
    disk = make(ecs, disk_name="data", encrypted=True)
    assert told(ecs, disk).status == "Creating"
    clock.later(2)
    one = told(ecs, disk)
    assert (one.status, one.disk_name, one.encrypted, one.performance_level) == (
        "Available",
        "data",
        True,
        "PL1",
    )
    both = {"disk_id": disk, "instance_id": machine}
    ecs.attach_disk(m.AttachDiskRequest(**both, delete_with_instance=True))
    assert told(ecs, disk).status == "Attaching"
    clock.later(1)
    one = told(ecs, disk)
    assert (one.status, one.device, one.instance_id, one.delete_with_instance) == (
        "In_use",
        "/dev/xvdb",
        machine,
        True,
    )
    with refused("IncorrectDiskStatus", 403):
        ecs.delete_disk(m.DeleteDiskRequest(disk_id=disk))
    with refused("IncorrectDiskStatus", 403):
        ecs.attach_disk(m.AttachDiskRequest(**both))
    ecs.detach_disk(m.DetachDiskRequest(**both))
    clock.later(1)
    one = told(ecs, disk)
    assert (one.status, one.instance_id, one.delete_with_instance) == ("Available", "", False)
    ecs.delete_disk(m.DeleteDiskRequest(disk_id=disk))
    assert ecs.describe_disks(m.DescribeDisksRequest(**R, disk_type="data")).body.total_count == 0


def test_it_grows_and_never_shrinks(ecs: Ecs, place: dict[str, str], clock: Clock, refused: Refused) -> None:
    disk = make(ecs)
    clock.later(1)
    ecs.resize_disk(m.ResizeDiskRequest(disk_id=disk, new_size=40))
    assert told(ecs, disk).size == 40
    with refused("InvalidDiskSize.TooSmall", 403):
        ecs.resize_disk(m.ResizeDiskRequest(disk_id=disk, new_size=40))
    ecs.modify_disk_attribute(m.ModifyDiskAttributeRequest(**R, disk_id=disk, disk_name="more"))
    assert told(ecs, disk).disk_name == "more"


def test_its_category_and_level_are_changed(
    ecs: Ecs, place: dict[str, str], clock: Clock, refused: Refused
) -> None:
    def change(disk: str, **wanted: str) -> Any:
        ecs.modify_disk_spec(m.ModifyDiskSpecRequest(disk_id=disk, **wanted))
        one = told(ecs, disk)
        return one.category, one.performance_level

    disk = make(ecs, disk_category="cloud_efficiency", size=500)
    with refused("IncorrectDiskStatus", 403):
        change(disk, disk_category="cloud_essd")
    clock.later(1)
    assert change(disk, disk_category="cloud_essd") == ("cloud_essd", "PL1")
    assert change(disk, performance_level="PL2") == ("cloud_essd", "PL2")
    with refused("NoChangeInDiskCategoryAndPerformanceLevel", 403):
        change(disk, performance_level="PL2")
    with refused("InvalidDiskSize.NotSupported"):
        change(disk, performance_level="PL3")
    with refused("InvalidPerformanceLevel.Malformed"):
        change(disk, performance_level="PL0")
    with refused("InvalidDiskCategory.NotSupported", 403):
        change(disk, disk_category="cloud_efficiency")
    assert change(disk, disk_category="cloud_auto") == ("cloud_auto", "")

    [machine] = run(ecs, place)
    [system] = ecs.describe_disks(m.DescribeDisksRequest(**R, instance_id=machine)).body.disks.disk
    with refused("IncorrectInstanceStatus", 403):  # it is not there yet
        change(system.disk_id, disk_category="cloud_auto")
    clock.later(2)
    assert change(system.disk_id, disk_category="cloud_auto") == ("cloud_auto", "")


def test_what_the_official_provider_sends_besides_is_taken(
    ecs: Ecs, place: dict[str, str], clock: Clock, refused: Refused
) -> None:
    [machine] = run(ecs, place)
    disk = make(ecs)
    clock.later(2)
    asked = {"disk_id": disk, "instance_id": machine, "delete_with_instance": True}
    with pytest.raises(Exception, match="Bootable"):
        ecs.attach_disk(m.AttachDiskRequest(**asked, bootable=True))
    ecs.attach_disk(m.AttachDiskRequest(**asked, bootable=False))
    clock.later(1)
    ecs.detach_disk(m.DetachDiskRequest(**asked))
    clock.later(1)
    assert (told(ecs, disk).status, told(ecs, disk).delete_with_instance) == ("Available", False)


def test_what_does_not_fit_is_refused(
    ecs: Ecs, place: dict[str, str], clock: Clock, refused: Refused
) -> None:
    [machine] = run(ecs, place)
    with refused("InvalidDiskSize.NotSupported"):
        make(ecs, size=10)
    with refused("InvalidDiskSize.NotSupported"):
        make(ecs, performance_level="PL2")
    with refused("InvalidZoneId.NotFound", 404):
        make(ecs, zone_id="cn-hangzhou-z")
    away = make(ecs, zone_id="cn-hangzhou-b")
    clock.later(2)
    with refused("ResourcesNotInSameZone", 403):
        ecs.attach_disk(m.AttachDiskRequest(disk_id=away, instance_id=machine))
    with refused("InvalidDiskId.NotFound", 404):
        ecs.attach_disk(m.AttachDiskRequest(disk_id="d-none", instance_id=machine))
    [system] = ecs.describe_disks(m.DescribeDisksRequest(**R, disk_type="system")).body.disks.disk
    with refused("InvalidDiskCategory.NotSupported"):
        ecs.detach_disk(m.DetachDiskRequest(disk_id=system.disk_id, instance_id=machine))
