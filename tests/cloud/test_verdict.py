"""Which packets security groups let pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from random import Random
from typing import Any, TypeVar, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.services.ecs.verdict import (
    METADATA,
    Address,
    Direction,
    EffectiveRule,
    Group,
    Member,
    Packet,
    Protocol,
    decides,
    effective,
    matches,
    passes,
    reaches,
)

T = TypeVar("T")

HERE, THERE, AWAY = (ip_address(text) for text in ("10.0.0.5", "10.0.0.6", "203.0.113.9"))
ALL = IPv4Network("0.0.0.0/0")
IDS = ("sg-a", "sg-b", "sg-c")

ports = st.tuples(st.integers(1, 65535), st.integers(1, 65535)).map(lambda two: (min(two), max(two)))
addresses = st.sampled_from(
    [HERE, THERE, AWAY, IPv4Address("10.0.1.1"), IPv6Address("2408:4000::1"), IPv6Address("2408:4000:1::1")]
)
networks = st.one_of(
    st.builds(
        lambda address, length: IPv4Network((int(address), length), strict=False),
        st.sampled_from([HERE, THERE, AWAY]),
        st.integers(0, 32),
    ),
    st.builds(
        lambda length: IPv6Network((int(IPv6Address("2408:4000::1")), length), strict=False),
        st.integers(0, 128),
    ),
)
peers = st.one_of(st.none(), networks, st.sampled_from(IDS).map(Member))
rules = st.builds(
    EffectiveRule,
    direction=st.sampled_from(get_args(Direction)),
    priority=st.integers(1, 100),
    policy=st.sampled_from(["accept", "drop"]),
    protocol=st.sampled_from(get_args(Protocol)),
    ports=st.one_of(st.none(), ports),
    source_ports=st.one_of(st.none(), ports),
    peer=peers,
    own=st.one_of(st.none(), networks),
    rule=st.uuids().map(str),
)
groups = st.builds(
    Group,
    id=st.sampled_from(IDS),
    enterprise=st.just(False),
    inner_accept=st.booleans(),
    rules=st.lists(rules, max_size=8),
)
machines = st.builds(
    lambda held, enterprise: [replace(group, enterprise=enterprise) for group in held],
    st.lists(groups, max_size=4),
    st.booleans(),
)
"""The groups of a machine: of one kind."""
packets = st.builds(
    Packet,
    protocol=st.sampled_from(["tcp", "udp", "icmp", "icmpv6", "gre", "sctp"]),
    source=addresses,
    destination=addresses,
    port=st.integers(1, 65535),
    source_port=st.integers(1, 65535),
    peer_groups=st.frozensets(st.sampled_from(IDS)),
)
directions = st.sampled_from(get_args(Direction))


def tcp(port: int, *, source: Address = AWAY, peers: frozenset[str] = frozenset()) -> Packet:
    return Packet("tcp", source, HERE, port, 40000, peers)


def accept(port: int, *, priority: int = 1, **more: Any) -> EffectiveRule:
    rule = EffectiveRule("ingress", priority, "accept", "tcp", (port, port), peer=ALL)
    return replace(rule, **more)


def test_nothing_comes_in_and_everything_goes_out_where_no_rule_says_so() -> None:
    group = Group("sg-a")
    assert not passes(effective("ingress", [group]), tcp(22))
    assert passes(effective("egress", [group]), Packet("tcp", HERE, AWAY, 443))


def test_an_enterprise_group_lets_nothing_out_by_itself_and_keeps_its_own_apart() -> None:
    group = Group("sg-a", enterprise=True)
    assert not passes(effective("egress", [group]), Packet("tcp", HERE, AWAY, 443))
    assert not passes(effective("ingress", [group]), tcp(22, source=THERE, peers=frozenset({"sg-a"})))


def test_machines_of_one_normal_group_reach_each_other_whatever_its_rules_say() -> None:
    refusing = EffectiveRule("ingress", 1, "drop", peer=ALL)
    group = Group("sg-a", rules=[refusing])
    packet = tcp(22, source=THERE, peers=frozenset({"sg-a"}))
    assert passes(effective("ingress", [group]), packet)
    assert not passes(effective("ingress", [replace(group, inner_accept=False)]), packet)


def test_one_group_in_common_that_accepts_is_enough() -> None:
    several = [Group("sg-a", inner_accept=False), Group("sg-b")]
    assert passes(effective("ingress", several), tcp(22, source=THERE, peers=frozenset({"sg-a", "sg-b"})))
    assert not passes(effective("ingress", several), tcp(22, source=THERE, peers=frozenset({"sg-a"})))


def test_isolated_machines_reach_each_other_where_a_rule_allows_it() -> None:
    group = Group("sg-a", inner_accept=False, rules=[accept(22, peer=IPv4Network("10.0.0.0/24"))])
    packet = tcp(22, source=THERE, peers=frozenset({"sg-a"}))
    assert passes(effective("ingress", [group]), packet)
    assert not passes(effective("ingress", [group]), replace(packet, port=23))


@pytest.mark.parametrize(("accepting", "dropping", "passed"), [(1, 2, True), (2, 1, False), (5, 5, False)])
def test_the_lower_number_decides_and_drop_at_the_same(accepting: int, dropping: int, passed: bool) -> None:
    allow = accept(22, priority=accepting)
    refuse = EffectiveRule("ingress", dropping, "drop", "tcp", (1, 65535), peer=ALL)
    one = [Group("sg-a", rules=[allow, refuse])]
    two = [Group("sg-a", rules=[allow]), Group("sg-b", rules=[refuse])]
    assert passes(effective("ingress", one), tcp(22)) is passed
    assert passes(effective("ingress", two), tcp(22)) is passed, "groups of a machine are one list"


def test_a_group_as_source_stands_for_its_machines_not_for_their_public_addresses() -> None:
    group = Group("sg-a", rules=[accept(80, peer=Member("sg-b"))])
    assert passes(effective("ingress", [group]), tcp(80, source=THERE, peers=frozenset({"sg-b"})))
    assert not passes(effective("ingress", [group]), tcp(80, source=THERE, peers=frozenset({"sg-c"})))
    assert not passes(effective("ingress", [group]), tcp(80, source=AWAY))


def test_the_other_side_and_the_own_side_of_a_rule() -> None:
    quintuple = accept(80, own=IPv4Network("10.0.0.5/32"), source_ports=(1000, 2000))
    listed = effective("ingress", [Group("sg-a", rules=[quintuple])])
    packet = replace(tcp(80), source_port=1500)
    assert passes(listed, packet)
    assert not passes(listed, replace(packet, source_port=2001))
    assert not passes(listed, replace(packet, destination=IPv4Address("10.0.0.7")))


def test_the_metadata_service_is_reached_through_any_rule() -> None:
    shut = Group("sg-a", enterprise=True, rules=[EffectiveRule("egress", 1, "drop", peer=ALL)])
    assert passes(effective("egress", [shut]), Packet("tcp", HERE, METADATA[0], 80))


def test_both_machines_have_their_say() -> None:
    mute = Group("sg-a", rules=[EffectiveRule("egress", 1, "drop", "tcp", (22, 22), peer=ALL)])
    open_ = Group("sg-b", rules=[accept(22), accept(80)])
    for port, passed in ((22, False), (80, True), (81, False)):
        packet = Packet("tcp", THERE, HERE, port)
        assert reaches([mute], [open_], packet, packet) is passed


def test_rules_that_nobody_completed_are_refused() -> None:
    with pytest.raises(ValueError, match="last one"):
        decides([accept(22)], tcp(23))


@given(directions, machines, packets)
def test_the_rules_of_a_machine_decide_on_every_packet(
    direction: Direction, held: list[Group], packet: Packet
) -> None:
    listed = effective(direction, held)
    assert all(rule.direction == direction for rule in listed)
    assert matches(listed[-1], packet)
    order = [(rule.priority, rule.policy == "accept") for rule in listed if 1 <= rule.priority <= 100]
    assert order == sorted(order)
    assert [rule.priority for rule in listed] == sorted(rule.priority for rule in listed)


@given(directions, machines, packets)
def test_the_verdict_is_what_the_documents_say_step_by_step(
    direction: Direction, held: list[Group], packet: Packet
) -> None:
    """The same without an order of rules: the best priority among those that match, drop before accept."""
    matching = [rule for group in held for rule in group.rules if rule.direction == direction]
    matching = [rule for rule in matching if matches(rule, packet)]
    inner = any(
        group.inner_accept and not group.enterprise and group.id in packet.peer_groups for group in held
    )
    unasked = inner if direction == "ingress" else packet.destination in METADATA
    if unasked:
        expected = True
    elif matching:
        best = min(rule.priority for rule in matching)
        expected = all(rule.policy == "accept" for rule in matching if rule.priority == best)
    else:
        expected = direction == "egress" and bool(held) and not held[0].enterprise
    assert passes(effective(direction, held), packet) is expected


@given(directions, machines, packets, st.randoms())
def test_neither_the_order_of_groups_nor_that_of_rules_matters(
    direction: Direction, held: list[Group], packet: Packet, chance: Random
) -> None:
    mixed = [replace(group, rules=_shuffled(group.rules, chance)) for group in _shuffled(held, chance)]
    assert passes(effective(direction, held), packet) == passes(effective(direction, mixed), packet)


@given(st.lists(groups, max_size=3), packets, rules)
def test_one_more_rule_that_drops_lets_nothing_new_pass(
    held: list[Group], packet: Packet, rule: EffectiveRule
) -> None:
    more = [*held, Group("sg-d", inner_accept=False, rules=[replace(rule, policy="drop")])]
    for direction in get_args(Direction):
        if held and passes(effective(direction, more), packet):
            assert passes(effective(direction, held), packet)


@given(rules, packets)
def test_a_rule_for_one_ip_version_is_not_about_the_other(rule: EffectiveRule, packet: Packet) -> None:
    network = IPv6Network("::/0") if packet.source.version == 4 else ALL
    assert not matches(replace(rule, direction="ingress", peer=network), packet)


def _shuffled(things: Sequence[T], chance: Random) -> list[T]:
    copy = list(things)
    chance.shuffle(copy)
    return copy
