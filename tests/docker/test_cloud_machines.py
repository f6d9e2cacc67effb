"""Machines of the emulated cloud: by the SDKs that make them, and by the packets that reach them."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Iterator

import docker
import pytest
from alibabacloud_ecs20140526 import models as m
from alibabacloud_vpc20160428 import models as v

from tests.docker.clouds import ZONE, Cloud, R, until

pytestmark = pytest.mark.docker
BOOT = """#!/bin/sh
hostname > /root/first
date +%s.%N >> /root/boots
for port in 8080 8081; do
    nohup python3 -m http.server $port --directory /root >/dev/null 2>&1 &
done
"""


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
    assert made.left() == [], "it leaves nothing behind"


class World:
    """Two machines in two vSwitches of one VPC, and one in another VPC of the same addresses."""

    def __init__(self, cloud: Cloud) -> None:
        text = base64.b64encode(BOOT.encode()).decode()
        vpc, switches = cloud.network("10.0.0.0/16", "10.0.1.0/24", "10.0.2.0/24")
        self.group, self.inner = cloud.group(vpc), cloud.group(vpc)
        cloud.allow(self.group, "22/22")
        cloud.allow(self.inner, "22/22")
        [self.web] = cloud.run(
            switches[0], self.group, user_data=text, host_name="web", http_tokens="required"
        )
        [self.db] = cloud.run(switches[1], self.inner, user_data=text, host_name="db")
        other, [far] = cloud.network("10.0.0.0/16", "10.0.1.0/24")
        self.apart = cloud.group(other)
        cloud.allow(self.apart, "1/65535")
        [self.stranger] = cloud.run(far, self.apart, user_data=text)
        for one in (self.web, self.db, self.stranger):
            cloud.reaches(one, "Running")
        self.address, self.db_address, self.strangers = map(cloud.eip, (self.web, self.db, self.stranger))
        self.private = {
            one: cloud.told(one).vpc_attributes.private_ip_address.ip_address[0]
            for one in (self.web, self.db, self.stranger)
        }


@pytest.fixture(scope="module")
def world(cloud: Cloud) -> World:
    return World(cloud)


def opens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 1).close()
    except OSError:
        return False
    return True


def test_a_machine_boots_runs_its_user_data_and_docker(cloud: Cloud, world: World) -> None:
    assert cloud.answers(world.address, "cloud-init status --wait >/dev/null; cat /root/first") == "web\n"
    version = cloud.answers(world.address, "docker version --format '{{.Server.Version}}'")
    assert version[0].isdigit()
    assert cloud.answers(world.address, "systemctl is-active ssh docker").split() == ["active", "active"]


def test_metadata_want_a_token_where_it_is_required(cloud: Cloud, world: World) -> None:
    place = "http://100.100.100.200/latest"
    bare = f"curl -s -o /dev/null -w '%{{http_code}}' {place}/meta-data/instance-id"
    assert cloud.answers(world.address, bare) == "403"
    header = "X-aliyun-ecs-metadata-token"
    asked = (
        f"t=$(curl -s -X PUT -H '{header}-ttl-seconds: 60' {place}/api/token); "
        f'curl -s -H "{header}: $t" {place}/meta-data/instance-id'
    )
    assert cloud.answers(world.address, asked) == world.web
    assert cloud.answers(world.db_address, f"curl -s {place}/meta-data/instance-id") == world.db


def test_packets_pass_as_the_rules_say_and_follow_each_change(cloud: Cloud, world: World) -> None:
    cloud.booted(world.address)
    assert opens(world.address, 22) and not opens(world.address, 8080)
    cloud.allow(world.group, "8080/8080")
    began = time.monotonic()
    until("the new rule", lambda: opens(world.address, 8080) or None, 10)
    assert time.monotonic() - began < 8
    assert not opens(world.address, 8081)
    drop = m.AuthorizeSecurityGroupRequest(
        **R, security_group_id=world.group, ip_protocol="tcp", port_range="8080/8080",
        source_cidr_ip="0.0.0.0/0", policy="drop", priority="1",
    )  # fmt: skip
    cloud.ecs.authorize_security_group(drop)
    until("drop wins", lambda: not opens(world.address, 8080) or None, 10)


def test_a_group_may_be_the_source_and_vpcs_are_apart(cloud: Cloud, world: World) -> None:
    cloud.booted(world.db_address)
    tries = f"curl -s -o /dev/null -m 2 http://{world.private[world.db]}:8080/first && echo yes || echo no"
    assert cloud.answers(world.address, tries) == "no\n"
    cloud.allow(world.inner, "8080/8080", source_group_id=world.group)
    until("the group's rule", lambda: cloud.ssh(world.address, tries).stdout == "yes\n" or None, 15)
    # The stranger has the same private network, and reaches nobody in this one.
    assert cloud.answers(world.strangers, tries) == "no\n"


def test_it_stops_starts_and_runs_its_user_data_once(cloud: Cloud, world: World) -> None:
    cloud.booted(world.address)
    cloud.ecs.stop_instance(m.StopInstanceRequest(instance_id=world.web))
    cloud.reaches(world.web, "Stopped")
    assert not opens(world.address, 22)
    cloud.ecs.start_instance(m.StartInstanceRequest(instance_id=world.web))
    cloud.reaches(world.web, "Running")
    assert cloud.answers(world.address, "cloud-init status --wait >/dev/null; wc -l < /root/boots") == "1\n"
    cloud.ecs.reboot_instance(m.RebootInstanceRequest(instance_id=world.web))
    cloud.reaches(world.web, "Running")
    assert cloud.answers(world.address, "hostname") == "web\n"


def test_a_disk_keeps_what_was_written_from_machine_to_machine(cloud: Cloud, world: World) -> None:
    disk = cloud.ecs.create_disk(m.CreateDiskRequest(**R, zone_id=ZONE, size=20)).body.disk_id

    def is_(status: str) -> bool | None:
        asked = m.DescribeDisksRequest(**R, disk_ids=f'["{disk}"]')
        return cloud.ecs.describe_disks(asked).body.disks.disk[0].status == status or None

    until("it is made", lambda: is_("Available"))
    cloud.ecs.attach_disk(m.AttachDiskRequest(disk_id=disk, instance_id=world.web))
    until("it is in", lambda: is_("In_use"))
    cloud.answers(
        world.address, "mkfs.ext4 -q /dev/vdb && mount /dev/vdb /mnt && echo kept > /mnt/word && sync"
    )
    cloud.answers(world.address, "umount /mnt")
    cloud.ecs.detach_disk(m.DetachDiskRequest(disk_id=disk, instance_id=world.web))
    until("it is out", lambda: is_("Available"))
    assert cloud.ssh(world.address, "test -e /dev/vdb").returncode == 1
    cloud.ecs.attach_disk(m.AttachDiskRequest(disk_id=disk, instance_id=world.db))
    until("it is in the other", lambda: is_("In_use"))
    assert cloud.answers(world.db_address, "mount /dev/vdb /mnt && cat /mnt/word && umount /mnt") == "kept\n"
    cloud.ecs.detach_disk(m.DetachDiskRequest(disk_id=disk, instance_id=world.db))
    until("it is out again", lambda: is_("Available"))
    cloud.ecs.delete_disk(m.DeleteDiskRequest(disk_id=disk))


def test_a_cloud_that_was_killed_goes_on(cloud: Cloud, world: World) -> None:
    cloud.answers(world.address, "setsid -f python3 -m http.server 8081 >/dev/null 2>&1")
    before = cloud.answers(world.address, "cut -d' ' -f22 /proc/1/stat")
    port = int(cloud.url.rpartition(":")[2])
    cloud.kill()
    assert opens(world.address, 22), "machines do not need it to run"
    cloud.start(port)
    assert cloud.told(world.web).status == "Running"
    assert cloud.answers(world.address, "cut -d' ' -f22 /proc/1/stat") == before
    cloud.allow(world.group, "8081/8081")
    until("a rule after that", lambda: opens(world.address, 8081) or None, 15)


def test_what_is_released_is_gone(cloud: Cloud, world: World, client: docker.DockerClient) -> None:
    [eip] = [
        one
        for one in cloud.vpc.describe_eip_addresses(
            v.DescribeEipAddressesRequest(**R)
        ).body.eip_addresses.eip_address
        if one.instance_id == world.stranger
    ]
    cloud.vpc.unassociate_eip_address(v.UnassociateEipAddressRequest(**R, allocation_id=eip.allocation_id))
    until("the address is dead", lambda: not opens(world.strangers, 22) or None, 15)
    cloud.ecs.delete_instance(m.DeleteInstanceRequest(instance_id=world.stranger, force=True))
    assert cloud.told(world.stranger) is None
    name = f"berth-cloud-{cloud.name}-{world.stranger}"
    until(
        "its container is gone",
        lambda: not client.containers.list(all=True, filters={"name": name}) or None,
        30,
    )
