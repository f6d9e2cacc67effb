"""Security groups and rules in one line each, for the tests of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_ecs20140526 import models as m
from alibabacloud_vpc20160428 import models as v

from tests.cloud.conftest import REGION
from tests.cloud.running import Clock

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs
    from alibabacloud_vpc20160428.client import Client as Vpc

R = {"region_id": REGION}


@pytest.fixture
def network(vpc: Vpc, clock: Clock) -> str:
    made: str = vpc.create_vpc(v.CreateVpcRequest(**R, cidr_block="10.0.0.0/16")).body.vpc_id
    clock.later(1)
    return made


@pytest.fixture
def group(ecs: Ecs, network: str) -> str:
    return create(ecs, network, security_group_name="web")


def create(ecs: Ecs, network: str, **more: Any) -> str:
    request = m.CreateSecurityGroupRequest(**R, vpc_id=network, **more)
    made: str = ecs.create_security_group(request).body.security_group_id
    return made


def described(ecs: Ecs, **wanted: Any) -> list[Any]:
    body = ecs.describe_security_groups(m.DescribeSecurityGroupsRequest(**R, **wanted)).body
    found: list[Any] = body.security_groups.security_group
    return found


def attribute(ecs: Ecs, group: str, **wanted: Any) -> Any:
    request = m.DescribeSecurityGroupAttributeRequest(**R, security_group_id=group, **wanted)
    return ecs.describe_security_group_attribute(request).body


def rules(ecs: Ecs, group: str, **wanted: Any) -> list[Any]:
    found: list[Any] = attribute(ecs, group, **wanted).permissions.permission
    return found


def allow(ecs: Ecs, group: str, *permissions: dict[str, Any], **more: Any) -> None:
    several = [m.AuthorizeSecurityGroupRequestPermissions(**one) for one in permissions] or None
    ecs.authorize_security_group(
        m.AuthorizeSecurityGroupRequest(**R, security_group_id=group, permissions=several, **more)
    )


def allow_out(ecs: Ecs, group: str, *permissions: dict[str, Any], **more: Any) -> None:
    several = [m.AuthorizeSecurityGroupEgressRequestPermissions(**one) for one in permissions] or None
    ecs.authorize_security_group_egress(
        m.AuthorizeSecurityGroupEgressRequest(**R, security_group_id=group, permissions=several, **more)
    )


def revoke(ecs: Ecs, group: str, *permissions: dict[str, Any], **more: Any) -> None:
    several = [m.RevokeSecurityGroupRequestPermissions(**one) for one in permissions] or None
    ecs.revoke_security_group(
        m.RevokeSecurityGroupRequest(**R, security_group_id=group, permissions=several, **more)
    )


SSH = {"ip_protocol": "tcp", "port_range": "22/22", "source_cidr_ip": "203.0.113.0/24"}
