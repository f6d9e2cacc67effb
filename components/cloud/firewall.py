"""Who may reach which port of a machine, as rules. What no rule names stays closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import combinations
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from components.spec import Spec
from components.units import Cidr, Port, Unit

PublicPort = Literal[80, 443, 8010]
WORLD: Final = "0.0.0.0/0"
PRIVATE: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
# This machine, this link, groups and what is reserved: nobody connects from there.
_NOBODYS: Final = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")))


class OperatorRange(Unit):
    """Where operators connect from: an office, a VPN, one address. Never the world, nor a good part of it."""

    allowed = (
        "the IPv4 network of operators without host bits, at most /16, or at most /8 where it is private, "
        "like 203.0.113.0/24"
    )
    pattern = r"[0-9.]+/[0-9]{1,2}"

    def check(self) -> None:
        try:
            network = self.network
        except ValueError:
            raise ValueError(f"allowed: {self.allowed}") from None
        private = any(network.subnet_of(one) for one in PRIVATE)
        if (network.prefixlen < 16 and not private) or any(network.overlaps(one) for one in _NOBODYS):
            raise ValueError(f"allowed: {self.allowed}")

    @property
    def network(self) -> IPv4Network:
        return IPv4Network(self)


class Doors(Spec):
    """The ports of what runs on a machine, by who may reach them; every other port is closed."""

    public: tuple[PublicPort, ...] = ()
    """Open to everybody. The type admits no other port."""
    intranet: tuple[Port, ...] = ()
    """Open to the machines of the same VPC."""


class FirewallSpec(Spec):
    """The doors of a machine, and the networks that stand before them."""

    vpc_cidr: Cidr
    """The addresses of the VPC: the intranet."""
    doors: Doors
    operators: Annotated[tuple[OperatorRange, ...], Field(max_length=20)] = ()
    operator_ports: tuple[Port, ...] = (22,)
    """Open to operators alone."""

    @model_validator(mode="after")
    def _operators_are_apart(self) -> FirewallSpec:
        for operator in self.operators:
            if self.vpc_cidr.network.subnet_of(operator.network):
                raise ValueError(
                    f"operators: {operator} holds the whole VPC ({self.vpc_cidr}), so every machine in it "
                    "would be an operator's; allowed: a part of it, or a network outside"
                )
        for one, other in combinations(self.operators, 2):
            if one.network.overlaps(other.network):
                raise ValueError(f"operators: {other} overlaps {one}; allowed: networks that do not")
        return self


@dataclass(frozen=True)
class Rule:
    """TCP connections to `port` are accepted from `source`. `role` is its name within the firewall."""

    role: str
    port: int
    source: str


def rules(spec: FirewallSpec) -> Iterator[Rule]:
    """The rules, each once. A port that everybody may reach needs none for the few."""
    public: set[int] = set(spec.doors.public)
    for port in sorted(public):
        yield Rule(f"public-{port}", port, WORLD)
    intranet = set(spec.doors.intranet) - public
    for port in sorted(intranet):
        yield Rule(f"intranet-{port}", port, spec.vpc_cidr)
    for port in sorted(set(spec.operator_ports) - public):
        for operator in sorted(spec.operators):
            yield Rule(f"operator-{port}-{operator.replace('/', '-')}", port, operator)
