"""Route tables and their entries by the SDK."""

from __future__ import annotations

from typing import Any

from alibabacloud_vpc20160428 import models as m
from alibabacloud_vpc20160428.client import Client as Vpc

from emulator.services.vpc import route_tables
from tests.cloud.conftest import REGION, Refused
from tests.cloud.running import Clock
from tests.cloud.test_vpc import create, vswitch


def table_of(vpc: Vpc, clock: Clock, net: str, **given: Any) -> str:
    made = vpc.create_route_table(m.CreateRouteTableRequest(region_id=REGION, vpc_id=net, **given))
    clock.later(1)
    return str(made.body.route_table_id)


def tables(vpc: Vpc, **given: Any) -> list[Any]:
    request = m.DescribeRouteTableListRequest(region_id=REGION, **given)
    found = vpc.describe_route_table_list(request).body.router_table_list.router_table_list_type
    return list(found)


def delete(vpc: Vpc, table: str) -> None:
    vpc.delete_route_table(m.DeleteRouteTableRequest(region_id=REGION, route_table_id=table))


def add(vpc: Vpc, table: str, destination: str, **given: Any) -> str:
    usual = {"next_hop_type": "Instance", "next_hop_id": "i-one"}
    request = m.CreateRouteEntryRequest(
        region_id=REGION, route_table_id=table, destination_cidr_block=destination, **(usual | given)
    )
    return str(vpc.create_route_entry(request).body.route_entry_id)


def entries(vpc: Vpc, table: str, **given: Any) -> dict[str, Any]:
    request = m.DescribeRouteEntryListRequest(region_id=REGION, route_table_id=table, **given)
    found = vpc.describe_route_entry_list(request).body.route_entrys.route_entry
    return {entry.destination_cidr_block: entry for entry in found}


def system(vpc: Vpc, net: str) -> str:
    (one,) = tables(vpc, vpc_id=net, route_table_type="System")
    return str(one.route_table_id)


def test_a_vpc_has_one_of_its_own(vpc: Vpc, clock: Clock, refused: Refused) -> None:
    net = create(vpc, clock)
    inside = vswitch(vpc, clock, net)
    (one,) = tables(vpc, vpc_id=net)
    assert (one.route_table_type, one.router_type, one.status) == ("System", "VRouter", "Available")
    assert one.v_switch_ids.v_switch_id == [inside]
    assert set(entries(vpc, one.route_table_id)) == {"100.64.0.0/10", "10.0.1.0/24"}
    with refused("OperationDenied.SystemRouteTable"):
        delete(vpc, one.route_table_id)


def test_one_of_ours(vpc: Vpc, clock: Clock, refused: Refused) -> None:
    net = create(vpc, clock)
    tag = [m.CreateRouteTableRequestTag(key="a", value="b")]
    table = table_of(vpc, clock, net, route_table_name="mine", description="d", tag=tag)
    (found,) = tables(vpc, route_table_id=table)
    answer = found.to_map()
    for name in (
        "AssociateType", "CreationTime", "Description", "ResourceGroupId", "RoutePropagationEnable",
        "RouteTableName", "Status", "VpcId", "Tags",
    ):  # fmt: skip
        assert answer.get(name) is not None, f"{name}, which the official provider reads"
    assert (found.route_table_name, found.route_table_type) == ("mine", "Custom")
    vpc.modify_route_table_attributes(
        m.ModifyRouteTableAttributesRequest(region_id=REGION, route_table_id=table, route_table_name="yours")
    )
    (found,) = tables(vpc, route_table_name="yours")
    assert (found.route_table_id, found.description) == (table, "d")
    assert tables(vpc, vpc_id="vpc-none") == []
    assert [one.route_table_id for one in tables(vpc, tag=[m.DescribeRouteTableListRequestTag(key="a")])] == [
        table
    ]
    delete(vpc, table)
    with refused("InvalidRouteTableId.NotFound", 404):
        delete(vpc, table)


def test_the_quota(vpc: Vpc, clock: Clock, refused: Refused) -> None:
    net = create(vpc, clock)
    for _ in range(route_tables.MOST_CUSTOM):
        table_of(vpc, clock, net)
    with refused("QuotaExceeded.RouteTable"):
        table_of(vpc, clock, net)


