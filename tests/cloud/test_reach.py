"""Who can reach what, against the verdict port by port."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_network
from typing import Any

from alibabacloud_ecs20140526 import models as m
from alibabacloud_ecs20140526.client import Client as Ecs
from alibabacloud_vpc20160428 import models as v
from alibabacloud_vpc20160428.client import Client as Vpc
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.services.ecs import reach
from emulator.services.ecs.verdict import EffectiveRule, Group, Member, Packet, effective, passes, reaches
from tests.cloud.conftest import REGION
from tests.cloud.machines import moving, place, run  # noqa: F401
from tests.cloud.running import Clock, Listener
from tests.cloud.test_page import read

NETWORKS = ("0.0.0.0/0", "8.0.0.0/8", "8.8.0.0/16", "8.8.8.8/32", "10.0.1.0/24", "200.0.0.0/7")
PORTS = st.tuples(st.integers(1, 90), st.integers(0, 30)).map(lambda one: (one[0], one[0] + one[1]))
PEER = st.sampled_from((*map(ip_network, NETWORKS), Member("sg-a"), Member("sg-b"), None))


def rules(direction: Any) -> st.SearchStrategy[EffectiveRule]:
    return st.builds(
        EffectiveRule,
        direction=st.just(direction),
        priority=st.integers(1, 3),
        policy=st.sampled_from(("accept", "drop")),
        protocol=st.sampled_from(("tcp", "udp", "icmp", "all")),
        ports=PORTS | st.none(),
        peer=PEER,
    )


RULES = st.lists(rules("ingress") | rules("egress"), max_size=6)
GROUPS = st.tuples(
    st.builds(Group, id=st.just("sg-a"), inner_accept=st.booleans(), rules=RULES),
    st.builds(Group, id=st.just("sg-b"), inner_accept=st.booleans(), rules=RULES),
)


def within(ranges: tuple[tuple[int, int], ...], port: int) -> bool:
    return any(first <= port <= last for first, last in ranges)


@settings(max_examples=50, deadline=None)
@given(GROUPS)
def test_every_port_is_as_the_verdict_says(groups: tuple[Group, Group]) -> None:
    a = reach.Machine("i-a", IPv4Address("10.0.1.1"), groups[:1], public=True)
    b = reach.Machine("i-b", IPv4Address("10.0.2.1"), groups[1:], public=False)
    found = {(one.receiver, one.sender): one for one in reach.everyone((a, b))}
    nothing = reach.Reach("", "", (), (), False)
    for port in (*range(1, 125), 65535):
        for protocol in ("tcp", "udp"):
            for sender, receiver in ((a, b), (b, a)):
                out = Packet(
                    protocol,
                    sender.address,
                    receiver.address,
                    port,
                    reach.CALLING,
                    frozenset({receiver.groups[0].id}),
                )
                there = Packet(
                    protocol,
                    sender.address,
                    receiver.address,
                    port,
                    reach.CALLING,
                    frozenset({sender.groups[0].id}),
                )
                told = found.get((receiver.id, sender.id), nothing)
                assert within(getattr(told, protocol), port) == reaches(
                    sender.groups, receiver.groups, out, there
                )
            arriving = effective("ingress", a.groups)
            for network, address in reach.callers(arriving):
                name = "anywhere else" if network == reach.WORLD else str(network)
                packet = Packet(protocol, address, a.address, port, reach.CALLING)
                told = found.get((a.id, name), nothing)
                assert within(getattr(told, protocol), port) == passes(arriving, packet)
    assert not [one for (receiver, sender), one in found.items() if receiver == "i-b" and sender != "i-a"]


def test_callers_are_of_the_narrowest_network_that_a_rule_names() -> None:
    named = [
        EffectiveRule("ingress", 1, "accept", peer=IPv4Network(one))
        for one in ("8.0.0.0/8", "8.0.0.0/9", "8.128.0.0/9")
    ]
    found = {str(network): str(address) for network, address in reach.callers(named)}
    assert found == {"8.0.0.0/9": "8.0.0.0", "8.128.0.0/9": "8.128.0.0", "0.0.0.0/0": found["0.0.0.0/0"]}
    assert not IPv4Address(found["0.0.0.0/0"]).is_private


def test_the_page_shows_machines_and_who_reaches_them(
    ecs: Ecs,
    vpc: Vpc,
    place: dict[str, str],  # noqa: F811
    clock: Clock,
    server: Listener,
) -> None:
    [web] = run(ecs, place, instance_name="web")
    [store] = run(ecs, place, instance_name="store")
    clock.later(60)
    eip = vpc.allocate_eip_address(v.AllocateEipAddressRequest(region_id=REGION)).body
    clock.later(5)
    vpc.associate_eip_address(
        v.AssociateEipAddressRequest(region_id=REGION, allocation_id=eip.allocation_id, instance_id=web)
    )
    clock.later(5)
    for ports, source in (("80/80", "0.0.0.0/0"), ("22/22", "8.8.8.8"), ("443/444", "0.0.0.0/0")):
        ecs.authorize_security_group(
            m.AuthorizeSecurityGroupRequest(
                region_id=REGION,
                security_group_id=place["group"],
                ip_protocol="tcp",
                port_range=ports,
                source_cidr_ip=source,
            )
        )
    _, found = read(server)
    rows = {row[0]: row for row in found.tables["Instances"][1:]}
    assert rows[web][1:3] == ["web", f"{REGION}-h"] and rows[web][4] == "Running"
    assert rows[web][6] == eip.eip_address and rows[store][6] == ""
    assert [row[2] for row in found.tables["Disks"][1:]] == ["system", "system"]
    assert sorted(found.tables["Who can reach what"][1:]) == sorted(
        [
            [web, "8.8.8.8/32", "22, 80, 443-444", "", ""],
            [web, "anywhere else", "80, 443-444", "", ""],
            [web, store, "all", "all", "yes"],
            [store, web, "all", "all", "yes"],
        ]
    )
