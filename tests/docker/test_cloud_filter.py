"""Random rules of security groups: what the API's verdict says of a packet is what nftables does with it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from itertools import count
from typing import Any

import docker
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from emulator.cloud import Cloud, open_cloud
from emulator.plane import translate
from emulator.plane.wiring import Link, Public
from emulator.services.ecs import security_groups
from emulator.services.ecs.model_groups import SecurityGroup, SecurityGroupRule
from emulator.services.ecs.model_instances import Instance
from emulator.services.ecs.verdict import Packet, effective, passes
from tests.docker.clouds import REGION, guest
from tests.docker.lab import WORLD, WORLDS, Lab, Probe

pytestmark = pytest.mark.docker
NOW = datetime(2026, 1, 1, tzinfo=UTC)
IDS = ("sg-a", "sg-b", "sg-c")


@dataclass(frozen=True)
class Place:
    """A machine of the lab. public: its EIP."""

    name: str
    address: IPv4Address
    ipv6: IPv6Address
    public: IPv4Address | None

    @property
    def id(self) -> str:
        return f"i-bp1{self.name:0>17}"


WEB = Place("web", IPv4Address("10.0.1.5"), IPv6Address("2408:4000:1::5"), IPv4Address("198.18.1.1"))
APP = Place("app", IPv4Address("10.0.1.6"), IPv6Address("2408:4000:1::6"), IPv4Address("198.18.1.2"))
DB = Place("db", IPv4Address("10.0.2.5"), IPv6Address("2408:4000:2::5"), None)
PLACES = (WEB, APP, DB)
PUBLIC = tuple(Public(one.public, one.address) for one in PLACES if one.public)

ADDRESSES = {
    4: [
        *(f"{one.address}/{length}" for one in PLACES for length in (32, 24)),
        *(f"{one.public}/32" for one in PLACES if one.public),
        *(f"{one}/{length}" for one in WORLDS for length in (32, 24)),
        "10.0.0.0/8", "198.18.0.0/15", "0.0.0.0/0",
    ],
    6: [*(f"{one.ipv6}/{length}" for one in PLACES for length in (128, 64)), "2408:4000::/32", "::/0"],
}  # fmt: skip
PROTOCOLS = {4: ["all", "tcp", "tcp", "udp", "icmp", "gre"], 6: ["all", "tcp", "tcp", "udp", "icmpv6"]}
ports = st.sampled_from([None, (22, 22), (8080, 8080), (1, 8079), (23, 65535)])
source_ports = st.sampled_from([None, None, None, (10000, 19999), (20000, 39999), (30000, 30000)])


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """As the API would take it."""
    ingress = draw(st.booleans())
    version = draw(st.sampled_from([4, 4, 6]))  # no rule is for addresses of both
    blocks = st.sampled_from(ADDRESSES[version])
    protocol = draw(st.sampled_from(PROTOCOLS[version]))
    ported = protocol in ("tcp", "udp")
    group = draw(st.sampled_from(["", "", *IDS]))
    peer = "" if group else draw(blocks)
    own = draw(st.one_of(st.just(""), st.just(""), blocks))
    return {
        "group": draw(st.sampled_from(IDS)),
        "direction": "ingress" if ingress else "egress",
        "priority": draw(st.integers(1, 4)),
        "policy": draw(st.sampled_from(["accept", "accept", "drop"])),
        "protocol": protocol,
        "ports": draw(ports) if ported else None,
        "source_ports": draw(source_ports) if ported else None,
        "peer_group": group,
        "source": peer if ingress else own,
        "destination": own if ingress else peer,
    }


@dataclass(frozen=True)
class Setting:
    """enterprise: the groups' kind: those of one machine are of one. held: by machine, its groups."""

    enterprise: frozenset[str]
    isolated: frozenset[str]
    held: dict[str, tuple[str, ...]]
    rules: list[dict[str, Any]]


