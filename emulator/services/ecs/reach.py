"""Who can reach what: the verdict for every port at once. Pure; the page shows it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from emulator.services.ecs.verdict import EffectiveRule, Group, Packet, Ports, effective, passes

CALLING: Final = 50000
"""The port that a client calls from: as good as any that a system gives out by itself."""
LAST_PORT: Final = 65535
WORLD: Final = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True)
class Machine:
    """A machine as far as its packets are decided about."""

    id: str
    address: IPv4Address
    groups: Sequence[Group]
    public: bool
    """It has a public address, so that the world can ask for it at all."""


@dataclass(frozen=True)
class Reach:
    """What one side may open on a machine. sender: a machine's id, or a network of the Internet."""

    sender: str
    receiver: str
    tcp: tuple[Ports, ...]
    udp: tuple[Ports, ...]
    icmp: bool


def everyone(machines: Collection[Machine]) -> Iterator[Reach]:
    """What machines of one VPC may open on each other, and the world on each; nothing where nothing is."""
    for receiver in machines:
        arriving = effective("ingress", receiver.groups)
        if receiver.public:
            for network, address in callers(arriving):
                name = "anywhere else" if network == WORLD else str(network)
                yield from _reach(name, receiver, address, frozenset(), arriving)
        for sender in machines:
            if sender.id != receiver.id:
                leaving = effective("egress", sender.groups)
                groups = frozenset(group.id for group in sender.groups)
                yield from _reach(sender.id, receiver, sender.address, groups, arriving, leaving)


def callers(arriving: Iterable[EffectiveRule]) -> Iterator[tuple[IPv4Network, IPv4Address]]:
    """The public networks that rules tell apart, narrowest first, each with an address of no narrower one."""
    named = {
        rule.peer for rule in arriving if isinstance(rule.peer, IPv4Network) and not rule.peer.is_private
    }
    networks = sorted(named | {WORLD}, key=lambda one: (-one.prefixlen, one))
    for place, network in enumerate(networks):
        free = [network]
        for narrower in networks[:place]:
            free = [part for one in free for part in _without(one, narrower)]
        if network == WORLD:
            free = [one for one in free if not one[0].is_private]
        if free:
            yield network, free[0][0]


def _without(network: IPv4Network, other: IPv4Network) -> Iterable[IPv4Network]:
    if not network.overlaps(other):
        return [network]
    return sorted(network.address_exclude(other)) if other.subnet_of(network) else []


def _reach(
    sender: str,
    receiver: Machine,
    source: IPv4Address,
    groups: frozenset[str],
    arriving: Sequence[EffectiveRule],
    leaving: Sequence[EffectiveRule] | None = None,  # of a sender that is a machine here
) -> Iterator[Reach]:
    receivers = frozenset(group.id for group in receiver.groups)

    def opens(protocol: str, port: int) -> bool:
        there = Packet(protocol, source, receiver.address, port, CALLING if port else 0, groups)
        out = Packet(protocol, source, receiver.address, port, there.source_port, receivers)
        return passes(arriving, there) and (leaving is None or passes(leaving, out))

    rules = [rule for part in (arriving, leaving or ()) for rule in part]
    found = Reach(
        sender,
        receiver.id,
        tuple(_ranges(rules, lambda port: opens("tcp", port))),
        tuple(_ranges(rules, lambda port: opens("udp", port))),
        opens("icmp", 0),
    )
    if found.tcp or found.udp or found.icmp:
        yield found


def _ranges(rules: Iterable[EffectiveRule], opens: Callable[[int], bool]) -> Iterator[Ports]:
    """The ports that are open, as ranges: between two borders of the rules all ports are alike."""
    borders = sorted({1, *(border for rule in rules if rule.ports for border in _borders(rule.ports))})
    begin = 0
    for border in (*borders, LAST_PORT + 1):
        is_open = border <= LAST_PORT and opens(border)
        if is_open and not begin:
            begin = border
        elif begin and not is_open:
            yield begin, border - 1
            begin = 0


def _borders(ports: Ports) -> Iterator[int]:
    yield from (port for port in (ports[0], ports[1] + 1) if 1 <= port <= LAST_PORT)
