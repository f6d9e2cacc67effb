"""Arithmetic of networks."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from emulator import addresses
from emulator.addresses import Cidr


@st.composite
def networks(draw: st.DrawFn, shortest: int = 8, longest: int = 29) -> IPv4Network:
    length = draw(st.integers(shortest, longest))
    return IPv4Network((draw(st.integers(0, 2**length - 1)) << (32 - length), length))


@given(networks(20), st.data())
def test_free_and_kept_are_the_network(network: IPv4Network, data: st.DataObject) -> None:
    """Every address is kept, taken or free, and nothing is twice."""
    taken = set(data.draw(st.lists(st.sampled_from(list(network)), max_size=20)))
    free = list(addresses.free(network, taken))
    kept = addresses.kept(network)
    assert set(free) | kept | taken == set(network)
    assert not set(free) & (kept | taken)
    assert len(free) == len(set(free))
    assert free == sorted(free, reverse=True)
    assert len(kept) == 4


@given(networks())
def test_the_gateway_is_kept(network: IPv4Network) -> None:
    gateway = addresses.gateway(network)
    assert gateway in network
    assert gateway in addresses.kept(network)
    assert gateway not in (network.network_address, network.broadcast_address)


@given(networks(), st.lists(networks(), max_size=6))
def test_overlapping(network: IPv4Network, others: list[IPv4Network]) -> None:
    def touch(one: IPv4Network, two: IPv4Network) -> bool:
        return int(one[0]) <= int(two[-1]) and int(two[0]) <= int(one[-1])

    expected = next((other for other in others if touch(network, other)), None)
    assert addresses.overlapping(network, others) == expected


@given(networks(1, 32))
def test_what_may_be_a_vpc(network: IPv4Network) -> None:
    if not addresses.may_be_vpc(network):
        return
    assert 8 <= network.prefixlen <= 28
    for never in ("127.0.0.1", "169.254.1.1", "100.100.100.200", "0.0.0.0", "224.0.0.1", "255.255.255.255"):
        assert IPv4Address(never) not in network


@pytest.mark.parametrize(
    "text", ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/24", "11.0.0.0/8"]
)
def test_usual_vpcs(text: str) -> None:
    assert addresses.may_be_vpc(IPv4Network(text))


def test_sizes_of_vswitches() -> None:
    sizes = [length for length in range(33) if addresses.may_be_vswitch(IPv4Network((0, length)))]
    assert sizes == list(range(16, 30))


@pytest.mark.parametrize(
    "text", ["10.0.0.0", "10.0.0.1/24", "10.0.0.0/255.0.0.0", " 10.0.0.0/8", "10.0.0.0/08", "::/64", "", "x"]
)
def test_text_that_is_no_network(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Cidr).validate_python(text)


@given(st.lists(st.integers(0, 2**20), unique=True, min_size=2, max_size=5))
def test_ipv6_blocks_do_not_overlap(numbers: list[int]) -> None:
    blocks = [addresses.ipv6_block(number) for number in numbers]
    assert all(block.prefixlen == 56 for block in blocks)
    assert not any(one.overlaps(two) for one in blocks for two in blocks if one is not two)