@st.composite
def settings_(draw: st.DrawFn) -> Setting:
    enterprise = draw(st.sampled_from([frozenset(), frozenset({"sg-c"}), frozenset(IDS)]))
    kinds = [[one for one in IDS if (one in enterprise) is kind] for kind in (True, False)]
    choice = st.sampled_from([kind for kind in kinds if kind]).flatmap(
        lambda kind: st.lists(st.sampled_from(kind), min_size=1, max_size=2, unique=True).map(tuple)
    )
    return Setting(
        enterprise,
        draw(st.frozensets(st.sampled_from(IDS), max_size=2)),
        {one.name: draw(choice) for one in PLACES},
        draw(st.lists(rules(), min_size=2, max_size=14)),
    )


class World:
    """The lab, and a cloud of which it is a VPC."""

    def __init__(self, lab: Lab, cloud: Cloud) -> None:
        self.lab, self.cloud = lab, cloud
        self._numbers = count()

    def instances(self, setting: Setting) -> list[Instance]:
        """The cloud becomes what the setting says; its machines."""
        store = self.cloud.store
        with store.transaction():
            for old in store.all(SecurityGroupRule):
                store.remove(old)
            for one in IDS:
                kind, inner = one in setting.enterprise, one not in setting.isolated
                store.put(
                    SecurityGroup(
                        id=one, region=REGION, created=NOW, vpc="vpc-1", resource_group="rg",
                        type="enterprise" if kind else "normal",
                        inner_access="Accept" if inner and not kind else "Drop",
                    )
                )  # fmt: skip
            for index, rule in enumerate(setting.rules):
                store.put(SecurityGroupRule(id=f"sgr-{index}", region=REGION, created=NOW, **rule))
            return [store.put(machine(one, setting.held[one.name])) for one in PLACES]

    def number(self, part: int = 1) -> int:
        """A number no other probe has. part: the first digit of five, of source ports."""
        return part * 10000 + next(self._numbers) % 10000

    def probes(self) -> Iterator[Probe]:
        """From everybody to everybody, by every way."""
        for sender in PLACES:
            others = [one for one in PLACES if one is not sender]
            targets = [str(one.address) for one in others]
            targets += [str(one.public) for one in PLACES if one.public]
            for to in (*targets, str(WORLDS[0])):
                yield from self._each(sender.name, str(sender.address), to)
            for other in others:
                yield from self._each(sender.name, str(sender.ipv6), str(other.ipv6))
        for source in WORLDS:
            for one in PLACES:
                if one.public:
                    yield from self._each(WORLD, str(source), str(one.public))
        # GRE has no ports: the packet back would belong to the session of the one before.
        for sender, to in ((WEB, str(APP.address)), (APP, str(DB.address)), (DB, str(WEB.address))):
            yield Probe(sender.name, str(sender.address), to, "gre", self.number())
        yield Probe(WORLD, str(WORLDS[0]), str(WEB.public), "gre", self.number())

    def _each(self, sender: str, source: str, to: str) -> Iterator[Probe]:
        for protocol, port, part in (("tcp", 22, 1), ("tcp", 8080, 2), ("tcp", 8080, 3), ("udp", 22, 1)):
            yield Probe(sender, source, to, protocol, self.number(part), port)
        yield Probe(sender, source, to, "icmpv6" if ":" in to else "icmp", self.number())


def machine(place: Place, groups: tuple[str, ...]) -> Instance:
    return Instance(
        id=place.id, region=REGION, created=NOW, since=NOW, status="Running", name=place.name,
        host_name=place.name, type="ecs.c7.large", image="", zone="", vpc="vpc-1", vswitch="vsw-1",
        groups=groups, eni="", mac="00:16:3e:00:00:01", address=place.address, ipv6=(place.ipv6,),
        resource_group="rg", system_disk="",
    )  # fmt: skip


def receiver(probe: Probe) -> str:
    """Whose the address is; empty for nobody's."""
    to = ip_address(probe.to)
    if to in WORLDS:
        return WORLD
    return next(one.name for one in PLACES if to in (one.address, one.ipv6, one.public))


