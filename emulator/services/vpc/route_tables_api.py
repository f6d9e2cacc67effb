"""Actions on route tables and their entries."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from emulator.addresses import Cidr
from emulator.api.call import NO_URL, Answer, Call, Request, Says, Tag
from emulator.api.errors import ApiError, missing_parameter
from emulator.api.paging import Numbered, numbered, tokened
from emulator.services.vpc import route_tables, vpcs, vswitches
from emulator.services.vpc.model import RouteEntry, RouteTable
from emulator.services.vpc.route_tables import Route
from emulator.services.vpc.service import VPC
from emulator.services.vpc.vpcs_api import Description
from emulator.tags import checked, match, shaped
from emulator.times import seconds_utc

Name = Annotated[
    str,
    Field(max_length=128),
    NO_URL,
    Says("InvalidRouteTableName.Malformed", "Specified route table name is not valid."),
]
Destination = Annotated[
    Cidr, Says("InvalidDestinationCidrBlock.Malformed", "Specified destination CIDR block is not valid.")
]
HopType = Literal["Instance", "NetworkInterface", "NatGateway"]


class CreateRouteTable(Request):
    vpc_id: str
    route_table_name: Name = ""
    description: Description = ""
    associate_type: Literal["VSwitch"] = "VSwitch"
    tag: tuple[Tag, ...] = ()


@VPC.action
def create_route_table(call: Call, given: CreateRouteTable) -> Answer:
    table = route_tables.create(
        call,
        vpcs.find(call.cloud, call.region, given.vpc_id),
        name=given.route_table_name,
        description=given.description,
        tags=checked(given.tag),
    )
    return {"RouteTableId": table.id}


class ModifyRouteTableAttributes(Request):
    route_table_id: str
    route_table_name: Name | None = None
    description: Description | None = None
    route_propagation_enable: bool | None = None


@VPC.action
def modify_route_table_attributes(call: Call, given: ModifyRouteTableAttributes) -> Answer:
    table = route_tables.find(call.cloud, call.region, given.route_table_id)
    call.cloud.store.put(
        table.but(
            name=table.name if given.route_table_name is None else given.route_table_name,
            description=table.description if given.description is None else given.description,
            propagates=(
                table.propagates if given.route_propagation_enable is None else given.route_propagation_enable
            ),
        )
    )
    return {}


class DeleteRouteTable(Request):
    route_table_id: str


@VPC.action
def delete_route_table(call: Call, given: DeleteRouteTable) -> Answer:
    route_tables.delete(call, route_tables.find(call.cloud, call.region, given.route_table_id))
    return {}


class AssociateRouteTable(Request):
    route_table_id: str
    vswitch_id: str


@VPC.action
def associate_route_table(call: Call, given: AssociateRouteTable) -> Answer:
    table = route_tables.find(call.cloud, call.region, given.route_table_id)
    route_tables.associate(call, table, vswitches.find(call.cloud, call.region, given.vswitch_id))
    return {}


class UnassociateRouteTable(Request):
    route_table_id: str
    vswitch_id: str


@VPC.action
def unassociate_route_table(call: Call, given: UnassociateRouteTable) -> Answer:
    table = route_tables.find(call.cloud, call.region, given.route_table_id)
    route_tables.unassociate(call, table, vswitches.find(call.cloud, call.region, given.vswitch_id))
    return {}


class DescribeRouteTableList(Numbered):
    route_table_id: str = ""
    route_table_name: str = ""
    route_table_type: Literal["", "System", "Custom"] = ""
    router_id: str = ""
    router_type: Literal["", "VRouter"] = ""
    vpc_id: str = ""
    resource_group_id: str = ""
    tag: tuple[Tag, ...] = ()


@VPC.action
def describe_route_table_list(call: Call, given: DescribeRouteTableList) -> Answer:
    found = [
        table
        for table in call.cloud.store.all(RouteTable, call.region)
        if given.route_table_id in ("", table.id)
        and given.route_table_name in ("", table.name)
        and given.route_table_type in ("", _type(table))
        and given.router_id in ("", table.router)
        and given.vpc_id in ("", table.vpc)
        and given.resource_group_id in ("", table.resource_group)
        and match(table.tags, given.tag)
    ]
    part, counts = numbered(given, found)
    return counts | {
        "RouterTableList": {
            "RouterTableListType": [
                _common(call, table)
                | {
                    "AssociateType": "VSwitch",
                    "Description": table.description,
                    "GatewayIds": {"GatewayIds": []},
                    "OwnerId": int(call.caller.account),
                    "RoutePropagationEnable": table.propagates,
                    "RouteTableName": table.name,
                    "RouterId": table.router,
                    "RouterType": "VRouter",
                    "Tags": shaped(table.tags),
                    "VpcId": table.vpc,
                }
                for table in part
            ]
        }
    }


class DescribeRouteTables(Numbered):
    route_table_id: str = ""
    route_table_name: str = ""
    router_id: str = ""
    router_type: Literal["", "VRouter"] = ""
    vrouter_id: str = ""
    resource_group_id: str = ""


@VPC.action
def describe_route_tables(call: Call, given: DescribeRouteTables) -> Answer:
    found = [
        table
        for table in call.cloud.store.all(RouteTable, call.region)
        if given.route_table_id in ("", table.id)
        and given.route_table_name in ("", table.name)
        and given.router_id in ("", table.router)
        and given.vrouter_id in ("", table.router)
        and given.resource_group_id in ("", table.resource_group)
    ]
    part, counts = numbered(given, found)
    return counts | {
        "RouteTables": {
            "RouteTable": [
                _common(call, table)
                | {
                    "VRouterId": table.router,
                    "RouteEntrys": {
                        "RouteEntry": [
                            {
                                "Description": route.description,
                                "DestinationCidrBlock": str(route.destination),
                                "InstanceId": route.hop,
                                "NextHopType": route.hop_type,
                                "NextHops": {"NextHop": []},
                                "RouteEntryId": route.id,
                                "RouteEntryName": route.name,
                                "RouteTableId": table.id,
                                "Status": route.status,
                                "Type": "System" if route.system else "Custom",
                            }
                            for route in route_tables.routes(call, table)
                        ]
                    },
                }
                for table in part
            ]
        }
    }


class DescribeRouteEntryList(Request):
    route_table_id: str
    destination_cidr_block: str = ""
    next_hop_id: str = ""
    next_hop_type: str = ""
    route_entry_id: str = ""
    route_entry_name: str = ""
    route_entry_type: Literal["", "System", "Custom"] = ""
    next_token: str = ""
    max_result: Annotated[int, Field(ge=1, le=500)] | None = None


@VPC.action
def describe_route_entry_list(call: Call, given: DescribeRouteEntryList) -> Answer:
    table = route_tables.find(call.cloud, call.region, given.route_table_id)
    found = [
        route
        for route in route_tables.routes(call, table)
        if given.destination_cidr_block in ("", str(route.destination))
        and given.next_hop_id in ("", route.hop)
        and given.next_hop_type in ("", route.hop_type)
        and given.route_entry_id in ("", route.id)
        and given.route_entry_name in ("", route.name)
        and given.route_entry_type in ("", "System" if route.system else "Custom")
    ]
    part, said = tokened(given.next_token, given.max_result, found, default=50)
    return {
        "NextToken": said["NextToken"],
        "TotalCount": said["TotalCount"],
        "RouteEntrys": {"RouteEntry": [_entry(table, route) for route in part]},
    }


def _entry(table: RouteTable, route: Route) -> dict[str, Any]:
    hop = {
        "Enabled": 1,
        "NextHopId": route.hop,
        "NextHopRegionId": table.region,
        "NextHopType": route.hop_type,
        "Weight": 0,
    }
    return {
        "Description": route.description,
        "DestinationCidrBlock": str(route.destination),
        "GmtModified": seconds_utc(table.created),
        "IpVersion": "ipv4",
        "NextHops": {"NextHop": [hop]},
        "Origin": "",
        "RouteEntryId": route.id,
        "RouteEntryName": route.name,
        "RouteTableId": table.id,
        "ServiceType": "",
        "Status": route.status,
        "Type": "System" if route.system else "Custom",
    }


class CreateRouteEntry(Request):
    route_table_id: str
    destination_cidr_block: Destination
    next_hop_type: HopType = "Instance"
    next_hop_id: str
    route_entry_name: str = ""
    description: Description = ""


@VPC.action
def create_route_entry(call: Call, given: CreateRouteEntry) -> Answer:
    table = route_tables.find(call.cloud, call.region, given.route_table_id)
    entry = route_tables.add(
        call,
        table,
        destination=given.destination_cidr_block,
        hop_type=given.next_hop_type,
        hop=given.next_hop_id,
        name=given.route_entry_name,
        description=given.description,
    )
    return {"RouteEntryId": entry.id}


class DeleteRouteEntry(Request):
    route_table_id: str = ""
    destination_cidr_block: Destination | None = None
    next_hop_id: str = ""
    route_entry_id: str = ""


@VPC.action
def delete_route_entry(call: Call, given: DeleteRouteEntry) -> Answer:
    if not given.route_entry_id and (not given.route_table_id or given.destination_cidr_block is None):
        raise missing_parameter("RouteEntryId")
    for entry in call.cloud.store.all(RouteEntry, call.region):
        by_id = given.route_entry_id == entry.id
        by_place = (
            given.route_table_id == entry.route_table and given.destination_cidr_block == entry.destination
        )
        if (by_id or by_place) and given.next_hop_id in ("", entry.hop):
            call.cloud.store.remove(entry)
            return {}
    raise ApiError(404, "InvalidRouteEntry.NotFound", "The specified route entry does not exist.")


def _type(table: RouteTable) -> str:
    return "System" if table.system else "Custom"


def _common(call: Call, table: RouteTable) -> dict[str, Any]:
    return {
        "RouteTableId": table.id,
        "RouteTableType": _type(table),
        "CreationTime": seconds_utc(table.created),
        "ResourceGroupId": table.resource_group,
        "Status": table.status(call.now),
        "VSwitchIds": {"VSwitchId": [one.id for one in route_tables.vswitches(call.cloud, table)]},
    }
