"""What lies in a VPC and keeps it from being deleted. Other services say what is theirs: none is imported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from emulator.cloud import Cloud
from emulator.services.vpc import vpcs
from emulator.services.vpc.model import Vpc
from emulator.store import Thing

Users = Callable[[Cloud, Vpc], Sequence[Thing]]

_USERS: Final[dict[str, Users]] = {
    "VSwitch": vpcs.vswitches,
    "RouteTable": lambda cloud, vpc: [table for table in vpcs.tables(cloud, vpc) if not table.system],
}


def keeps_vpc(dependency: str, users: Users) -> None:
    """From now on `DeleteVpc` says `DependencyViolation.<dependency>` while there are such users."""
    _USERS[dependency] = users


def users_of_vpc(cloud: Cloud, vpc: Vpc) -> dict[str, Sequence[Thing]]:
    return {dependency: users(cloud, vpc) for dependency, users in _USERS.items()}
