"""The arithmetic below the rules: ports, addresses, paths, names, sizes."""

import json
from ipaddress import IPv4Address, IPv4Network, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.credentials import secret_in, secret_in_command
from policies.exposure import OPERATORS, PUBLIC_PORTS, is_loopback, operators, published_ports
from policies.host_paths import reaches_engine
from policies.upkeep import is_log_count, is_log_size
from tests.policy.pack import ask, container

PORTS = st.integers(1, 65535)


@given(st.ip_addresses(v=4))
def test_ipv4_loopback_is_127_slash_8_also_mapped_into_ipv6(address: IPv4Address) -> None:
    expected = int(address) >> 24 == 127
    assert is_loopback(str(address)) is expected
    assert is_loopback(f"::ffff:{address}") is expected


@given(st.ip_addresses(v=6))
def test_ipv6_loopback_is_one_address(address: IPv6Address) -> None:
    if address.ipv4_mapped is None:
        assert is_loopback(address.exploded) is (int(address) == 1)


@given(st.text(max_size=20))
def test_what_is_no_address_is_not_loopback(text: str) -> None:
    if is_loopback(text):
        assert text.startswith(("127.", ":", "0"))


@given(PORTS, PORTS)
def test_ranges_cover_both_ends(first: int, last: int) -> None:
    ports = published_ports(f"{first}-{last}")
    assert ports == (range(first, last + 1) if first <= last else None)
    assert published_ports(first) == published_ports(str(first)) == range(first, first + 1)


@given(
    st.one_of(
        st.none(), st.text(max_size=12), st.integers(max_value=0), st.integers(min_value=65536), st.floats()
    )
)
def test_what_is_no_port_is_no_range(value: object) -> None:
    ports = published_ports(value)
    if ports is not None:
        assert 1 <= ports[0] <= ports[-1] <= 65535


@given(PORTS, st.one_of(st.none(), st.ip_addresses().map(str)))
def test_a_published_port_passes_only_if_public_or_on_loopback(port: int, address: str | None) -> None:
    published = {"internal": 80, "external": port} | ({"ip": address} if address else {})
    allowed = port in PUBLIC_PORTS or is_loopback(address or "")
    assert ask(container(ports=[published])).broken == (set() if allowed else {"public-ports"})


NETWORKS = st.builds(
    lambda address, prefix: IPv4Network(f"{address}/{prefix}", strict=False),
    st.one_of(st.ip_addresses(v=4), st.ip_addresses(network="10.0.0.0/8")),
    st.integers(0, 32),
)


@given(st.lists(NETWORKS, max_size=3), st.data())
def test_operators_reach_any_port_on_a_private_address_in_their_networks(
    networks: list[IPv4Network], data: st.DataObject
) -> None:
    inside = [st.ip_addresses(network=str(network)) for network in networks]
    address = data.draw(st.one_of(st.ip_addresses(v=4), st.ip_addresses(network="10.0.0.0/8"), *inside))
    config = {OPERATORS: json.dumps([str(network) for network in networks])}
    ports = [{"internal": 80, "external": 3005, "ip": str(address)}]
    private = any(address in IPv4Network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))
    theirs = private and any(address in network for network in networks)
    allowed = theirs or is_loopback(str(address))
    assert ask(container(ports=ports), config=config).broken == (set() if allowed else {"public-ports"})
    assert is_loopback(str(address)) or ask(container(ports=ports)).broken == {"public-ports"}


@pytest.mark.parametrize(
    "stated", ["", "10.0.0.0/8", "{}", "[1", '["10.0.0.1/8"]', '["everything"]', "[[]]", "[null]"]
)
def test_what_states_no_operators_opens_nothing(stated: str) -> None:
    assert operators({OPERATORS: stated}) == ()


@given(st.lists(st.sampled_from(["var", "run", ".", "", "docker.sock"]), max_size=5))
def test_the_way_a_path_is_written_does_not_matter(parts: list[str]) -> None:
    path = "/" + "/".join(parts)
    plain = [part for part in parts if part not in ("", ".")]
    expected = not plain or plain[-1] == "docker.sock" or plain in (["var"], ["run"], ["var", "run"])
    assert reaches_engine(path) is expected
    assert reaches_engine("/x/.." + path) is expected


def test_paths_beside_the_socket_are_fine() -> None:
    for path in (
        "data",
        "",
        "/srv/run",
        "/var/lib",
        "/run/secrets",
        "/running",
        "/var/running/docker.sockets",
    ):
        assert not reaches_engine(path), path
    for path in (
        "/run/user/1000",
        "/run/containerd",
        "/home/me/.docker/run/docker.sock",
        "//",
        "/proc/1/root/run/docker.sock",
    ):
        assert reaches_engine(path), path


def test_values_that_are_secrets_whatever_their_name() -> None:
    for value in (
        "LTAI5tQnE1abcdefGHIJ",
        "sk-proj-abcdefghijklmnop",
        "csk-abcdefghijklmnopqrst",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        "-----BEGIN PRIVATE KEY-----",
        "redis://:hunter2@redis:6379",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    ):
        assert secret_in("X", value), value
        assert secret_in_command(f"run --to {value}"), value
    for value in (
        "risk-taking-behaviour-model",
        "http://host:80/a@b",
        "task-queue-name-which-is-long",
        "LTAI",
    ):
        assert secret_in("X", value) is None, value


@given(st.integers(1, 10**6), st.sampled_from(["", "b", "k", "m", "g", "kb", "MB", "Gb", "MiB"]))
def test_log_sizes(number: int, unit: str) -> None:
    assert is_log_size(f"{number}{unit}")
    assert not is_log_size(f"-{number}{unit}")
    assert not is_log_size(f"0{unit}")
    assert is_log_count(str(number))
    assert not is_log_count(f"-{number}")
