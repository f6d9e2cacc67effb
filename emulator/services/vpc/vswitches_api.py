"""Actions on vSwitches."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from emulator.api.call import NO_URL, Answer, Call, Request, Says, Tag
from emulator.api.errors import invalid, missing_parameter
from emulator.api.paging import Numbered, numbered
from emulator.services.vpc import vpcs, vswitches
from emulator.services.vpc.model import RouteTable, VSwitch
from emulator.services.vpc.service import VPC
from emulator.services.vpc.vpcs_api import Block, Description
from emulator.tags import checked, match, shaped
from emulator.times import seconds_utc

Name = Annotated[
    str,
    Field(max_length=128),
    NO_URL,
    Says("InvalidVSwitchName.Malformed", "Specified VSwitch name is not valid."),
]


class CreateVSwitch(Request):
    vpc_id: str
    zone_id: str
    cidr_block: Block
    vswitch_name: Name = ""
    description: Description = ""
    ipv6_cidr_block: Annotated[int, Field(ge=0, le=255)] | None = None
    """Which of the 256 networks of the VPC."""
    tag: tuple[Tag, ...] = ()


@VPC.action
def create_vswitch(call: Call, given: CreateVSwitch) -> Answer:
    vswitch = vswitches.create(
        call,
        vpcs.find(call.cloud, call.region, given.vpc_id),
        zone=given.zone_id,
        cidr=given.cidr_block,
        ipv6_part=given.ipv6_cidr_block,
        name=given.vswitch_name,
        description=given.description,
        tags=checked(given.tag),
    )
    return {"VSwitchId": vswitch.id}


class DescribeVSwitchAttributes(Request):
    vswitch_id: str


@VPC.action
def describe_vswitch_attributes(call: Call, given: DescribeVSwitchAttributes) -> Answer:
    return _shape(call, vswitches.find(call.cloud, call.region, given.vswitch_id))


class DescribeVSwitches(Numbered):
    vswitch_id: str = ""
    vswitch_name: Name = ""
    vpc_id: str = ""
    zone_id: str = ""
    is_default: bool | None = None
    resource_group_id: str = ""
    route_table_id: str = ""
    tag: tuple[Tag, ...] = ()


@VPC.action
def describe_vswitches(call: Call, given: DescribeVSwitches) -> Answer:
    ids = given.vswitch_id.split(",") if given.vswitch_id else None
    found = [
        one
        for one in call.cloud.store.all(VSwitch, call.region)
        if (ids is None or one.id in ids)
        and given.vswitch_name in ("", one.name)
        and given.vpc_id in ("", one.vpc)
        and given.zone_id in ("", one.zone)
        and given.resource_group_id in ("", one.resource_group)
        and given.route_table_id in ("", one.route_table)
        and given.is_default is not True
        and match(one.tags, given.tag)
    ]
    part, counts = numbered(given, found)
    return counts | {"VSwitches": {"VSwitch": [_shape(call, one) for one in part]}}


class ModifyVSwitchAttribute(Request):
    vswitch_id: str
    vswitch_name: Name | None = None
    description: Description | None = None
    enable_ipv6: Annotated[bool | None, Field(alias="EnableIPv6")] = None
    ipv6_cidr_block: Annotated[int, Field(ge=0, le=255)] | None = None
    """Which of the 256 networks of the VPC."""
    vpc_ipv6_cidr_block: str = ""
    """Of a VPC with several; here each has one."""


@VPC.action
def modify_vswitch_attribute(call: Call, given: ModifyVSwitchAttribute) -> Answer:
    one = vswitches.find(call.cloud, call.region, given.vswitch_id)
    vpc = vpcs.find(call.cloud, call.region, one.vpc)
    if given.vpc_ipv6_cidr_block not in ("", str(vpc.ipv6_cidr or "")):
        raise invalid("VpcIpv6CidrBlock")
    if given.enable_ipv6 and given.ipv6_cidr_block is None:
        raise missing_parameter("Ipv6CidrBlock")
    if given.enable_ipv6 is not None or given.ipv6_cidr_block is not None:
        one = vswitches.set_ipv6(
            call, vpc, one, None if given.enable_ipv6 is False else given.ipv6_cidr_block
        )
    call.cloud.store.put(
        one.but(
            name=one.name if given.vswitch_name is None else given.vswitch_name,
            description=one.description if given.description is None else given.description,
        )
    )
    return {}


class DeleteVSwitch(Request):
    vswitch_id: str


@VPC.action
def delete_vswitch(call: Call, given: DeleteVSwitch) -> Answer:
    vswitch = vswitches.find(call.cloud, call.region, given.vswitch_id)
    vswitches.delete(call, vswitch)
    return {}


def _shape(call: Call, vswitch: VSwitch) -> dict[str, Any]:
    taken = vswitches.leases(call.cloud, vswitch)
    table = call.cloud.store.get(RouteTable, vswitch.route_table)
    return {
        "VSwitchId": vswitch.id,
        "VSwitchName": vswitch.name,
        "Description": vswitch.description,
        "VpcId": vswitch.vpc,
        "ZoneId": vswitch.zone,
        "OwnerId": int(call.caller.account),
        "Status": vswitch.status(call.now),
        "CreationTime": seconds_utc(vswitch.created),
        "CidrBlock": str(vswitch.cidr),
        "Ipv6CidrBlock": str(vswitch.ipv6_cidr or ""),
        "EnabledIpv6": vswitch.ipv6_cidr is not None,
        "AvailableIpAddressCount": vswitch.cidr.num_addresses - 4 - len(taken),
        "IsDefault": False,
        "NetworkAclId": "",
        "ShareType": "",
        "ResourceGroupId": vswitch.resource_group,
        "RouteTable": {
            "RouteTableId": vswitch.route_table,
            "RouteTableType": "System" if table is None or table.system else "Custom",
        },
        "Tags": shaped(vswitch.tags),
    }
