"""VPCs by the SDK."""

from __future__ import annotations

from typing import Any

import pytest
from alibabacloud_vpc20160428 import models as m
from alibabacloud_vpc20160428.client import Client as Vpc

from emulator.services.vpc import vpcs
from tests.cloud.conftest import REGION, Refused
from tests.cloud.running import Clock


def create(vpc: Vpc, clock: Clock, **given: Any) -> str:
    made = vpc.create_vpc(m.CreateVpcRequest(region_id=REGION, **({"cidr_block": "10.0.0.0/16"} | given)))
    clock.later(1)
    return str(made.body.vpc_id)


def vswitch(vpc: Vpc, clock: Clock, vpc_id: str, block: str = "10.0.1.0/24", **given: Any) -> str:
    request = m.CreateVSwitchRequest(
        region_id=REGION, vpc_id=vpc_id, zone_id="cn-hangzhou-h", cidr_block=block, **given
    )
    made = vpc.create_vswitch(request)
    clock.later(1)
    return str(made.body.v_switch_id)


def attribute(vpc: Vpc, vpc_id: str) -> Any:
    return vpc.describe_vpc_attribute(m.DescribeVpcAttributeRequest(region_id=REGION, vpc_id=vpc_id)).body


def delete(vpc: Vpc, vpc_id: str) -> None:
    vpc.delete_vpc(m.DeleteVpcRequest(region_id=REGION, vpc_id=vpc_id))


def listed(vpc: Vpc, **given: Any) -> list[str]:
    body = vpc.describe_vpcs(m.DescribeVpcsRequest(region_id=REGION, **given)).body
    return [one.vpc_id for one in body.vpcs.vpc]


def test_what_is_answered(vpc: Vpc, clock: Clock) -> None:
    one = create(
        vpc,
        clock,
        vpc_name="net",
        description="of all",
        user_cidr="11.0.0.0/8,12.0.0.0/8",
        enable_dns_hostname=True,
        tag=[m.CreateVpcRequestTag(key="a", value="b")],
    )
    found = attribute(vpc, one)
    assert (found.vpc_name, found.description, found.cidr_block) == ("net", "of all", "10.0.0.0/16")
    assert (found.status, found.is_default, found.enabled_ipv_6) == ("Available", False, False)
    assert found.user_cidrs.user_cidr == ["11.0.0.0/8", "12.0.0.0/8"]
    assert found.dns_hostname_status == "ENABLED"
    assert [(tag.key, tag.value) for tag in found.tags.tag] == [("a", "b")]
    (row,) = vpc.describe_vpcs(m.DescribeVpcsRequest(region_id=REGION)).body.vpcs.vpc
    assert (row.vpc_id, row.vrouter_id, row.cidr_block) == (one, found.vrouter_id, "10.0.0.0/16")


def test_what_the_provider_reads_is_there(vpc: Vpc, clock: Clock) -> None:
    """resource_alicloud_vpc.go of the official provider: of the VPC, then of its route table."""
    one = create(vpc, clock, enable_ipv_6=True)
    answer = attribute(vpc, one).to_map()
    for name in (
        "CidrBlock", "ClassicLinkEnabled", "CreationTime", "Description", "DnsHostnameStatus", "EnabledIpv6",
        "Ipv6CidrBlock", "RegionId", "IsDefault", "ResourceGroupId", "VRouterId", "Status", "VpcName",
        "Ipv6CidrBlocks", "SecondaryCidrBlocks", "Tags", "UserCidrs",
    ):  # fmt: skip
        assert answer.get(name) is not None, name
    assert answer["Ipv6CidrBlocks"]["Ipv6CidrBlock"][0]["Ipv6Isp"] == "BGP"
    request = m.DescribeRouteTableListRequest(region_id=REGION, vpc_id=one)
    (table,) = vpc.describe_route_table_list(request).body.router_table_list.router_table_list_type
    for name in (
        "ResourceGroupId", "RouteTableId", "RouterId", "Description", "RouteTableName",
        "RoutePropagationEnable",
    ):  # fmt: skip
        assert table.to_map().get(name) is not None, name


def test_it_is_pending_first(vpc: Vpc, clock: Clock, refused: Refused) -> None:
    made = vpc.create_vpc(m.CreateVpcRequest(region_id=REGION)).body
    assert attribute(vpc, made.vpc_id).status == "Pending"
    assert attribute(vpc, made.vpc_id).cidr_block == "172.16.0.0/12"
    with refused("IncorrectVpcStatus"):
        delete(vpc, made.vpc_id)
    with refused("IncorrectVpcStatus"):
        vswitch(vpc, clock, made.vpc_id, "172.16.1.0/24")
    clock.later(1)
    assert attribute(vpc, made.vpc_id).status == "Available"
    delete(vpc, made.vpc_id)
    with refused("InvalidVpcId.NotFound", 404):
        attribute(vpc, made.vpc_id)
    with refused("InvalidVpcId.NotFound", 404):
        delete(vpc, made.vpc_id)


