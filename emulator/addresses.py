"""Arithmetic of networks: what fits where, what is free, what is kept for the cloud itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

_NEVER: Final = tuple(
    map(IPv4Network, ("0.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))
)
"""What no VPC may hold: this network, Alibaba Cloud's services, loopback, link-local, groups and reserved."""


def _network(value: Any) -> Any:
    if isinstance(value, str):
        network = IPv4Network(value)  # strict: no bit of a host
        if str(network) != value:
            raise ValueError("not in its shortest form")
        return network
    return value


Cidr = Annotated[IPv4Network, BeforeValidator(_network)]
"""An IPv4 network as text, like 10.0.0.0/16."""


def may_be_vpc(network: IPv4Network) -> bool:
    """/8 to /28, and none of the networks that are kept for other use."""
    return 8 <= network.prefixlen <= 28 and not any(network.overlaps(never) for never in _NEVER)


def may_be_vswitch(network: IPv4Network) -> bool:
    """/16 to /29."""
    return 16 <= network.prefixlen <= 29


def kept(network: IPv4Network) -> frozenset[IPv4Address]:
    """The addresses of a vSwitch that are not for machines: the first and the last three."""
    return frozenset((network[0], network[-3], network[-2], network[-1]))


def gateway(network: IPv4Network) -> IPv4Address:
    """The address that machines send through: the third from the end, as .253 of a /24."""
    return network[-3]


def ipv6_block(number: int) -> IPv6Network:
    """The IPv6 network of /56 that the nth VPC gets."""
    return IPv6Network((int(IPv6Address("2408:4000::")) + ((number & 0xFFFFFF) << 72), 56))


def free(network: IPv4Network, taken: Collection[IPv4Address]) -> Iterator[IPv4Address]:
    """The addresses for machines that nobody has, from the top down, as ECS gives them out."""
    own = kept(network)
    for number in range(int(network[-1]), int(network[0]) - 1, -1):
        address = IPv4Address(number)
        if address not in own and address not in taken:
            yield address


def overlapping(network: IPv4Network, others: Iterable[IPv4Network]) -> IPv4Network | None:
    """The first of the others that shares an address with the network."""
    return next((other for other in others if network.overlaps(other)), None)
