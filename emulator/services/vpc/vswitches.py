"""Rules of vSwitches: a part of a VPC's addresses, in one zone."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Final

from emulator.addresses import free, kept, may_be_vswitch, overlapping
from emulator.api.call import Call
from emulator.api.errors import ApiError
from emulator.cloud import Cloud
from emulator.regions import zones
from emulator.services.vpc import users, vpcs
from emulator.services.vpc.model import Lease, Vpc, VSwitch

MOST: Final = 150
"""Of one VPC, without a raised quota."""
_STEP: Final = 0.2  # seconds in Pending


def find(cloud: Cloud, region: str, vswitch_id: str) -> VSwitch:
    """Raises ApiError for one that is not in the region."""
    found = cloud.store.get(VSwitch, vswitch_id)
    if found is None or found.region != region:
        raise ApiError(404, "InvalidVswitchID.NotFound", "Specified virtual switch does not exist.")
    return found


def create(
    call: Call,
    vpc: Vpc,
    *,
    zone: str,
    cidr: IPv4Network,
    ipv6_part: int | None,
    name: str,
    description: str,
    tags: dict[str, str],
) -> VSwitch:
    """ipv6_part: which of the VPC's 256 IPv6 networks of /64; None for no IPv6."""
    cloud = call.cloud
    vpcs.must_be_settled(call, vpc)
    if zone not in zones(call.region):
        raise ApiError(404, "InvalidZoneId.NotFound", "Specified zone does not exist.")
    if not may_be_vswitch(cidr):
        raise ApiError(400, "InvalidCidrBlock.Malformed", "Specified CIDR block is not valid.")
    if not any(cidr.subnet_of(block) for block in (vpc.cidr, *vpc.secondary_cidrs)):
        raise ApiError(400, "InvalidCidrBlock", "Specified CIDR block is not part of the VPC's.")
    others = vpcs.vswitches(cloud, vpc)
    if overlapping(cidr, [other.cidr for other in others]):
        raise ApiError(
            400, "InvalidCidrBlock.Overlapped", "Specified CIDR block overlapped with other subnets."
        )
    if len(others) >= MOST:
        raise ApiError(400, "QuotaExceeded", "VSwitch quota exceeded.")
    ipv6 = None if ipv6_part is None else _ipv6(vpc, others, ipv6_part)
    table = next(table for table in vpcs.tables(cloud, vpc) if table.system)
    return cloud.store.put(
        VSwitch(
            id=cloud.new_id("vsw-"),
            region=call.region,
            created=call.now,
            vpc=vpc.id,
            zone=zone,
            cidr=cidr,
            ipv6_cidr=ipv6,
            name=name,
            description=description,
            resource_group=vpc.resource_group,
            route_table=table.id,
            tags=tags,
            settles=cloud.after(_STEP),
        )
    )


def _ipv6(vpc: Vpc, others: Sequence[VSwitch], part: int) -> IPv6Network:
    """The part of the VPC's IPv6 network. Raises ApiError where it has none, or another has the part."""
    if vpc.ipv6_cidr is None:
        raise ApiError(400, "OperationFailed.Ipv6Disabled", "The IPv6 of the VPC is not enabled.")
    found = list(vpc.ipv6_cidr.subnets(new_prefix=64))[part]
    if any(other.ipv6_cidr == found for other in others):
        raise ApiError(400, "InvalidIpv6CidrBlock.Overlapped", "Specified IPv6 CIDR block is used already.")
    return found


def set_ipv6(call: Call, vpc: Vpc, vswitch: VSwitch, part: int | None) -> VSwitch:
    """Give it that part of the VPC's IPv6 network; None: none, which no machine may have an address of then.

    A part that it has cannot become another one: it is taken away first, as Alibaba Cloud wants it.
    """
    others = [one for one in vpcs.vswitches(call.cloud, vpc) if one.id != vswitch.id]
    wanted = None if part is None else _ipv6(vpc, others, part)
    if wanted == vswitch.ipv6_cidr:
        return vswitch
    if vswitch.ipv6_cidr is not None and (wanted is not None or users.ipv6_is_held(call.cloud, vswitch)):
        raise ApiError(
            400, "DependencyViolation.Ipv6Address", "The IPv6 CIDR block of the VSwitch is in use."
        )
    return call.cloud.store.put(vswitch.but(ipv6_cidr=wanted))


def delete(call: Call, vswitch: VSwitch) -> None:
    if vswitch.status(call.now) != "Available":
        raise ApiError(
            400, "IncorrectVSwitchStatus", "Current VSwitch status does not support this operation."
        )
    if held := leases(call.cloud, vswitch):
        raise ApiError(
            400, "DependencyViolation", f"Specified object has dependent resources. ({held[0].holder})"
        )
    call.cloud.store.remove(vswitch)


def leases(cloud: Cloud, vswitch: VSwitch) -> list[Lease]:
    """The addresses of the vSwitch that somebody holds."""
    return [lease for lease in cloud.store.all(Lease, vswitch.region) if lease.vswitch == vswitch.id]


def lease(call: Call, vswitch: VSwitch, holder: str, wanted: IPv4Address | None = None) -> Lease:
    """Give an address to the holder: the wanted one, else the highest that is free.

    Raises ApiError where the wanted one is taken, kept or elsewhere, or none is left.
    """
    taken = {held.address for held in leases(call.cloud, vswitch)}
    if wanted is None:
        wanted = next(free(vswitch.cidr, taken), None)
        if wanted is None:
            raise ApiError(
                403, "InvalidVSwitchId.IpNotEnough", "The specified VSwitch has not enough IpAddress."
            )
    elif wanted not in vswitch.cidr or wanted in kept(vswitch.cidr):
        raise ApiError(400, "InvalidPrivateIpAddress.Malformed", "Specified private IP address is malformed.")
    elif wanted in taken:
        raise ApiError(
            403, "InvalidPrivateIpAddress.Duplicated", "Specified private IP address is duplicated."
        )
    return call.cloud.store.put(
        Lease(
            id=f"{vswitch.vpc}/{wanted}",
            region=vswitch.region,
            created=call.now,
            vswitch=vswitch.id,
            address=wanted,
            holder=holder,
        )
    )


def give_back(cloud: Cloud, holder: str) -> None:
    """All addresses of the holder."""
    for held in cloud.store.all(Lease):
        if held.holder == holder:
            cloud.store.remove(held)