def test_one_in_use_is_not_deleted(vpc: Vpc, clock: Clock, refused: Refused) -> None:
    one = create(vpc, clock)
    inside = vswitch(vpc, clock, one)
    with refused("DependencyViolation.VSwitch"):
        delete(vpc, one)
    vpc.delete_vswitch(m.DeleteVSwitchRequest(region_id=REGION, v_switch_id=inside))
    table = vpc.create_route_table(
        m.CreateRouteTableRequest(region_id=REGION, vpc_id=one)
    ).body.route_table_id
    with refused("DependencyViolation.RouteTable"):
        delete(vpc, one)
    clock.later(1)
    vpc.delete_route_table(m.DeleteRouteTableRequest(region_id=REGION, route_table_id=table))
    delete(vpc, one)
    assert listed(vpc) == []
    tables = vpc.describe_route_table_list(m.DescribeRouteTableListRequest(region_id=REGION)).body
    assert tables.router_table_list.router_table_list_type == []


def test_changes(vpc: Vpc, clock: Clock, refused: Refused) -> None:
    one = create(vpc, clock, vpc_name="a")

    def modify(**given: Any) -> None:
        vpc.modify_vpc_attribute(m.ModifyVpcAttributeRequest(region_id=REGION, vpc_id=one, **given))
        clock.later(1)

    modify(vpc_name="b")
    modify(description="c")
    modify(enable_dns_hostname=True)
    found = attribute(vpc, one)
    assert (found.vpc_name, found.description, found.dns_hostname_status) == ("b", "c", "ENABLED")
    modify(enable_ipv_6=True)
    assert attribute(vpc, one).ipv_6cidr_block.endswith("/56")
    inside = vswitch(vpc, clock, one, ipv_6cidr_block=3)
    with refused("DependencyViolation.Ipv6"):
        modify(enable_ipv_6=False)
    with refused("InvalidCidrBlock.NotSupported"):
        modify(cidr_block="10.1.0.0/16")
    modify(cidr_block="10.0.0.0/8")
    assert attribute(vpc, one).cidr_block == "10.0.0.0/8"
    vpc.delete_vswitch(m.DeleteVSwitchRequest(region_id=REGION, v_switch_id=inside))
    modify(enable_ipv_6=False)
    assert attribute(vpc, one).ipv_6cidr_block == ""
    with refused("InvalidVpcName.Malformed"):
        modify(vpc_name="http://x")
    with refused("InvalidCidrBlock.Malformed"):
        modify(cidr_block="10.0.0.0")


def test_further_ranges(vpc: Vpc, clock: Clock, refused: Refused) -> None:
    one = create(vpc, clock)

    def add(block: str) -> None:
        vpc.associate_vpc_cidr_block(
            m.AssociateVpcCidrBlockRequest(region_id=REGION, vpc_id=one, secondary_cidr_block=block)
        )

    def remove(block: str) -> None:
        vpc.unassociate_vpc_cidr_block(
            m.UnassociateVpcCidrBlockRequest(region_id=REGION, vpc_id=one, secondary_cidr_block=block)
        )

    add("192.168.0.0/16")
    assert attribute(vpc, one).secondary_cidr_blocks.secondary_cidr_block == ["192.168.0.0/16"]
    for block in ("192.168.1.0/24", "10.0.0.0/8"):
        with refused("InvalidCidrBlock.Conflict"):
            add(block)
    inside = vswitch(vpc, clock, one, "192.168.1.0/24")
    with refused("DependencyViolation.VSwitch"):
        remove("192.168.0.0/16")
    vpc.delete_vswitch(m.DeleteVSwitchRequest(region_id=REGION, v_switch_id=inside))
    remove("192.168.0.0/16")
    with refused("InvalidSecondaryCidrBlock.NotFound", 404):
        remove("192.168.0.0/16")
    for number in range(vpcs.MOST_SECONDARY):
        add(f"172.{16 + number}.0.0/16")
    with refused("QuotaExceeded.SecondaryCidrBlock"):
        add("172.30.0.0/16")


def test_the_quota(vpc: Vpc, clock: Clock, refused: Refused) -> None:
    for _ in range(vpcs.MOST_VPCS):
        create(vpc, clock)
    with refused("QuotaExceeded.Vpc"):
        create(vpc, clock)
    vpc.create_vpc(m.CreateVpcRequest(region_id="cn-beijing"))


