"""Security groups as nftables: pure, from the rules of `verdict` to the text of a table.

Every packet between two machines, and between a machine and the world, is forwarded by its VPC's router.
It has to leave the one (its chain `out`) and arrive at the other (its chain `in`); what belongs to a session
that was let through passes. A chain is the list of effective rules; the first that matches decides.

Each side is asked about the packet as that side has it. Who calls a public address of the same VPC calls that
address, whatever it is translated to, and comes with a public address: so `out` looks at where the session
was meant for, and `in` is asked after all translation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from emulator.plane.names import interface
from emulator.plane.wiring import METADATA, Public, translation
from emulator.services.ecs.verdict import EffectiveRule, Member, Network, Ports

TABLE = "inet berth"
NEW = 1
"""The mark, inside the router, of the first packet of a session on its way to a machine."""
PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")


@dataclass(frozen=True)
class Guarded:
    """A machine, and what decides about its packets."""

    instance: str
    addresses: Sequence[IPv4Address | IPv6Address]
    """Its private ones: it speaks for no other."""
    ingress: Sequence[EffectiveRule]
    egress: Sequence[EffectiveRule]


def table(
    machines: Iterable[Guarded],
    members: Mapping[str, Sequence[IPv4Address | IPv6Address]],
    public: Sequence[Public],
) -> str:
    """The whole table, in place of the one before: there is no moment without rules.

    members: the private addresses of each group's machines. public: who has a public address.
    """
    new = (f"table {TABLE} {{", *_body(machines, members, public), "}", "")
    return "\n".join((f"table {TABLE}", f"delete table {TABLE}", *new))


def _body(
    machines: Iterable[Guarded],
    members: Mapping[str, Sequence[IPv4Address | IPv6Address]],
    public: Sequence[Public],
) -> Iterator[str]:
    machines = list(machines)
    for group, addresses in sorted(members.items()):
        yield from _set(f"{_name(group)}_4", "ipv4_addr", [one for one in addresses if one.version == 4])
        yield from _set(f"{_name(group)}_6", "ipv6_addr", [one for one in addresses if one.version == 6])
    yield from translation(public)
    for machine in machines:
        port = interface(machine.instance)
        yield f"chain in_{port} {{"
        for rule in machine.ingress:
            yield from (f"  {line} {_policy(rule, 'accept')}" for line in _lines(rule))
        yield "}"
        yield f"chain out_{port} {{"
        for version, field in ((4, "ip"), (6, "ip6")):
            own = ", ".join(str(one) for one in machine.addresses if one.version == version)
            yield f"  {field} saddr != {{ {own} }} drop;" if own else f"  meta nfproto ipv{version} drop;"
        for rule in machine.egress:
            # What may leave has yet to arrive: `return` goes on to the other side's chain.
            yield from (f"  {line} {_policy(rule, 'return')}" for line in _lines(rule))
        yield "}"
    own = ", ".join(str(one.private) for one in public)
    yield "chain forward { type filter hook forward priority filter; policy drop;"
    yield "  ct state established,related accept;"
    yield "  ct state invalid drop;"
    for machine in machines:
        yield f'  iifname "{interface(machine.instance)}" jump out_{interface(machine.instance)};'
    # From outside only public addresses are called, and these only by who has one.
    yield '  iifname "eth0" ct status & dnat == 0 drop;'
    others = f"ip saddr != {{ {own} }} " if own else ""
    yield f'  iifname != "eth0" ct status & dnat != 0 {others}drop;'
    # A private address that no machine has is nobody's: what is beside this host is not asked.
    yield f'  oifname "eth0" ip daddr {{ {", ".join(PRIVATE)} }} drop;'
    for one in public:
        yield f'  oifname "eth0" ip saddr {one.private} accept;'
    yield '  oifname "eth0" drop;'
    yield f"  meta mark set {NEW} accept;"
    yield "}"
    yield "chain arrived { type filter hook postrouting priority srcnat + 10; policy accept;"
    for machine in machines:
        port = interface(machine.instance)
        yield f'  oifname "{port}" meta mark {NEW} jump in_{port};'
    yield "}"
    # The router itself is asked for metadata, by its machines, and for nothing else.
    yield "chain input { type filter hook input priority filter; policy drop;"
    yield '  iifname "lo" accept;'
    yield "  ct state established,related accept;"
    yield f'  iifname != "eth0" iifname "e*" ip daddr {METADATA} tcp dport 80 accept;'
    yield "  icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept;"
    yield "}"


def _set(name: str, kind: str, addresses: Sequence[IPv4Address | IPv6Address]) -> Iterator[str]:
    elements = f" elements = {{ {', '.join(map(str, addresses))} }};" if addresses else ""
    yield f"set {name} {{ type {kind};{elements} }}"


def _name(group: str) -> str:
    return group.replace("-", "_")


def _policy(rule: EffectiveRule, accept: str) -> str:
    return f"{accept};" if rule.policy == "accept" else "drop;"


def _lines(rule: EffectiveRule) -> Iterator[str]:
    """One rule is two lines where it is for both families by way of a group."""
    if isinstance(rule.peer, Member):
        for version in (4, 6):
            if rule.own is None or rule.own.version == version:
                yield _line(rule, f"{_peer(rule, version)} @{_name(rule.peer.group)}_{version}")
    elif rule.peer is None:
        yield _line(rule, "")
    else:
        yield _line(rule, _within(_peer(rule, rule.peer.version), rule.peer))


def _line(rule: EffectiveRule, peer: str) -> str:
    own = "" if rule.own is None else _within(_own(rule, rule.own.version), rule.own)
    parts = [peer, own, _protocol(rule)]
    return " ".join(part for part in parts if part)


def _peer(rule: EffectiveRule, version: int) -> str:
    """Where nftables has the address of the other side."""
    if rule.direction == "ingress":
        return f"{_family(version)} saddr"
    return "ct original ip daddr" if version == 4 else "ip6 daddr"  # IPv6 is not translated


def _own(rule: EffectiveRule, version: int) -> str:
    return f"{_family(version)} {'daddr' if rule.direction == 'ingress' else 'saddr'}"


def _within(field: str, network: Network) -> str:
    """0.0.0.0/0 is every IPv4 address: of the family alone, which nftables says otherwise."""
    if network.prefixlen == 0:
        return f"meta nfproto ipv{network.version}"
    return f"{field} {network}"


def _family(version: int) -> str:
    return "ip" if version == 4 else "ip6"


def _protocol(rule: EffectiveRule) -> str:
    if rule.protocol in ("tcp", "udp"):
        ports = _ports("dport", rule.protocol, rule.ports) + _ports("sport", rule.protocol, rule.source_ports)
        return " ".join(ports) or f"meta l4proto {rule.protocol}"
    return {
        "all": "",
        "icmp": "meta l4proto icmp",
        "icmpv6": "meta l4proto ipv6-icmp",
        "gre": "meta l4proto gre",
    }[rule.protocol]


def _ports(side: str, protocol: str, ports: Ports | None) -> list[str]:
    if ports is None:
        return []
    first, last = ports
    return [f"{protocol} {side} {first}" if first == last else f"{protocol} {side} {first}-{last}"]
