"""Actions on VPCs: what they take, and how a VPC is answered."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

from pydantic import Field

from emulator.addresses import Cidr
from emulator.api.call import NO_URL, Answer, Call, Request, Says, Tag
from emulator.api.errors import ApiError
from emulator.api.paging import Numbered, numbered
from emulator.services.vpc import vpcs
from emulator.services.vpc.model import Vpc
from emulator.services.vpc.service import VPC
from emulator.services.vpc.users import users_of_vpc
from emulator.tags import checked, match, shaped
from emulator.times import seconds_utc

Name = Annotated[
    str,
    Field(max_length=128),
    NO_URL,
    Says("InvalidVpcName.Malformed", "Specified VPC name is not valid."),
]
Description = Annotated[
    str,
    Field(max_length=256),
    NO_URL,
    Says("InvalidDescription.Malformed", "Specified description is not valid."),
]
Block = Annotated[Cidr, Says("InvalidCidrBlock.Malformed", "Specified CIDR block is not valid.")]


class CreateVpc(Request):
    cidr_block: Block = IPv4Network("172.16.0.0/12")
    vpc_name: Name = ""
    description: Description = ""
    resource_group_id: str = ""
    enable_ipv6: bool = False
    enable_dns_hostname: bool = False
    user_cidr: str = ""
    tag: tuple[Tag, ...] = ()


@VPC.action
def create_vpc(call: Call, given: CreateVpc) -> Answer:
    vpc, table = vpcs.create(
        call,
        cidr=given.cidr_block,
        name=given.vpc_name,
        description=given.description,
        ipv6=given.enable_ipv6,
        user_cidrs=_cidrs(given.user_cidr),
        dns_hostnames=given.enable_dns_hostname,
        resource_group=given.resource_group_id,
        tags=checked(given.tag),
    )
    return {
        "VpcId": vpc.id,
        "VRouterId": vpc.router,
        "RouteTableId": table.id,
        "ResourceGroupId": vpc.resource_group,
    }


def _cidrs(text: str) -> tuple[IPv4Network, ...]:
    try:
        return tuple(IPv4Network(part) for part in text.split(",") if part)
    except ValueError:
        raise ApiError(400, "InvalidUserCidr.Malformed", "Specified UserCidr is not valid.") from None


class DescribeVpcAttribute(Request):
    vpc_id: str
    is_default: bool | None = None


@VPC.action
def describe_vpc_attribute(call: Call, given: DescribeVpcAttribute) -> Answer:
    vpc = vpcs.find(call.cloud, call.region, given.vpc_id)
    return _shape(call, vpc) | {
        "ClassicLinkEnabled": False,
        "AssociatedCens": {"AssociatedCen": []},
        "AssociatedPropagationSources": {"AssociatedPropagationSources": []},
        "CloudResources": {
            "CloudResourceSetType": [
                {"ResourceType": kind, "ResourceCount": len(things)}
                for kind, things in (
                    ("VSwitch", vpcs.vswitches(call.cloud, vpc)),
                    ("RouteTable", vpcs.tables(call.cloud, vpc)),
                )
                if things
            ]
        },
        "Ipv4GatewayId": "",
        "SupportIpv4Gateway": True,
    }


class DescribeVpcs(Numbered):
    vpc_id: Annotated[str, Field(max_length=2000)] = ""
    """One id, or several with commas between."""
    vpc_name: str = ""
    is_default: bool | None = None
    resource_group_id: str = ""
    tag: tuple[Tag, ...] = ()


@VPC.action
def describe_vpcs(call: Call, given: DescribeVpcs) -> Answer:
    ids = given.vpc_id.split(",") if given.vpc_id else None
    found = [
        vpc
        for vpc in call.cloud.store.all(Vpc, call.region)
        if (ids is None or vpc.id in ids)
        and given.vpc_name in ("", vpc.name)
        and given.resource_group_id in ("", vpc.resource_group)
        and given.is_default is not True
        and match(vpc.tags, given.tag)
    ]
    part, counts = numbered(given, found)
    return counts | {
        "Vpcs": {
            "Vpc": [
                _shape(call, vpc)
                | {
                    "CenStatus": "Detached",
                    "RouterTableIds": {"RouterTableIds": [one.id for one in vpcs.tables(call.cloud, vpc)]},
                    "NatGatewayIds": {"NatGatewayIds": []},
                }
                for vpc in part
            ]
        }
    }


class ModifyVpcAttribute(Request):
    vpc_id: str
    vpc_name: Name | None = None
    description: Description | None = None
    cidr_block: Block | None = None
    enable_ipv6: Annotated[bool | None, Field(alias="EnableIPv6")] = None
    enable_dns_hostname: bool | None = None


@VPC.action
def modify_vpc_attribute(call: Call, given: ModifyVpcAttribute) -> Answer:
    vpc = vpcs.find(call.cloud, call.region, given.vpc_id)
    vpcs.must_be_settled(call, vpc)
    vpcs.modify(
        call,
        vpc,
        name=given.vpc_name,
        description=given.description,
        cidr=given.cidr_block,
        ipv6=given.enable_ipv6,
        dns_hostnames=given.enable_dns_hostname,
    )
    return {}


class DeleteVpc(Request):
    vpc_id: str
    force_delete: Literal[False] = False


@VPC.action
def delete_vpc(call: Call, given: DeleteVpc) -> Answer:
    vpc = vpcs.find(call.cloud, call.region, given.vpc_id)
    vpcs.delete(call, vpc, users_of_vpc(call.cloud, vpc))
    return {}


class AssociateVpcCidrBlock(Request):
    vpc_id: str
    secondary_cidr_block: Block
    ip_version: Literal["IPV4", "IPv4", "ipv4"] = "IPV4"


@VPC.action
def associate_vpc_cidr_block(call: Call, given: AssociateVpcCidrBlock) -> Answer:
    vpc = vpcs.find(call.cloud, call.region, given.vpc_id)
    vpcs.associate(call, vpc, given.secondary_cidr_block)
    return {}


class UnassociateVpcCidrBlock(Request):
    vpc_id: str
    secondary_cidr_block: Block


@VPC.action
def unassociate_vpc_cidr_block(call: Call, given: UnassociateVpcCidrBlock) -> Answer:
    vpc = vpcs.find(call.cloud, call.region, given.vpc_id)
    vpcs.unassociate(call, vpc, given.secondary_cidr_block)
    return {}


def _shape(call: Call, vpc: Vpc) -> dict[str, Any]:
    """What both ways of describing a VPC answer."""
    ipv6 = str(vpc.ipv6_cidr or "")
    return {
        "VpcId": vpc.id,
        "RegionId": vpc.region,
        "OwnerId": int(call.caller.account),
        "VpcName": vpc.name,
        "Description": vpc.description,
        "Status": vpc.status(call.now),
        "CreationTime": seconds_utc(vpc.created),
        "CidrBlock": str(vpc.cidr),
        "SecondaryCidrBlocks": {"SecondaryCidrBlock": [str(block) for block in vpc.secondary_cidrs]},
        "UserCidrs": {"UserCidr": [str(block) for block in vpc.user_cidrs]},
        "EnabledIpv6": vpc.ipv6_cidr is not None,
        "Ipv6CidrBlock": ipv6,
        "Ipv6CidrBlocks": {
            "Ipv6CidrBlock": [{"Ipv6CidrBlock": ipv6, "Ipv6Isp": "BGP"}] if vpc.ipv6_cidr else []
        },
        "VRouterId": vpc.router,
        "VSwitchIds": {"VSwitchId": [one.id for one in vpcs.vswitches(call.cloud, vpc)]},
        "IsDefault": False,
        "ResourceGroupId": vpc.resource_group,
        "DhcpOptionsSetId": "",
        "DhcpOptionsSetStatus": "",
        "DnsHostnameStatus": "ENABLED" if vpc.dns_hostnames else "DISABLED",
        "Tags": shaped(vpc.tags),
    }