def test_a_vswitch_routes_by_one(vpc: Vpc, clock: Clock, refused: Refused) -> None:
    net = create(vpc, clock)
    inside = vswitch(vpc, clock, net)
    one, two = table_of(vpc, clock, net), table_of(vpc, clock, net)

    def associate(table: str) -> None:
        vpc.associate_route_table(
            m.AssociateRouteTableRequest(region_id=REGION, route_table_id=table, v_switch_id=inside)
        )
        clock.later(1)

    def unassociate(table: str) -> None:
        vpc.unassociate_route_table(
            m.UnassociateRouteTableRequest(region_id=REGION, route_table_id=table, v_switch_id=inside)
        )
        clock.later(1)

    with refused("OperationDenied.NotAssociated"):
        unassociate(one)
    associate(one)
    assert tables(vpc, route_table_id=one)[0].v_switch_ids.v_switch_id == [inside]
    with refused("OperationDenied.VSwitchAlreadyAssociated"):
        associate(two)
    with refused("DependencyViolation.VSwitch"):
        delete(vpc, one)
    unassociate(one)
    assert tables(vpc, route_table_id=system(vpc, net))[0].v_switch_ids.v_switch_id == [inside]
    with refused("OperationDenied.NotAssociated"):
        unassociate(system(vpc, net))
    other = table_of(vpc, clock, create(vpc, clock))
    with refused("InvalidVSwitchId.NotSameVpc"):
        associate(other)
    delete(vpc, one)


def test_entries(vpc: Vpc, clock: Clock, refused: Refused) -> None:
    net = create(vpc, clock)
    vswitch(vpc, clock, net)
    table = system(vpc, net)
    one = add(vpc, table, "0.0.0.0/0", route_entry_name="out", description="d")
    assert entries(vpc, table)["0.0.0.0/0"].status == "Pending"
    clock.later(1)
    found = entries(vpc, table, route_entry_type="Custom")["0.0.0.0/0"]
    assert (found.route_entry_id, found.route_entry_name, found.status) == (one, "out", "Available")
    (hop,) = found.next_hops.next_hop
    assert (hop.next_hop_id, hop.next_hop_type) == ("i-one", "Instance")
    # The official provider looks for these three in DescribeRouteTables.
    request = m.DescribeRouteTablesRequest(region_id=REGION, route_table_id=table)
    (whole,) = vpc.describe_route_tables(request).body.route_tables.route_table
    rows = [
        (e.destination_cidr_block, e.next_hop_type, e.instance_id) for e in whole.route_entrys.route_entry
    ]
    assert ("0.0.0.0/0", "Instance", "i-one") in rows
    with refused("RouterEntryConflict.Duplicated"):
        add(vpc, table, "0.0.0.0/0", next_hop_id="i-two")
    for block in ("10.0.1.0/25", "10.0.1.8/29"):
        with refused("InvalidCIDRBlock.Conflict"):
            add(vpc, table, block)
    with refused("InvalidCIDRBlock.Forbidden"):
        add(vpc, table, "100.100.0.0/16")
    with refused("InvalidDestinationCidrBlock.Malformed"):
        add(vpc, table, "10.0.0.1/8")
    with refused("InvalidRouteTableId.NotFound", 404):
        add(vpc, "vtb-none", "1.0.0.0/8")


def test_entries_are_removed_by_id_or_by_place(vpc: Vpc, clock: Clock, refused: Refused) -> None:
    net = create(vpc, clock)
    table = system(vpc, net)
    one, two = add(vpc, table, "1.0.0.0/8"), add(vpc, table, "2.0.0.0/8")

    def remove(**given: Any) -> None:
        vpc.delete_route_entry(m.DeleteRouteEntryRequest(region_id=REGION, **given))

    place = {"route_table_id": table, "destination_cidr_block": "2.0.0.0/8"}
    with refused("InvalidRouteEntry.NotFound", 404):
        remove(**place, next_hop_id="i-two")
    remove(**place, next_hop_id="i-one")
    assert two not in {entry.route_entry_id for entry in entries(vpc, table).values()}
    remove(route_entry_id=one)
    with refused("InvalidRouteEntry.NotFound", 404):
        remove(route_entry_id=one)
    with refused("MissingParameter"):
        remove(route_table_id=table)


def test_entries_in_pieces(vpc: Vpc, clock: Clock) -> None:
    table = system(vpc, create(vpc, clock))
    for number in range(1, 6):
        add(vpc, table, f"{number}.0.0.0/8")
    found: list[str] = []
    token = None
    for _ in range(3):
        request = m.DescribeRouteEntryListRequest(
            region_id=REGION, route_table_id=table, max_result=2, next_token=token
        )
        body = vpc.describe_route_entry_list(request).body
        found += [entry.destination_cidr_block for entry in body.route_entrys.route_entry]
        token = body.next_token
    assert token == ""
    assert found == ["100.64.0.0/10", *(f"{number}.0.0.0/8" for number in range(1, 6))]


def test_whether_it_takes_routes_in_is_told(vpc: Vpc, clock: Clock) -> None:
    table = table_of(vpc, clock, create(vpc, clock))
    assert tables(vpc, route_table_id=table)[0].route_propagation_enable is True
    asked = m.ModifyRouteTableAttributesRequest(
        region_id=REGION, route_table_id=table, route_propagation_enable=False
    )
    vpc.modify_route_table_attributes(asked)
    assert tables(vpc, route_table_id=table)[0].route_propagation_enable is False
