"""What only one can hold on a host: ports and address ranges. Clashes show before anything is registered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from components.units import Address, Cidr
from stacks.problems import Problem


@dataclass(frozen=True)
class PortClaim:
    """A setting that takes a TCP port on an address of the host."""

    path: str
    address: Address
    port: int

    def clashes(self, other: PortClaim) -> bool:
        return self.port == other.port and self.address.overlaps(other.address)


@dataclass(frozen=True)
class SubnetClaim:
    """A setting that takes an address range for a network."""

    path: str
    subnet: Cidr


def port_clashes(claims: Sequence[PortClaim]) -> Iterator[Problem]:
    """A problem for each claim on a port that an earlier one has."""
    for first, second in combinations(claims, 2):
        if first.clashes(second):
            reason = (
                f"taken by {first.path} ({first.address}:{first.port}); allowed: a port or address of its own"
            )
            yield Problem(second.path, reason, f"{second.address}:{second.port}")


def subnet_clashes(claims: Sequence[SubnetClaim]) -> Iterator[Problem]:
    """A problem for each range that overlaps an earlier one."""
    for first, second in combinations(claims, 2):
        if first.subnet.overlaps(second.subnet):
            reason = f"overlaps {first.path} ({first.subnet}); allowed: a range of its own"
            yield Problem(second.path, reason, second.subnet)
