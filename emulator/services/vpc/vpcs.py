"""Rules of VPCs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from typing import Final

from emulator.addresses import ipv6_block, may_be_vpc, overlapping
from emulator.api.call import Call
from emulator.api.errors import ApiError
from emulator.cloud import Cloud
from emulator.services.vpc.model import RouteTable, Vpc, VSwitch
from emulator.store import Thing

MOST_VPCS: Final = 10
"""Of one region, without a raised quota."""
DEFAULT_GROUP: Final = "rg-default"
MOST_SECONDARY: Final = 5
_STEP: Final = 0.3  # seconds in Pending


def find(cloud: Cloud, region: str, vpc_id: str) -> Vpc:
    """Raises ApiError for one that is not in the region."""
    found = cloud.store.get(Vpc, vpc_id)
    if found is None or found.region != region:
        raise ApiError(404, "InvalidVpcId.NotFound", "Specified VPC does not exist.")
    return found


def create(
    call: Call,
    *,
    cidr: IPv4Network,
    name: str,
    description: str,
    ipv6: bool,
    user_cidrs: tuple[IPv4Network, ...],
    dns_hostnames: bool,
    resource_group: str,
    tags: dict[str, str],
) -> tuple[Vpc, RouteTable]:
    """A VPC and the route table that belongs to it."""
    cloud = call.cloud
    if not may_be_vpc(cidr):
        raise ApiError(400, "InvalidCidrBlock.Malformed", "Specified CIDR block is not valid.")
    held = cloud.store.all(Vpc, call.region)
    if len(held) >= MOST_VPCS:
        raise ApiError(400, "QuotaExceeded.Vpc", "VPC quota exceeded.")
    settles = cloud.after(_STEP)
    router = cloud.new_id("vrt-")
    vpc = cloud.store.put(
        Vpc(
            id=cloud.new_id("vpc-"),
            region=call.region,
            created=call.now,
            cidr=cidr,
            user_cidrs=user_cidrs,
            ipv6_cidr=ipv6_block(cloud.ids.drawn) if ipv6 else None,
            name=name,
            description=description,
            resource_group=resource_group or DEFAULT_GROUP,
            router=router,
            dns_hostnames=dns_hostnames,
            tags=tags,
            settles=settles,
        )
    )
    table = cloud.store.put(
        RouteTable(
            id=cloud.new_id("vtb-"),
            region=call.region,
            created=call.now,
            vpc=vpc.id,
            router=router,
            system=True,
            resource_group=vpc.resource_group,
            settles=settles,
        )
    )
    return vpc, table


def must_be_settled(call: Call, vpc: Vpc) -> None:
    if vpc.status(call.now) != "Available":
        raise ApiError(400, "IncorrectVpcStatus", "Current VPC status does not support this operation.")


def delete(call: Call, vpc: Vpc, users: Mapping[str, Sequence[Thing]]) -> None:
    """users: what lies in the VPC, by the dependency that Alibaba Cloud names in its refusal."""
    must_be_settled(call, vpc)
    for dependency, things in users.items():
        if things:
            raise ApiError(
                400,
                f"DependencyViolation.{dependency}",
                f"Specified object has dependent resources. ({', '.join(thing.id for thing in things[:5])})",
            )
    store = call.cloud.store
    for table in tables(call.cloud, vpc):
        store.remove(table)
    store.remove(vpc)


def tables(cloud: Cloud, vpc: Vpc) -> list[RouteTable]:
    return [table for table in cloud.store.all(RouteTable, vpc.region) if table.vpc == vpc.id]


def vswitches(cloud: Cloud, vpc: Vpc) -> list[VSwitch]:
    return [one for one in cloud.store.all(VSwitch, vpc.region) if one.vpc == vpc.id]


def modify(
    call: Call,
    vpc: Vpc,
    *,
    name: str | None,
    description: str | None,
    cidr: IPv4Network | None,
    ipv6: bool | None,
    dns_hostnames: bool | None,
) -> Vpc:
    """What is None stays as it is."""
    if cidr is not None and cidr != vpc.cidr:
        if not may_be_vpc(cidr):
            raise ApiError(400, "InvalidCidrBlock.Malformed", "Specified CIDR block is not valid.")
        if not all(
            one.cidr.subnet_of(cidr) or any(one.cidr.subnet_of(block) for block in vpc.secondary_cidrs)
            for one in vswitches(call.cloud, vpc)
        ):
            raise ApiError(
                400, "InvalidCidrBlock.NotSupported", "The CIDR block does not hold all VSwitches."
            )
    if ipv6 is False and vpc.ipv6_cidr and any(one.ipv6_cidr for one in vswitches(call.cloud, vpc)):
        raise ApiError(400, "DependencyViolation.Ipv6", "A VSwitch of the VPC has an IPv6 CIDR block.")
    block = vpc.ipv6_cidr
    if ipv6 is not None:
        block = (block or ipv6_block(call.cloud.ids.drawn)) if ipv6 else None
    return call.cloud.store.put(
        vpc.but(
            name=vpc.name if name is None else name,
            description=vpc.description if description is None else description,
            cidr=cidr or vpc.cidr,
            ipv6_cidr=block,
            dns_hostnames=vpc.dns_hostnames if dns_hostnames is None else dns_hostnames,
            settles=call.cloud.after(_STEP),
        )
    )


def associate(call: Call, vpc: Vpc, block: IPv4Network) -> Vpc:
    """Another range of addresses beside the first."""
    must_be_settled(call, vpc)
    if not may_be_vpc(block):
        raise ApiError(400, "InvalidCidrBlock.Malformed", "Specified CIDR block is not valid.")
    if overlapping(block, (vpc.cidr, *vpc.secondary_cidrs)):
        raise ApiError(400, "InvalidCidrBlock.Conflict", "The CIDR block conflicts with one of the VPC.")
    if len(vpc.secondary_cidrs) >= MOST_SECONDARY:
        raise ApiError(400, "QuotaExceeded.SecondaryCidrBlock", "Secondary CIDR block quota exceeded.")
    return call.cloud.store.put(vpc.but(secondary_cidrs=(*vpc.secondary_cidrs, block)))


def unassociate(call: Call, vpc: Vpc, block: IPv4Network) -> Vpc:
    must_be_settled(call, vpc)
    if block not in vpc.secondary_cidrs:
        raise ApiError(404, "InvalidSecondaryCidrBlock.NotFound", "The secondary CIDR block is not found.")
    if used := [one.id for one in vswitches(call.cloud, vpc) if one.cidr.subnet_of(block)]:
        raise ApiError(400, "DependencyViolation.VSwitch", f"A VSwitch lies in the CIDR block. ({used[0]})")
    rest = tuple(other for other in vpc.secondary_cidrs if other != block)
    return call.cloud.store.put(vpc.but(secondary_cidrs=rest))
