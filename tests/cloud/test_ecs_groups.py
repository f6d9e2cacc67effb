"""Security groups, by the official SDK. Their rules: test_ecs_group_rules.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_ecs20140526 import models as m
from alibabacloud_vpc20160428 import models as v

from emulator.services.ecs import security_groups
from emulator.services.ecs.model_groups import SecurityGroup, SecurityGroupRule
from emulator.services.vpc.model import Lease
from tests.cloud.conftest import REGION, Refused
from tests.cloud.groups import SSH, R, allow, attribute, create, described, group, network
from tests.cloud.running import Clock

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs
    from alibabacloud_vpc20160428.client import Client as Vpc

    from emulator.cloud import Cloud

__all__ = ["group", "network"]  # fixtures


def test_a_group_is_made_described_changed_and_deleted(ecs: Ecs, network: str, refused: Refused) -> None:
    tags = [m.CreateSecurityGroupRequestTag(key="for", value="web")]
    made = create(ecs, network, security_group_name="web", description="the front", tag=tags)
    (found,) = described(ecs, security_group_id=made)
    assert (found.vpc_id, found.security_group_name, found.description) == (network, "web", "the front")
    assert (found.security_group_type, found.resource_group_id, found.rule_count) == (
        "normal",
        "rg-default",
        0,
    )
    assert [(tag.tag_key, tag.tag_value) for tag in found.tags.tag] == [("for", "web")]
    ecs.modify_security_group_attribute(
        m.ModifySecurityGroupAttributeRequest(**R, security_group_id=made, security_group_name="edge")
    )
    seen = attribute(ecs, made)
    assert (seen.security_group_name, seen.description, seen.inner_access_policy) == (
        "edge",
        "the front",
        "Accept",
    )
    ecs.delete_security_group(m.DeleteSecurityGroupRequest(**R, security_group_id=made))
    assert described(ecs, security_group_id=made) == []
    with refused("InvalidSecurityGroupId.NotFound", 404):
        attribute(ecs, made)
    with refused("InvalidSecurityGroupId.NotFound", 404):
        ecs.delete_security_group(m.DeleteSecurityGroupRequest(**R, security_group_id=made))


@pytest.mark.parametrize("name", ["1st", "a", "https://web", "a b", "x" * 129])
def test_a_malformed_name_is_refused(ecs: Ecs, network: str, name: str, refused: Refused) -> None:
    with refused("InvalidSecurityGroupName.Malformed"):
        create(ecs, network, security_group_name=name)


def test_what_else_a_group_cannot_be_made_of(ecs: Ecs, vpc: Vpc, network: str, refused: Refused) -> None:
    with refused("InvalidVpcId.NotFound", 403):
        ecs.create_security_group(m.CreateSecurityGroupRequest(**R))
    with refused("InvalidVpcId.NotFound", 404):
        create(ecs, "vpc-none")
    with refused("InvalidParams.GroupType"):
        create(ecs, network, security_group_type="basic")
    with refused("InvalidSecurityGroupDiscription.Malformed"):
        create(ecs, network, description="http://x")
    fresh = vpc.create_vpc(v.CreateVpcRequest(**R, cidr_block="10.1.0.0/16")).body.vpc_id
    with refused("IncorrectVpcStatus"):
        create(ecs, fresh)


def test_one_client_token_makes_one_group(ecs: Ecs, network: str, refused: Refused) -> None:
    first = create(ecs, network, client_token="once")
    assert create(ecs, network, client_token="once") == first
    with refused("IdempotentParameterMismatch"):
        create(ecs, network, client_token="once", description="another")
    assert len(described(ecs)) == 1


def test_groups_are_found_by_what_they_are(ecs: Ecs, network: str, vpc: Vpc, clock: Clock) -> None:
    other = vpc.create_vpc(v.CreateVpcRequest(**R, cidr_block="10.1.0.0/16")).body.vpc_id
    clock.later(1)
    tags = [m.CreateSecurityGroupRequestTag(key="for", value="db")]
    one, two = create(ecs, network, security_group_name="web-1"), create(ecs, network, tag=tags)
    three = create(ecs, other, security_group_name="web-2", security_group_type="enterprise")

    def ids(**wanted: Any) -> list[str]:
        return [found.security_group_id for found in described(ecs, **wanted)]

    assert ids() == [one, two, three]
    assert ids(vpc_id=other) == [three]
    assert ids(security_group_name="web") == []
    assert ids(security_group_name="web", fuzzy_query=True) == [one, three]
    assert ids(security_group_ids=f'["{two}", "{three}"]') == [two, three]
    assert ids(security_group_type="enterprise") == [three]
    assert ids(tag=[m.DescribeSecurityGroupsRequestTag(key="for")]) == [two]
    assert ids(network_type="classic") == []


def test_groups_are_listed_by_page_and_by_token(ecs: Ecs, network: str) -> None:
    made = [create(ecs, network) for _ in range(12)]
    page = ecs.describe_security_groups(m.DescribeSecurityGroupsRequest(**R, page_number=2)).body
    assert [one.security_group_id for one in page.security_groups.security_group] == made[10:]
    assert (page.total_count, page.page_number, page.page_size) == (12, 2, 10)
    seen, token = [], None
    while token != "":
        request = m.DescribeSecurityGroupsRequest(**R, max_results=5, next_token=token)
        piece = ecs.describe_security_groups(request).body
        seen += [one.security_group_id for one in piece.security_groups.security_group]
        token = piece.next_token
    assert seen == made


def test_machines_of_a_normal_group_may_be_kept_apart(ecs: Ecs, network: str, refused: Refused) -> None:
    def isolate(group: str, policy: str) -> None:
        ecs.modify_security_group_policy(
            m.ModifySecurityGroupPolicyRequest(**R, security_group_id=group, inner_access_policy=policy)
        )

    normal, enterprise = create(ecs, network), create(ecs, network, security_group_type="enterprise")
    isolate(normal, "Drop")
    assert attribute(ecs, normal).inner_access_policy == "Drop"
    assert attribute(ecs, enterprise).inner_access_policy == "Drop"
    with refused("InvalidPolicy.Malformed"):
        isolate(normal, "Deny")
    with refused("InvalidOperation.InvalidSecurityGroupType", 403):
        isolate(enterprise, "Accept")


def test_a_group_in_use_is_not_deleted(ecs: Ecs, network: str, group: str, refused: Refused) -> None:
    other = create(ecs, network)
    allow(ecs, other, {"ip_protocol": "tcp", "port_range": "80/80", "source_group_id": group})
    found = ecs.describe_security_group_references(
        m.DescribeSecurityGroupReferencesRequest(**R, security_group_id=[group, other])
    ).body.security_group_references.security_group_reference
    assert [
        (
            one.security_group_id,
            [by.security_group_id for by in one.referencing_security_groups.referencing_security_group],
        )
        for one in found
    ] == [(group, [other])]
    with refused("DependencyViolation", 403):
        ecs.delete_security_group(m.DeleteSecurityGroupRequest(**R, security_group_id=group))
    ecs.delete_security_group(m.DeleteSecurityGroupRequest(**R, security_group_id=other))
    ecs.delete_security_group(m.DeleteSecurityGroupRequest(**R, security_group_id=group))


def test_a_group_with_somebody_in_it_is_not_deleted(
    ecs: Ecs, group: str, cloud: Cloud, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    def members(cloud: Cloud, held: SecurityGroup) -> list[Lease]:
        return [one for one in cloud.store.all(Lease) if one.holder == held.id]

    monkeypatch.setattr(security_groups, "_USERS", {})
    security_groups.keeps_group("test's member", members)
    member = Lease(id="vpc/10.0.0.1", region=REGION, vswitch="vsw", address="10.0.0.1", holder=group)  # type: ignore[arg-type]
    cloud.store.put(member)
    (found,) = described(ecs, security_group_id=group, is_query_ecs_count=True)
    assert (found.ecs_count, found.available_instance_amount) == (1, 5999)
    with refused("DependencyViolation", 403):
        ecs.delete_security_group(m.DeleteSecurityGroupRequest(**R, security_group_id=group))
    cloud.store.remove(member)
    ecs.delete_security_group(m.DeleteSecurityGroupRequest(**R, security_group_id=group))


def test_a_vpc_with_groups_is_not_deleted(
    ecs: Ecs, vpc: Vpc, network: str, group: str, refused: Refused
) -> None:
    with refused("DependencyViolation.SecurityGroup"):
        vpc.delete_vpc(v.DeleteVpcRequest(**R, vpc_id=network))
    ecs.delete_security_group(m.DeleteSecurityGroupRequest(**R, security_group_id=group))
    vpc.delete_vpc(v.DeleteVpcRequest(**R, vpc_id=network))


def test_groups_of_a_region_have_a_quota(
    ecs: Ecs, network: str, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(security_groups, "MOST", 1)
    create(ecs, network)
    with refused("QuotaExceed.SecurityGroup", 403):
        create(ecs, network)


def test_what_is_kept_survives_a_restart(ecs: Ecs, network: str, cloud: Cloud) -> None:
    made = create(ecs, network, security_group_name="web", security_group_type="normal")
    allow(ecs, made, SSH, {"ip_protocol": "all", "port_range": "-1/-1", "ipv_6source_cidr_ip": "::/0"})
    for thing in (*cloud.store.all(SecurityGroup), *cloud.store.all(SecurityGroupRule)):
        assert type(thing).model_validate_json(thing.model_dump_json()) == thing


def test_groups_of_another_region_are_not_seen(ecs: Ecs, group: str, refused: Refused) -> None:
    shanghai = {"region_id": "cn-shanghai"}
    body = ecs.describe_security_groups(m.DescribeSecurityGroupsRequest(**shanghai)).body
    assert body.security_groups.security_group == []
    with refused("InvalidSecurityGroupId.NotFound", 404):
        ecs.delete_security_group(m.DeleteSecurityGroupRequest(**shanghai, security_group_id=group))
