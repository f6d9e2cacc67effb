"""Disks, types and public addresses of real machines of the emulated cloud."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import docker
import pytest
from alibabacloud_ecs20140526 import models as m

from emulator.services.ecs import automatic_snapshots
from emulator.services.ecs.model_policies import AutoSnapshotAssociation
from emulator.store import Store
from tests.docker.clouds import ZONE, Cloud, R, until

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    found = docker.from_env(timeout=600)
    yield found
    found.close()


@pytest.fixture(scope="module")
def cloud(client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    made = Cloud(client, tmp_path_factory.mktemp("cloud"))
    yield made
    made.stop()
    assert made.left() == []


@pytest.fixture(scope="module")
def machine(cloud: Cloud) -> str:
    """With a public address of its own, and a disk with a file system on it."""
    vpc, [switch] = cloud.network("10.0.0.0/16", "10.0.1.0/24")
    group = cloud.group(vpc)
    cloud.allow(group, "22/22")
    [made] = cloud.run(
        switch, group, internet_max_bandwidth_out=5, data_disk=[m.RunInstancesRequestDataDisk(size=20)]
    )
    cloud.reaches(made, "Running")
    return made


def test_what_could_not_be_deleted_at_once_goes_later(cloud: Cloud, client: docker.DockerClient) -> None:
    made = m.CreateDiskRequest(**R, zone_id=ZONE, size=20, disk_category="cloud_essd")
    id = cloud.ecs.create_disk(made).body.disk_id
    until("the disk", lambda: disk(cloud, id).status == "Available" or None)
    [plumber] = [one for one in client.containers.list() if one.name == f"berth-cloud-{cloud.name}-plumber"]

    def files() -> str:
        return plumber.exec_run(["ls", "/disks"]).output.decode()

    assert f"{id}.img" in files()
    plumber.pause()
    try:
        cloud.ecs.delete_disk(m.DeleteDiskRequest(disk_id=id))
        time.sleep(5)  # two looks and more
    finally:
        plumber.unpause()
    until("its file is gone", lambda: f"{id}.img" not in files() or None)


def address(cloud: Cloud, machine: str) -> str:
    [found] = cloud.told(machine).public_ip_address.ip_address
    return str(found)


def says(cloud: Cloud, machine: str, command: str) -> str:
    return cloud.answers(address(cloud, machine), command).strip()


def data(cloud: Cloud, machine: str) -> str:
    asked = m.DescribeDisksRequest(**R, instance_id=machine, disk_type="data")
    held = cloud.ecs.describe_disks(asked).body.disks.disk
    [found] = [one.disk_id for one in held if one.device == "/dev/xvdb"]
    return str(found)


def disk(cloud: Cloud, id: str) -> Any:
    [found] = cloud.ecs.describe_disks(m.DescribeDisksRequest(**R, disk_ids=f'["{id}"]')).body.disks.disk
    return found


def test_its_own_public_address_reaches_it(cloud: Cloud, machine: str) -> None:
    before = address(cloud, machine)
    assert says(cloud, machine, "curl -s http://100.100.100.200/latest/meta-data/instance-id") == machine
    cloud.ecs.reboot_instance(m.RebootInstanceRequest(instance_id=machine, force_stop=True))
    cloud.reaches(machine, "Running")
    assert address(cloud, machine) == before and says(cloud, machine, "echo here") == "here"


def test_a_disk_grows_under_what_is_on_it(cloud: Cloud, machine: str) -> None:
    where = "/dev/vdb"
    says(
        cloud,
        machine,
        f"mkfs.ext4 -q {where} && mkdir -p /data && mount {where} /data && echo kept > /data/a",
    )
    cloud.ecs.resize_disk(m.ResizeDiskRequest(disk_id=data(cloud, machine), new_size=40, type="online"))

    def size() -> bool | None:
        return says(cloud, machine, f"blockdev --getsize64 {where}") == str(40 * 2**30) or None

    until("the device has grown", size)
    # Mounted, it would need CAP_SYS_RESOURCE, which not every host can give to a container.
    check = f"umount /data && e2fsck -fp {where} >/dev/null"
    says(cloud, machine, f"{check} && resize2fs {where} 2>/dev/null && mount {where} /data")
    assert says(cloud, machine, "cat /data/a") == "kept"
    assert int(says(cloud, machine, "df --output=size -BG /data | tail -n 1 | tr -dc 0-9")) >= 39


def test_another_type_is_there_after_the_next_start(
    cloud: Cloud, machine: str, client: docker.DockerClient
) -> None:
    container = client.containers.get(f"berth-cloud-{cloud.name}-{machine}")
    assert container.attrs["HostConfig"]["Memory"] == 4 << 30
    cloud.ecs.stop_instance(m.StopInstanceRequest(instance_id=machine, force_stop=True))
    cloud.reaches(machine, "Stopped")
    cloud.ecs.modify_instance_spec(
        m.ModifyInstanceSpecRequest(instance_id=machine, instance_type="ecs.g7.large")
    )
    cloud.ecs.start_instance(m.StartInstanceRequest(instance_id=machine))
    cloud.reaches(machine, "Running")
    container.reload()
    assert container.attrs["HostConfig"]["Memory"] == 8 << 30
    assert container.attrs["HostConfig"]["MemorySwap"] == 8 << 30


def test_a_snapshot_has_what_was_on_the_disk(cloud: Cloud, machine: str) -> None:
    one = data(cloud, machine)
    says(cloud, machine, "mountpoint -q /data || mount /dev/vdb /data; echo first > /data/a")
    made = cloud.ecs.create_snapshot(m.CreateSnapshotRequest(disk_id=one)).body.snapshot_id

    def whole() -> bool | None:
        asked = m.DescribeSnapshotsRequest(**R, snapshot_ids=f'["{made}"]')
        [found] = cloud.ecs.describe_snapshots(asked).body.snapshots.snapshot
        return found.status == "accomplished" or None

    until("the snapshot is whole", whole)
    says(cloud, machine, "echo second > /data/a; sync")
    asked = m.CreateDiskRequest(**R, zone_id=ZONE, snapshot_id=made)
    copy = cloud.ecs.create_disk(asked).body.disk_id
    until("the copy is there", lambda: disk(cloud, copy).status == "Available" or None)
    assert disk(cloud, copy).size == 40
    cloud.ecs.attach_disk(m.AttachDiskRequest(disk_id=copy, instance_id=machine))
    until("it is in", lambda: disk(cloud, copy).status == "In_use" or None)
    assert (
        says(cloud, machine, "mkdir -p /copy && mount /dev/vdc /copy && cat /copy/a /data/a")
        == "first\nsecond"
    )
    # One that is mounted is unmounted as it is taken out, with what was just written.
    says(cloud, machine, "echo third > /copy/a")
    cloud.ecs.detach_disk(m.DetachDiskRequest(disk_id=copy, instance_id=machine))
    until("it is out", lambda: disk(cloud, copy).status == "Available" or None)
    assert says(cloud, machine, "mountpoint -q /copy || echo out") == "out"
    cloud.ecs.attach_disk(m.AttachDiskRequest(disk_id=copy, instance_id=machine))
    until("it is in again", lambda: disk(cloud, copy).status == "In_use" or None)
    assert says(cloud, machine, "mount /dev/vdc /copy && cat /copy/a") == "third"
    cloud.ecs.stop_instance(m.StopInstanceRequest(instance_id=machine))
    cloud.reaches(machine, "Stopped")
    cloud.ecs.reset_disk(m.ResetDiskRequest(disk_id=one, snapshot_id=made))
    until("it is set back", lambda: disk(cloud, one).status == "In_use" or None)
    cloud.ecs.start_instance(m.StartInstanceRequest(instance_id=machine))
    cloud.reaches(machine, "Running")
    assert says(cloud, machine, "mount /dev/vdb /data && cat /data/a") == "first"
    cloud.ecs.delete_snapshot(m.DeleteSnapshotRequest(snapshot_id=made))
    plumber = cloud.client.containers.get(f"berth-cloud-{cloud.name}-plumber")
    until("its file is gone", lambda: plumber.exec_run(["sh", "-c", "ls /disks/*.snap"]).exit_code or None)


def test_a_policy_makes_one_by_itself(cloud: Cloud, machine: str) -> None:
    every = {"repeat_weekdays": json.dumps(list(range(1, 8))), "time_points": json.dumps(list(range(24)))}
    asked = m.CreateAutoSnapshotPolicyRequest(**R, **every, retention_days=1)
    policy = cloud.ecs.create_auto_snapshot_policy(asked).body.auto_snapshot_policy_id
    one = data(cloud, machine)
    applied = m.ApplyAutoSnapshotPolicyRequest(
        **R, auto_snapshot_policy_id=policy, disk_ids=json.dumps([one])
    )
    cloud.ecs.apply_auto_snapshot_policy(applied)
    port = int(cloud.url.rpartition(":")[2])
    cloud.kill()
    # As it would be in the next hour.
    store = Store(cloud.folder / "cloud" / "state.sqlite")
    held = store.get(AutoSnapshotAssociation, one)
    assert held is not None
    store.put(held.but(created=held.created - timedelta(hours=2)))
    told = store.fact(automatic_snapshots.FACT)
    assert told is not None
    store.set_fact(automatic_snapshots.FACT, str(int(told) - 3600))
    store.close()
    cloud.start(port)

    def whole() -> Any:
        asked = m.DescribeSnapshotsRequest(**R, disk_id=one, snapshot_type="auto")
        found = cloud.ecs.describe_snapshots(asked).body.snapshots.snapshot
        return found[0] if found and found[0].status == "accomplished" else None

    made = until("the snapshot is whole", whole, 60)
    assert made.snapshot_name.endswith(policy)
    cloud.ecs.delete_snapshot(m.DeleteSnapshotRequest(snapshot_id=made.snapshot_id))


def test_a_machine_that_is_made_anew_has_what_was_on_its_disks(
    cloud: Cloud, client: docker.DockerClient, machine: str
) -> None:
    """Also where a disk was made of a snapshot, which it is not to become again."""
    made = cloud.ecs.create_snapshot(m.CreateSnapshotRequest(disk_id=data(cloud, machine))).body.snapshot_id

    def whole() -> bool | None:
        asked = m.DescribeSnapshotsRequest(**R, snapshot_ids=json.dumps([made]))
        return cloud.ecs.describe_snapshots(asked).body.snapshots.snapshot[0].available or None

    until("the snapshot is whole", whole)
    vpc, [switch] = cloud.network("10.1.0.0/16", "10.1.1.0/24")
    group = cloud.group(vpc)
    cloud.allow(group, "22/22")
    source = m.RunInstancesRequestDataDisk(snapshot_id=made)
    [other] = cloud.run(switch, group, internet_max_bandwidth_out=5, data_disk=[source])
    cloud.reaches(other, "Running")
    says(cloud, other, "mkdir -p /data && mount /dev/vdb /data && echo later > /data/a && umount /data")
    cloud.ecs.delete_snapshot(m.DeleteSnapshotRequest(snapshot_id=made))
    client.containers.get(f"berth-cloud-{cloud.name}-{other}").remove(force=True)
    until("it is seen", lambda: cloud.told(other).status != "Running" or None, 30)
    cloud.reaches(other, "Running")
    assert says(cloud, other, "mkdir -p /data && mount /dev/vdb /data && cat /data/a") == "later"
