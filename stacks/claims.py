"""What only one can hold on a host: ports, address ranges, network names. Told before anything starts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import combinations
from typing import Final

from components.cloud.firewall import PRIVATE, OperatorRange
from components.units import Address, Cidr
from stacks.problems import Problem, any_within

# What the policy `public-ports` lets through; told here already, with everything else in the stack file.
PUBLIC_PORTS: Final = (8010, 80, 443)
DOCKERS_NETWORKS: Final = ("bridge", "default", "host", "none")


@dataclass(frozen=True)
class PortClaim:
    """A setting that takes a TCP port on an address of the host."""

    path: str
    address: Address
    port: int

    def clashes(self, other: PortClaim) -> bool:
        return self.port == other.port and self.address.overlaps(other.address)

    def known(self, dropped: Collection[str]) -> bool:
        """Whether no default stands for the port or, beside it, the address."""
        return not any_within([self.path, f"{self.path.rpartition('.')[0]}.address"], dropped)


@dataclass(frozen=True)
class SubnetClaim:
    """A setting that takes an address range for a network."""

    path: str
    subnet: Cidr

    def known(self, dropped: Collection[str]) -> bool:
        """Whether no default stands for the range."""
        return not any_within([self.path], dropped)


@dataclass(frozen=True)
class NetworkClaim:
    """A setting that names a network. made: by this stack; others are joined."""

    path: str
    name: str
    made: bool = True

    def known(self, dropped: Collection[str]) -> bool:
        """Whether no default stands for the name."""
        return not any_within([self.path], dropped)


def closed_ports(claims: Sequence[PortClaim], operators: Sequence[OperatorRange] = ()) -> Iterator[Problem]:
    """A problem for each port that others than operators could reach from outside the host, and must not."""
    for claim in claims:
        if claim.port not in PUBLIC_PORTS and not is_closed(claim.address, operators):
            reason = (
                "allowed: 8010, 80 or 443; any port with the address 127.0.0.1, or with a private address of "
                "the host in a network of berth:operators"
            )
            yield Problem(claim.path, reason, f"{claim.port} on {claim.address}")


def is_closed(address: Address, operators: Sequence[OperatorRange] = ()) -> bool:
    """Whether only the host itself, or only operators, come to an address of the host."""
    parsed = IPv4Address(address)
    # A public address is everybody's, also where operators have one beside it.
    private = any(parsed in network for network in PRIVATE)
    return parsed.is_loopback or (private and any(parsed in operator.network for operator in operators))


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


def network_clashes(claims: Sequence[NetworkClaim]) -> Iterator[Problem]:
    """A problem for each name that is Docker's own, or of a network that another system makes."""
    for claim in claims:
        if claim.name in DOCKERS_NETWORKS:
            yield Problem(claim.path, "Docker's own network; allowed: any other name", repr(claim.name))
    made = [claim for claim in claims if claim.made and claim.name not in DOCKERS_NETWORKS]
    for first, second in combinations(made, 2):
        if first.name == second.name:
            yield Problem(
                second.path, f"taken by {first.path}; allowed: a name of its own", repr(second.name)
            )
