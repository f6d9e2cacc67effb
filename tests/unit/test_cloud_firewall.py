"""Who may reach which port of a cloud machine: the arithmetic, whatever a stack file says."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any, cast, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.cloud.firewall import WORLD, Doors, FirewallSpec, OperatorRange, PublicPort, Rule, rules
from components.units import Address, Cidr
from policies.firewall import is_world
from stacks.claims import PUBLIC_PORTS, PortClaim
from stacks.cloud_needs import doors, loads
from stacks.gateway_settings import FilesElsewhere, StandaloneGateway, StandaloneProcessor, Unified
from stacks.gpu_settings import GpuSettings
from stacks.system import SystemSettings
from stacks.systems import SYSTEMS

VPC = "10.20.0.0/16"
OFFICE = "203.0.113.0/24"


class Anything(SystemSettings):
    """A system that takes these ports."""

    claimed: tuple[tuple[str, int], ...]
    closed: tuple[int, ...]

    def port_claims(self) -> Iterator[PortClaim]:
        return (PortClaim("path", Address(address), port) for address, port in self.claimed)

    def intranet_ports(self) -> Iterator[int]:
        return iter(self.closed)

    def nothing(self) -> Iterator[Any]:
        return iter(())

    subnet_claims = network_claims = secrets = images = nothing


def spec(**changes: object) -> FirewallSpec:
    return FirewallSpec.model_validate(
        {"vpc_cidr": VPC, "doors": {"public": [8010], "intranet": [8000, 8093]}} | changes
    )


def test_the_gateway_is_public_its_services_are_of_the_intranet_and_ssh_is_of_operators() -> None:
    made = FirewallSpec(vpc_cidr=Cidr(VPC), doors=doors([Unified()]), operators=(OperatorRange(OFFICE),))
    assert list(rules(made)) == [
        Rule("public-8010", 8010, "0.0.0.0/0"),
        Rule("intranet-8000", 8000, VPC),
        Rule("intranet-8093", 8093, VPC),
        Rule("operator-22-203.0.113.0-24", 22, OFFICE),
    ]


def test_without_an_operator_nobody_has_ssh() -> None:
    assert {rule.port for rule in rules(spec())} == {8000, 8010, 8093}


def test_each_deployment_of_the_gateway_has_its_doors() -> None:
    elsewhere = FilesElsewhere(kind="elsewhere", base_url="http://10.20.0.9:8000")
    assert doors([Unified(files=elsewhere)]) == Doors(public=(8010,), intranet=(8093,))
    assert doors([StandaloneGateway(mode="gateway")]) == Doors(public=(8010,))
    assert doors([StandaloneProcessor(mode="processor")]) == Doors(intranet=(8000, 8093))


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_opens_what_is_public_and_never_a_store(name: str) -> None:
    made: SystemSettings = Unified() if name == "gateway" else SYSTEMS[name].load_settings()()
    found = doors([made])
    assert found.public == ((8010,) if name == "gateway" else (80, 443))
    assert found.intranet == ((8000, 8093) if name == "gateway" else ())


def test_a_port_on_loopback_is_no_door() -> None:
    own = Anything(claimed=(("127.0.0.1", 8010), ("127.0.0.1", 5432)), closed=())
    assert doors([own]) == Doors()


def test_what_is_published_for_operators_is_opened_to_nobody_else() -> None:
    own = Anything(claimed=(("10.8.0.1", 443), ("10.8.0.1", 3005)), closed=())
    assert doors([own], [OperatorRange("10.8.0.0/24")]) == Doors()
    assert doors([own]) == Doors(public=(443,))


def test_the_type_admits_the_public_ports_of_the_house_and_no_other() -> None:
    assert set(get_args(PublicPort)) == {*PUBLIC_PORTS}


addresses = st.sampled_from(["0.0.0.0", "127.0.0.1", "10.20.0.5", "8.8.8.8"])
ports = st.integers(1, 65535) | st.sampled_from([22, 80, 443, 2375, 3306, 5432, 6379, 8000, 8010, 8093])
systems = st.builds(
    Anything,
    claimed=st.lists(st.tuples(addresses, ports)).map(tuple),
    closed=st.lists(ports).map(tuple),
)
operators = st.sampled_from([OFFICE, "198.51.100.7/32", "192.168.0.0/16", "10.20.255.0/24"])


@given(st.lists(systems), st.sets(operators), st.lists(ports).map(tuple))
def test_no_rule_opens_another_port_to_the_world(
    carried: list[Anything], operators: set[str], operator_ports: tuple[int, ...]
) -> None:
    made = spec(doors=doors(carried), operators=sorted(operators), operator_ports=operator_ports)
    found = list(rules(made))
    assert (
        len({rule.role for rule in found}) == len({(rule.port, rule.source) for rule in found}) == len(found)
    )
    for rule in found:
        assert is_world(rule.source) == (rule.source == WORLD)
        if rule.source == WORLD:
            assert rule.port in PUBLIC_PORTS
        elif rule.source == VPC:
            assert rule.port not in made.doors.public
        else:
            assert rule.source in operators and rule.port in operator_ports
    for system in carried:
        for port in {*system.closed, *(port for _, port in system.claimed)} - {*PUBLIC_PORTS}:
            reachable = {rule.source for rule in found if rule.port == port}
            assert reachable <= {VPC, *(operators if port in operator_ports else ())}


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_an_operators_network_is_never_the_world_for_the_policy(number: int, prefix: int) -> None:
    network = IPv4Network((number, prefix), strict=False)
    try:
        OperatorRange(str(network))
    except ValueError:
        nobodys = IPv4Address(number).is_multicast or IPv4Address(number).is_reserved
        own = any(
            network.overlaps(IPv4Network(one)) for one in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16")
        )
        assert is_world(str(network)) or nobodys or own
    else:
        assert not is_world(str(network))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"doors": {"public": [22]}}, ["doors.public.0", "80, 443 or 8010"]),
        ({"doors": {"public": [8010, 8093]}}, ["doors.public.1"]),
        ({"doors": {"intranet": [0]}}, ["doors.intranet.0"]),
        *(
            ({"operators": [wide]}, ["operators.0", "the IPv4 network of operators", "at most /16"])
            for wide in (
                *("0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "8.0.0.0/8", "203.0.0.0/15"),
                *("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/24", "203.0.113.7/24", "everybody"),
            )
        ),
        ({"operators": [OFFICE, "203.0.113.128/25"]}, ["203.0.113.128/25 overlaps 203.0.113.0/24"]),
        ({"operators": [OFFICE, OFFICE]}, ["203.0.113.0/24 overlaps 203.0.113.0/24"]),
        ({"operators": ["10.0.0.0/8"]}, ["10.0.0.0/8 holds the whole VPC (10.20.0.0/16)"]),
        ({"operators": [VPC]}, ["10.20.0.0/16 holds the whole VPC"]),
        ({"operators": [f"192.0.{n}.0/24" for n in range(21)]}, ["operators", "at most 20"]),
        ({"vpc_cidr": "8.8.8.0/24"}, ["vpc_cidr", "a private IPv4 network"]),
        ({"egress": "everything"}, ["egress", "Extra inputs"]),
    ],
)
def test_what_would_open_too_much_is_refused_by_name(changes: dict[str, object], named: list[str]) -> None:
    with pytest.raises(ValidationError) as error:
        spec(**changes)
    for text in named:
        assert text in str(error.value)


def test_every_system_says_its_least() -> None:
    found = loads({"gateway": cast(SystemSettings, Unified()), "gpu": GpuSettings()})
    assert str(found["gateway"]) == "2 vCPU and 4GiB"
    assert str(found["gpu"]) == "2 vCPU and 8GiB", "8 GB (systems.md, 4)"
