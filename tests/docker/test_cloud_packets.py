"""Who reaches whom, tried for real: machines, their groups' rules, and packets on every way between them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import docker
import pytest
from alibabacloud_ecs20140526 import models as m
from alibabacloud_vpc20160428 import models as v

from emulator.plane.engine import Engine
from emulator.plane.names import Names
from tests.docker import caller
from tests.docker.clouds import ZONE, Cloud, R, until

pytestmark = pytest.mark.docker
CALLER = Path(caller.__file__).read_text()
TRIED = (*(("tcp", port) for port in caller.PORTS), ("udp", 8001), ("udp", 8002), ("icmp", 0))
HOST = "host"
Way = tuple[str, str]
"""From where, and to which machine by which of its addresses: ("web", "db public")."""
Seen = dict[Way, set[str]]
ALL = {f"{protocol} {port}" for protocol, port in TRIED if port} | {"icmp"}


class World:
    """web and its twin in a group, db in another and another vSwitch; far in a VPC of the same addresses."""

    def __init__(self, cloud: Cloud, client: docker.DockerClient) -> None:
        self.cloud = cloud
        self.engine = Engine(Names(cloud.name), client)
        vpc, [near, other] = _dual(cloud, 1, 2)
        apart, [there] = cloud.network("10.0.0.0/16", "10.0.1.0/24")
        self.outer, self.inner = cloud.group(vpc), cloud.group(vpc)
        self.guarded: str = cloud.ecs.create_security_group(
            m.CreateSecurityGroupRequest(**R, vpc_id=apart, security_group_type="enterprise")
        ).body.security_group_id
        six = {"ipv_6address_count": 1}
        web, twin = cloud.run(near, self.outer, amount=2, **six)
        [db] = cloud.run(other, self.inner, **six)
        [far] = cloud.run(there, self.guarded)
        self.machines = {"web": web, "twin": twin, "db": db, "far": far}
        self.addresses: dict[str, str] = {}
        for name, one in self.machines.items():
            cloud.reaches(one, "Running")
            told = cloud.told(one)
            self.addresses[f"{name} private"] = told.vpc_attributes.private_ip_address.ip_address[0]
            self.addresses[f"{name} public"] = cloud.eip(one)
            for found in told.network_interfaces.network_interface[0].ipv_6sets.ipv_6set:
                self.addresses[f"{name} ipv6"] = found.ipv_6address
            self._container(one).exec_run(["python3", "-c", CALLER, "serve"], detach=True)

    def _container(self, instance: str) -> docker.models.containers.Container:
        found = self.engine.find(self.engine.names.machine(instance))
        assert found is not None
        return found

    def seen(self, ways: list[Way]) -> Seen:
        """What is answered on these ways; from each place all is tried at once."""
        found: Seen = {}
        for place in dict.fromkeys(place for place, _ in ways):
            targets = {self.addresses[to]: to for sender, to in ways if sender == place}
            calls = [(address, *one) for address in targets for one in TRIED]
            found |= {(place, to): set() for to in targets.values()}
            for address, protocol, port in self._called(place, calls):
                found[place, targets[address]].add(f"{protocol} {port}" if port else protocol)
        return found

    def _called(self, place: str, calls: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
        if place == HOST:
            return asyncio.run(caller.call(calls))
        command = ["python3", "-c", CALLER, "call"]
        said = self.engine.run(
            self._container(self.machines[place]), command, stdin=json.dumps(calls).encode()
        )
        return [(address, protocol, port) for address, protocol, port in json.loads(said)]

    def rule(self, group: str, protocol: str, ports: str, *, out: bool = False, **more: str) -> None:
        rule = {"ip_protocol": protocol, "port_range": ports, "security_group_id": group, **more}
        if out:
            self.cloud.ecs.authorize_security_group_egress(m.AuthorizeSecurityGroupEgressRequest(**R, **rule))
        else:
            self.cloud.ecs.authorize_security_group(m.AuthorizeSecurityGroupRequest(**R, **rule))


def _dual(cloud: Cloud, *parts: int) -> tuple[str, list[str]]:
    """A VPC with IPv6, and its vSwitches."""
    vpc = cloud.vpc.create_vpc(
        v.CreateVpcRequest(**R, cidr_block="10.0.0.0/16", enable_ipv_6=True)
    ).body.vpc_id
    asked = v.DescribeVpcAttributeRequest(**R, vpc_id=vpc)
    until("the VPC", lambda: cloud.vpc.describe_vpc_attribute(asked).body.status == "Available" or None)
    return vpc, [
        cloud.vpc.create_vswitch(
            v.CreateVSwitchRequest(
                **R, vpc_id=vpc, zone_id=ZONE, cidr_block=f"10.0.{part}.0/24", ipv_6cidr_block=part
            )
        ).body.v_switch_id
        for part in parts
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    client = docker.from_env(timeout=600)
    cloud = Cloud(client, tmp_path_factory.mktemp("cloud"))
    try:
        yield World(cloud, client)
    finally:
        cloud.stop()
        assert cloud.left() == [], "it leaves nothing behind"
        client.close()


def become(world: World, expected: Seen) -> None:
    """Whether the machines are reached so, as soon as the rules are in force."""
    last: list[Seen] = []

    def ask() -> bool | None:
        last.append(world.seen(list(expected)))
        return last[-1] == expected or None

    try:
        until("everybody is reached as the rules say", ask, 25)
    except AssertionError:
        assert last[-1] == expected
        raise


def tcp(*ports: int) -> set[str]:
    return {f"tcp {port}" for port in ports}


INSIDE = [("web", f"db {how}") for how in ("private", "ipv6", "public")]
TWINS = [("twin", f"web {how}") for how in ("private", "ipv6", "public")]
BACK = [("db", f"web {how}") for how in ("private", "ipv6", "public")]
FAR = [("far", "db public"), ("far", "web public"), ("far", "db private")]
OUT = [(HOST, "web public"), (HOST, "db public"), (HOST, "far public")]


def test_without_rules_only_machines_of_one_normal_group_reach_each_other(world: World) -> None:
    closed: Seen = {way: set() for way in chain(INSIDE, TWINS, BACK, FAR, OUT)}
    become(world, closed | {("twin", "web private"): ALL, ("twin", "web ipv6"): ALL})


def test_priorities_drops_groups_addresses_and_egress_decide(world: World) -> None:
    everybody = {"source_cidr_ip": "0.0.0.0/0"}
    inner, outer = world.inner, world.outer
    world.rule(inner, "tcp", "8001/8001", priority="10", **everybody)
    world.rule(inner, "tcp", "8001/8001", priority="5", policy="drop", source_group_id=outer)
    world.rule(inner, "all", "-1/-1", priority="20", source_group_id=outer)
    world.rule(inner, "tcp", "8002/8003", priority="1", policy="drop", ipv_6source_cidr_ip="::/0")
    world.rule(inner, "tcp", "8003/8003", source_cidr_ip=f"{world.addresses['far public']}/32")
    world.rule(inner, "tcp", "8004/8004", priority="1", **everybody)
    world.rule(inner, "tcp", "8004/8004", priority="1", policy="drop", **everybody)
    world.rule(inner, "tcp", "8005/8005", **everybody)
    world.rule(inner, "udp", "8001/8001", **everybody)
    world.rule(inner, "icmp", "-1/-1", source_cidr_ip="10.0.0.0/8")
    world.rule(outer, "tcp", "8005/8005", out=True, policy="drop", dest_cidr_ip="10.0.2.0/24")
    world.rule(outer, "udp", "8002/8002", out=True, policy="drop", dest_group_id=inner)
    world.rule(outer, "tcp", "8001/8002", source_group_id=inner)
    # What leaves far is what an enterprise group is told to let out.
    world.rule(world.guarded, "tcp", "8001/8004", out=True, dest_cidr_ip="0.0.0.0/0")
    world.rule(world.guarded, "icmp", "-1/-1", **everybody)
    become(
        world,
        {
            ("web", "db private"): tcp(8002, 8003) | {"udp 8001", "icmp"},
            ("web", "db ipv6"): tcp(8004, 8005) | {"udp 8001", "icmp"},
            # By its public address db is outside, and so is web to it.
            ("web", "db public"): tcp(8001, 8005) | {"udp 8001"},
            ("twin", "web private"): ALL,
            ("twin", "web ipv6"): ALL,
            ("twin", "web public"): set(),
            ("db", "web private"): tcp(8001, 8002),
            ("db", "web ipv6"): tcp(8001, 8002),
            ("db", "web public"): set(),
            ("far", "db public"): tcp(8001, 8003),
            ("far", "web public"): set(),
            ("far", "db private"): set(),  # it has the address in its own VPC, where nobody is behind it
            (HOST, "web public"): set(),
            (HOST, "db public"): tcp(8001, 8005) | {"udp 8001"},
            (HOST, "far public"): {"icmp"},
        },
    )


def test_a_group_whose_machines_are_told_to_stay_apart_goes_by_its_rules(world: World) -> None:
    asked = m.ModifySecurityGroupPolicyRequest(**R, security_group_id=world.outer, inner_access_policy="Drop")
    world.cloud.ecs.modify_security_group_policy(asked)
    world.rule(world.outer, "tcp", "8003/8003", source_cidr_ip="10.0.1.0/24")
    become(
        world,
        {("twin", "web private"): tcp(8003), ("twin", "web ipv6"): set(), ("twin", "web public"): set()},
    )


def test_a_rule_that_is_revoked_is_over(world: World) -> None:
    rule = {"ip_protocol": "tcp", "port_range": "8005/8005", "source_cidr_ip": "0.0.0.0/0"}
    world.cloud.ecs.revoke_security_group(
        m.RevokeSecurityGroupRequest(**R, security_group_id=world.inner, **rule)
    )
    become(world, {(HOST, "db public"): tcp(8001) | {"udp 8001"}})