def expected(cloud: Cloud, machines: dict[str, Instance], probe: Probe) -> bool:
    """Whether it arrives, by the rules alone: each side is asked about the packet as that side sees it."""
    here, there = machines.get(probe.sender), machines.get(receiver(probe))
    private = {one.name: one.address for one in PLACES}
    eips = {one.name: one.public for one in PLACES}
    source, to = ip_address(probe.source), ip_address(probe.to)
    outside = probe.sender == WORLD or to in (*eips.values(), *WORLDS)
    if here is not None and outside and eips[probe.sender] is None:
        return False  # nothing of it leaves the VPC
    ported = probe.number if probe.protocol in ("tcp", "udp") else 0
    if here is not None:
        peers = frozenset(there.groups) if there is not None and not outside else frozenset[str]()
        leaving = Packet(probe.protocol, source, to, probe.port, ported, peers)
        if not passes(effective("egress", security_groups.decisive(cloud, here.groups)), leaving):
            return False
    if there is None:
        return True
    if here is not None and outside:
        public = eips[probe.sender]
        assert public is not None
        source = public
    if to.version == 4:
        to = private[receiver(probe)]
    peers = frozenset(here.groups) if here is not None and not outside else frozenset[str]()
    arriving = Packet(probe.protocol, source, to, probe.port, ported, peers)
    return passes(effective("ingress", security_groups.decisive(cloud, there.groups)), arriving)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    client = docker.from_env(timeout=600)
    lab = Lab(client, f"lab-{secrets.token_hex(3)}", guest(client))
    cloud = open_cloud(tmp_path_factory.mktemp("cloud"))
    try:
        links = {
            one.name: Link(
                one.id, f"00:16:3e:00:00:0{index}", one.address,
                IPv4Network(f"{one.address}/24", strict=False), (one.ipv6,),
            )
            for index, one in enumerate(PLACES)
        }  # fmt: skip
        lab.build(links, PUBLIC)
        yield World(lab, cloud)
    finally:
        lab.remove()
        cloud.store.close()
        client.close()


def test_where_everything_is_allowed_every_packet_arrives(world: World) -> None:
    """So that a packet that does not arrive in the next test was filtered."""
    everything: dict[str, Any] = {"direction": "ingress", "protocol": "all"}
    open_ = [{"group": "sg-a", "source": block, **everything} for block in ("0.0.0.0/0", "::/0")]
    instances = world.instances(
        Setting(frozenset(), frozenset(), {one.name: ("sg-a",) for one in PLACES}, open_)
    )
    probes = list(world.probes())
    assert missed(world, instances, probes) == []


def test_nobody_speaks_for_another(world: World) -> None:
    everything: dict[str, Any] = {"direction": "ingress", "protocol": "all", "group": "sg-a"}
    open_ = [{"source": block, **everything} for block in ("0.0.0.0/0", "::/0")]
    groups = {one.name: ("sg-a",) for one in PLACES}
    instances = world.instances(Setting(frozenset(), frozenset(), groups, open_))
    own = [("10.0.1.5", "10.0.2.5"), ("2408:4000:1::5", "2408:4000:2::5")]
    others = [
        *(("10.0.1.6", "10.0.2.5"), ("10.0.1.99", "10.0.2.5"), ("192.168.7.7", "10.0.2.5")),
        *(("10.0.1.6", str(WORLDS[0])), ("2408:4000:1::6", "2408:4000:2::5")),
    ]
    probes = {
        Probe(WEB.name, source, to, "udp", world.number(), 22): (source, to) for source, to in own + others
    }
    seen = world.lab.seen(translate.rules(world.cloud, instances, PUBLIC), probes)
    arrived = {number for _, _, number, _ in seen}
    assert [way for probe, way in probes.items() if probe.number in arrived] == own


@given(settings_())
@settings(
    max_examples=40, deadline=None, phases=[Phase.generate],  # shrinking takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
def test_the_verdict_of_random_rules_is_what_nftables_does(world: World, setting: Setting) -> None:
    instances = world.instances(setting)
    assert missed(world, instances, list(world.probes())) == []


def missed(world: World, instances: list[Instance], probes: list[Probe]) -> list[str]:
    """The probes that went otherwise than the rules say."""
    text = translate.rules(world.cloud, instances, PUBLIC)
    seen = world.lab.seen(text, probes)
    machines = {one.name: one for one in instances}
    wrong = []
    for probe in probes:
        wanted = expected(world.cloud, machines, probe)
        port = probe.port if probe.protocol in ("tcp", "udp") else 0
        if wanted is not ((receiver(probe), probe.protocol, probe.number, port) in seen):
            wrong.append(f"{probe} should {'arrive' if wanted else 'be dropped'}")
    return wrong
