"""Whether security groups let a packet pass: pure, and the one place that knows the order of their rules.

What applies to a machine is a list of effective rules in the order in which they are tried; the first that
matches decides, and the last matches everything. Whoever filters packets writes the list down one by one.
Only the first packet of a session is asked about: what belongs to a session that was let through passes.

Order, for packets that arrive: machines of one normal group among themselves, where its policy is Accept,
come before all rules of the user; then these, of all groups of the machine together, by priority, and at one
priority drop before accept; then what the kind of group does by default. For packets that leave the same
without the first. The metadata service is always reached.
Source: Alibaba Cloud, "Security group rules" (Match policy for custom security group rules; Special security
group rules) and "Basic and advanced security groups" (Default access control rules).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, Literal

Direction = Literal["ingress", "egress"]
Policy = Literal["accept", "drop"]
Protocol = Literal["tcp", "udp", "icmp", "icmpv6", "gre", "all"]
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Ports = tuple[int, int]
"""The first and the last."""

METADATA: Final = IPv4Network("100.100.100.200/32")
FIRST: Final = 0
"""Priority of what comes before the user's rules, which have 1 to 100."""
LAST: Final = 101


@dataclass(frozen=True)
class Member:
    """A group by its id: all machines in it, by their private addresses."""

    group: str


@dataclass(frozen=True)
class EffectiveRule:
    """One step of the decision. None stands for anything."""

    direction: Direction
    priority: int
    policy: Policy
    protocol: Protocol = "all"
    ports: Ports | None = None
    """Of the side that is called, for tcp and udp."""
    source_ports: Ports | None = None
    peer: Network | Member | None = None
    """Where a packet comes from, or where it goes to: the side that is not the machine's."""
    own: Network | None = None
    """The machine's own side: a rule may be for some of its addresses only."""
    rule: str = ""
    """The id of the user's rule; empty for what the cloud does by itself."""
    group: str = ""
    """The id of the group that it is from."""


@dataclass(frozen=True)
class Group:
    """A security group as far as it decides."""

    id: str
    enterprise: bool = False
    inner_accept: bool = True
    """Its machines reach each other. Never so in an enterprise group."""
    rules: Sequence[EffectiveRule] = ()


@dataclass(frozen=True)
class Packet:
    """The first packet of a session, as the machine sees it: with private addresses on its own side.

    protocol: tcp, udp, icmp, icmpv6, gre or the name of another one, which only rules for all match.
    """

    protocol: str
    source: Address
    destination: Address
    port: int = 0
    source_port: int = 0
    peer_groups: frozenset[str] = frozenset()
    """Groups of the machine on the other side, where that is one of this VPC under its private address."""


def effective(direction: Direction, groups: Collection[Group]) -> tuple[EffectiveRule, ...]:
    """The rules of a machine in these groups, in the order in which they are tried. The last matches all.

    Groups of one machine are of one kind. Without a group nothing passes, except to the metadata service.
    """
    return (
        *_before(direction, groups),
        *sorted(
            (rule for group in groups for rule in group.rules if rule.direction == direction),
            key=lambda rule: (rule.priority, rule.policy == "accept"),
        ),
        EffectiveRule(direction, LAST, _default(direction, groups)),
    )


def _before(direction: Direction, groups: Iterable[Group]) -> Iterator[EffectiveRule]:
    if direction == "egress":
        yield EffectiveRule(direction, FIRST, "accept", peer=METADATA)
        return
    for group in groups:
        if group.inner_accept and not group.enterprise:
            yield EffectiveRule(direction, FIRST, "accept", peer=Member(group.id), group=group.id)


def _default(direction: Direction, groups: Collection[Group]) -> Policy:
    if direction == "ingress" or not groups or any(group.enterprise for group in groups):
        return "drop"
    return "accept"


def decides(rules: Iterable[EffectiveRule], packet: Packet) -> EffectiveRule:
    """The rule that decides: the first that matches. Raises ValueError for rules not made by `effective`."""
    for rule in rules:
        if matches(rule, packet):
            return rule
    raise ValueError("no rule matches: the last one matches everything")


def passes(rules: Iterable[EffectiveRule], packet: Packet) -> bool:
    """Whether the packet is let through by the rules, as `effective` gives them."""
    return decides(rules, packet).policy == "accept"


def reaches(sender: Collection[Group], receiver: Collection[Group], source: Packet, arriving: Packet) -> bool:
    """Whether a machine's packet leaves it and arrives at another: both sides have their say."""
    return passes(effective("egress", sender), source) and passes(effective("ingress", receiver), arriving)


def matches(rule: EffectiveRule, packet: Packet) -> bool:
    """Whether the rule is about the packet."""
    arrives = rule.direction == "ingress"
    peer, own = (packet.source, packet.destination) if arrives else (packet.destination, packet.source)
    return (
        rule.protocol in ("all", packet.protocol)
        and _is_peer(rule.peer, peer, packet.peer_groups)
        and _within(own, rule.own)
        and _between(packet.port, rule.ports)
        and _between(packet.source_port, rule.source_ports)
    )


def _is_peer(wanted: Network | Member | None, address: Address, groups: frozenset[str]) -> bool:
    if isinstance(wanted, Member):
        return wanted.group in groups
    return _within(address, wanted)


def _within(address: Address, network: Network | None) -> bool:
    return network is None or (address.version == network.version and address in network)


def _between(port: int, ports: Ports | None) -> bool:
    return ports is None or ports[0] <= port <= ports[1]