def test_lists(vpc: Vpc, clock: Clock) -> None:
    ids = [
        create(vpc, clock, vpc_name=name, tag=[m.CreateVpcRequestTag(key="n", value=name)]) for name in "abc"
    ]
    assert listed(vpc) == ids
    assert listed(vpc, page_size=2) == ids[:2]
    assert listed(vpc, page_size=2, page_number=2) == ids[2:]
    assert listed(vpc, page_size=2, page_number=9) == []
    assert listed(vpc, vpc_id=f"{ids[0]},{ids[2]}") == [ids[0], ids[2]]
    assert listed(vpc, vpc_name="b") == [ids[1]]
    assert listed(vpc, is_default=True) == []
    assert listed(vpc, tag=[m.DescribeVpcsRequestTag(key="n", value="c")]) == [ids[2]]
    assert listed(vpc, tag=[m.DescribeVpcsRequestTag(key="n")]) == ids
    assert listed(vpc, resource_group_id="rg-none") == []


class TestTags:
    """What belongs to the service can be tagged."""

    def put(self, vpc: Vpc, ids: list[str], **tags: str) -> None:
        vpc.tag_resources(
            m.TagResourcesRequest(
                region_id=REGION,
                resource_type="VPC",
                resource_id=ids,
                tag=[m.TagResourcesRequestTag(key=key, value=value) for key, value in tags.items()],
            )
        )

    def take_off(self, vpc: Vpc, ids: list[str], **given: Any) -> None:
        vpc.un_tag_resources(
            m.UnTagResourcesRequest(region_id=REGION, resource_type="VPC", resource_id=ids, **given)
        )

    def rows(self, vpc: Vpc, **given: Any) -> list[tuple[str, str, str]]:
        request = m.ListTagResourcesRequest(region_id=REGION, resource_type="VPC", **given)
        rows = vpc.list_tag_resources(request).body.tag_resources.tag_resource
        return [(row.resource_id, row.tag_key, row.tag_value) for row in rows]

    def test_put_on_and_taken_off(self, vpc: Vpc, clock: Clock, refused: Refused) -> None:
        one, two = create(vpc, clock), create(vpc, clock)
        self.put(vpc, [one, two], a="1", b="2")
        self.put(vpc, [one], a="3")
        assert self.rows(vpc, resource_id=[one]) == [(one, "a", "3"), (one, "b", "2")]
        wanted = [m.ListTagResourcesRequestTag(key="a", value="1")]
        assert {row[0] for row in self.rows(vpc, tag=wanted)} == {two}
        untag = m.UnTagResourcesRequest(
            region_id=REGION, resource_type="VPC", resource_id=[one], tag_key=["a"]
        )
        vpc.un_tag_resources(untag)
        assert self.rows(vpc, resource_id=[one]) == [(one, "b", "2")]
        all_ = m.UnTagResourcesRequest(
            region_id=REGION, resource_type="VPC", resource_id=[one, two], all=True
        )
        vpc.un_tag_resources(all_)
        assert self.rows(vpc, resource_id=[one, two]) == []
        with refused("InvalidResourceId.NotFound", 404):
            self.put(vpc, [one, "vpc-none"], c="1")
        assert self.rows(vpc, resource_id=[one]) == []

    def test_in_pieces(self, vpc: Vpc, clock: Clock, refused: Refused) -> None:
        one = create(vpc, clock)
        self.put(vpc, [one], a="1", b="2", c="3")
        found, token = [], None
        for _ in range(3):
            request = m.ListTagResourcesRequest(
                region_id=REGION, resource_type="VPC", resource_id=[one], max_results=1, next_token=token
            )
            body = vpc.list_tag_resources(request).body
            found += [row.tag_key for row in body.tag_resources.tag_resource]
            token = body.next_token
        assert (found, token) == (["a", "b", "c"], "")
        with refused("InvalidNextToken"):
            self.rows(vpc, resource_id=[one], next_token="moon")

    def test_too_many(self, vpc: Vpc, clock: Clock, refused: Refused) -> None:
        one = create(vpc, clock)
        self.put(vpc, [one], **{f"k{number}": "v" for number in range(20)})
        with refused("InvalidTagCount"):
            self.put(vpc, [one], more="v")

    def test_what_is_not_said(self, vpc: Vpc, refused: Refused) -> None:
        with refused("MissingParameter"):
            self.rows(vpc)


@pytest.mark.parametrize("token", ["LTE=", "-1", "x" * 5])
def test_a_token_that_no_answer_had(vpc: Vpc, clock: Clock, refused: Refused, token: str) -> None:
    """LTE= is -1 in their writing."""
    one = create(vpc, clock)
    with refused("InvalidNextToken"):
        TestTags().rows(vpc, resource_id=[one], next_token=token)
