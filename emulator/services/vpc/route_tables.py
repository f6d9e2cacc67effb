"""Rules of route tables and of the entries in them.

What a VPC routes by itself - its vSwitches, and the services at 100.64.0.0/10 - stands in every table as
entries of type System; they are derived, not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Final

from emulator.addresses import overlapping
from emulator.api.call import Call
from emulator.api.errors import ApiError
from emulator.cloud import Cloud
from emulator.services.vpc import vpcs
from emulator.services.vpc.model import RouteEntry, RouteTable, Vpc, VSwitch

SERVICES: Final = IPv4Network("100.64.0.0/10")
MOST_CUSTOM: Final = 9
"""Custom tables of one VPC."""
_STEP: Final = 0.2  # seconds in Pending


@dataclass(frozen=True)
class Route:
    """An entry as it is answered, kept or derived."""

    id: str
    destination: IPv4Network
    system: bool
    hop_type: str
    hop: str
    name: str
    description: str
    status: str


def find(cloud: Cloud, region: str, table_id: str) -> RouteTable:
    """Raises ApiError for one that is not in the region."""
    found = cloud.store.get(RouteTable, table_id)
    if found is None or found.region != region:
        raise ApiError(404, "InvalidRouteTableId.NotFound", "Specified route table does not exist.")
    return found


def vswitches(cloud: Cloud, table: RouteTable) -> list[VSwitch]:
    """The vSwitches that route by this table."""
    return [one for one in cloud.store.all(VSwitch, table.region) if one.route_table == table.id]


def entries(cloud: Cloud, table: RouteTable) -> list[RouteEntry]:
    return [one for one in cloud.store.all(RouteEntry, table.region) if one.route_table == table.id]


def routes(call: Call, table: RouteTable) -> Iterator[Route]:
    """What the table says, system entries first."""
    vpc = vpcs.find(call.cloud, table.region, table.vpc)
    for destination in (SERVICES, *(one.cidr for one in vpcs.vswitches(call.cloud, vpc))):
        entry_id = f"rte-{table.id.removeprefix('vtb-')}-{destination.network_address:x}"
        yield Route(entry_id, destination, True, "local", "", "", "", table.status(call.now))
    for entry in entries(call.cloud, table):
        yield Route(
            entry.id,
            entry.destination,
            False,
            entry.hop_type,
            entry.hop,
            entry.name,
            entry.description,
            entry.status(call.now),
        )


def create(call: Call, vpc: Vpc, *, name: str, description: str, tags: dict[str, str]) -> RouteTable:
    """A custom table."""
    vpcs.must_be_settled(call, vpc)
    if len([table for table in vpcs.tables(call.cloud, vpc) if not table.system]) >= MOST_CUSTOM:
        raise ApiError(
            400, "QuotaExceeded.RouteTable", "The number of custom route tables exceeds the quota."
        )
    return call.cloud.store.put(
        RouteTable(
            id=call.cloud.new_id("vtb-"),
            region=call.region,
            created=call.now,
            vpc=vpc.id,
            router=vpc.router,
            system=False,
            name=name,
            description=description,
            resource_group=vpc.resource_group,
            tags=tags,
            settles=call.cloud.after(_STEP),
        )
    )


def delete(call: Call, table: RouteTable) -> None:
    if table.system:
        raise ApiError(400, "OperationDenied.SystemRouteTable", "The system route table cannot be deleted.")
    _must_be_settled(call, table)
    if users := vswitches(call.cloud, table):
        raise ApiError(
            400,
            "DependencyViolation.VSwitch",
            f"The route table is associated with a VSwitch. ({users[0].id})",
        )
    for entry in entries(call.cloud, table):
        call.cloud.store.remove(entry)
    call.cloud.store.remove(table)


def associate(call: Call, table: RouteTable, vswitch: VSwitch) -> None:
    """Route the vSwitch by this table. Raises ApiError where it has a custom one already."""
    _must_be_settled(call, table)
    if vswitch.vpc != table.vpc:
        raise ApiError(
            400, "InvalidVSwitchId.NotSameVpc", "The VSwitch and the route table differ in their VPC."
        )
    now = find(call.cloud, table.region, vswitch.route_table)
    if now.id == table.id or not now.system:
        raise ApiError(
            400,
            "OperationDenied.VSwitchAlreadyAssociated",
            f"The VSwitch is associated with {now.id} already.",
        )
    call.cloud.store.put(vswitch.but(route_table=table.id, settles=call.cloud.after(_STEP)))


def unassociate(call: Call, table: RouteTable, vswitch: VSwitch) -> None:
    if vswitch.route_table != table.id or table.system:
        raise ApiError(
            400, "OperationDenied.NotAssociated", "The VSwitch is not associated with the route table."
        )
    vpc = vpcs.find(call.cloud, table.region, table.vpc)
    system = next(one for one in vpcs.tables(call.cloud, vpc) if one.system)
    call.cloud.store.put(vswitch.but(route_table=system.id, settles=call.cloud.after(_STEP)))


def add(
    call: Call,
    table: RouteTable,
    *,
    destination: IPv4Network,
    hop_type: str,
    hop: str,
    name: str,
    description: str,
) -> RouteEntry:
    """An entry for one hop. The caller has checked that the hop exists."""
    _must_be_settled(call, table)
    if destination.subnet_of(SERVICES):
        raise ApiError(400, "InvalidCIDRBlock.Forbidden", "The destination is kept for the cloud's services.")
    known = list(routes(call, table))
    if any(route.destination == destination for route in known):
        raise ApiError(400, "RouterEntryConflict.Duplicated", "The route entry already exists.")
    if overlapping(destination, [route.destination for route in known if route.system]):
        inside = any(
            destination.subnet_of(route.destination) for route in known if route.system
        )  # a wider one may stand beside: the narrower entry wins
        if inside:
            raise ApiError(400, "InvalidCIDRBlock.Conflict", "The destination conflicts with a system route.")
    return call.cloud.store.put(
        RouteEntry(
            id=call.cloud.new_id("rte-"),
            region=call.region,
            created=call.now,
            route_table=table.id,
            destination=destination,
            hop_type=hop_type,
            hop=hop,
            name=name,
            description=description,
            settles=call.cloud.after(_STEP),
        )
    )


def _must_be_settled(call: Call, table: RouteTable) -> None:
    if table.status(call.now) != "Available":
        raise ApiError(
            400, "IncorrectStatus.RouteTableStatus", "The status of the route table does not allow this."
        )
