"""Networks that a stack joins."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pulumi
import pulumi_docker as docker
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.containers.network import ExistingNetwork, NetworkSpec
from components.units import Cidr


def test_a_network_that_is_not_there_is_told_with_one_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    def get_network(**_: Any) -> None:
        raise Exception(
            "invocation returned an error: there is no network 'door'\n  fix: see `docker network ls`"
        )

    monkeypatch.setattr(docker, "get_network", get_network)
    with pytest.raises(pulumi.RunError) as error:
        ExistingNetwork.by_name("door", provider=None)  # type: ignore[arg-type]
    assert str(error.value) == (
        "network 'door' cannot be joined: there is no network 'door'\n"
        "  fix: run `up` in the stack that owns it first, or correct the name"
    )


def test_the_engine_hands_out_the_half_that_fixed_addresses_leave() -> None:
    spec = NetworkSpec(name="nn", subnet=Cidr("172.20.0.0/16"), fixed_addresses=True)
    (ipam,) = spec.ipam() or ()
    assert (ipam.subnet, ipam.ip_range) == ("172.20.0.0/16", "172.20.128.0/17")


def test_fixed_addresses_need_a_subnet() -> None:
    with pytest.raises(ValidationError, match="network nn has fixed addresses, but no subnet"):
        NetworkSpec(name="nn", fixed_addresses=True)


@given(st.integers(8, 29), st.integers(0, 2**24 - 1), st.integers(0, 70_000))
def test_a_fixed_address_is_never_handed_out(prefix: int, host: int, number: int) -> None:
    network = IPv4Network((int(IPv4Address("10.0.0.0")) | host, prefix), strict=False)
    cidr = Cidr(str(network))
    try:
        address = IPv4Address(cidr.fixed(number))
    except ValueError:
        assert number < 2 or number >= network.num_addresses // 2
    else:
        assert address in network
        assert address not in IPv4Network(cidr.upper_half)
        assert address not in (network.network_address, network.network_address + 1)
