"""What lies in a VPC and keeps it from being deleted. Other services say what is theirs: none is imported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from emulator.cloud import Cloud
from emulator.services.vpc import vpcs
from emulator.services.vpc.model import Vpc, VSwitch
from emulator.store import Thing

Users = Callable[[Cloud, Vpc], Sequence[Thing]]

_USERS: Final[dict[str, Users]] = {
    "VSwitch": vpcs.vswitches,
    "RouteTable": lambda cloud, vpc: [table for table in vpcs.tables(cloud, vpc) if not table.system],
}


def keeps_vpc(dependency: str, users: Users) -> None:
    """From now on `DeleteVpc` says `DependencyViolation.<dependency>` while there are such users."""
    _USERS[dependency] = users


_IPV6: Final[list[Callable[[Cloud, VSwitch], bool]]] = []


def keeps_ipv6(holds: Callable[[Cloud, VSwitch], bool]) -> None:
    """From now on a vSwitch keeps its IPv6 network while somebody holds an address of it."""
    _IPV6.append(holds)


def ipv6_is_held(cloud: Cloud, vswitch: VSwitch) -> bool:
    return any(holds(cloud, vswitch) for holds in _IPV6)


def users_of_vpc(cloud: Cloud, vpc: Vpc) -> dict[str, Sequence[Thing]]:
    return {dependency: users(cloud, vpc) for dependency, users in _USERS.items()}
