"""An instance in a line, for tests of what it can do. No engine: states move by the clock."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_ecs20140526 import models as m
from alibabacloud_vpc20160428 import models as v

from emulator.clockwork import move
from emulator.cloud import Cloud
from emulator.services.ram.model import Role
from tests.cloud.conftest import REGION
from tests.cloud.running import Clock

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs
    from alibabacloud_vpc20160428.client import Client as Vpc

R = {"region_id": REGION}
ZONE = f"{REGION}-h"
IMAGE = "ubuntu_24_04_x64_20G_alibase_20250317.vhd"


@pytest.fixture
def moving(cloud: Cloud) -> Cloud:
    """The cloud, whose machines move by the clock."""
    cloud.settle = partial(move, cloud)
    return cloud


@pytest.fixture
def place(ecs: Ecs, vpc: Vpc, moving: Cloud, clock: Clock) -> dict[str, str]:
    """A vSwitch of 10.0.1.0/24 and a group."""
    network = vpc.create_vpc(v.CreateVpcRequest(**R, cidr_block="10.0.0.0/16")).body.vpc_id
    clock.later(1)
    asked = v.CreateVSwitchRequest(**R, vpc_id=network, zone_id=ZONE, cidr_block="10.0.1.0/24")
    vswitch = vpc.create_vswitch(asked).body.v_switch_id
    group = ecs.create_security_group(m.CreateSecurityGroupRequest(**R, vpc_id=network))
    clock.later(1)
    return {"vpc": network, "vswitch": vswitch, "group": group.body.security_group_id}


def role(cloud: Cloud, name: str, service: str = "ecs.aliyuncs.com") -> str:
    """A RAM role that the service may assume."""
    statement = {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": [service]}}
    trust = json.dumps({"Version": "1", "Statement": [statement]})
    at = cloud.now()
    cloud.store.put(Role(id=name, region="", created=at, updated=at, role_id="3" * 18, trust=trust))
    return name


def run(ecs: Ecs, place: dict[str, str], **more: Any) -> list[str]:
    settings: dict[str, Any] = {
        "instance_type": "ecs.c7.large",
        "image_id": IMAGE,
        "v_switch_id": place["vswitch"],
        "security_group_id": place["group"],
    }
    made: list[str] = ecs.run_instances(
        m.RunInstancesRequest(**R, **(settings | more))
    ).body.instance_id_sets.instance_id_set
    return made


def seen(ecs: Ecs, **wanted: Any) -> list[Any]:
    found: list[Any] = ecs.describe_instances(
        m.DescribeInstancesRequest(**R, **wanted)
    ).body.instances.instance
    return found


def status(ecs: Ecs, instance: str) -> str:
    said: str = seen(ecs, instance_ids=f'["{instance}"]')[0].status
    return said
