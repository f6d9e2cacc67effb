"""Only 8010, 80 and 443 may be reached from outside the host, but for the networks of a stack's operators."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from typing import Final

from policies.node import Node
from policies.rule import CONTAINER, SERVICE, Finding, Pending, Rule, Violation, shown

PUBLIC_PORTS: Final = frozenset({80, 443, 8010})
OPERATORS: Final = "berth:operators"
PRIVATE: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_ALLOWED: Final = "only 80, 443 and 8010 may be published on an address that is not loopback"
_CLOSE: Final = (
    "publish it on 127.0.0.1, or not at all and let the containers of its network reach it by name"
)


def is_loopback(address: str) -> bool:
    """Whether a published address stays on the host: 127.0.0.0/8, ::1, and the former mapped into IPv6.

    An empty address means every address to Docker. What is not an address is not loopback either.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return (mapped or parsed).is_loopback


def operators(config: Mapping[str, str]) -> tuple[IPv4Network, ...]:
    """The networks that a stack's configuration states as its operators'; what is no network is none."""
    try:
        stated = json.loads(config.get(OPERATORS, "[]"))
        return tuple(map(IPv4Network, stated)) if isinstance(stated, list) else ()
    except ValueError:
        return ()


def is_operators(address: str, networks: Sequence[IPv4Network]) -> bool:
    """Whether only operators come to it: a private address in one of their networks."""
    try:
        parsed = IPv4Address(address)
    except ValueError:
        return False
    return any(parsed in private for private in PRIVATE) and any(parsed in network for network in networks)


def published_ports(value: object) -> range | None:
    """The host ports that a published port stands for: a number, its text, or a range `first-last`.

    None where Docker would choose a port itself (missing or 0), or where the text is no port.
    """
    first, _, last = str(value if value is not None else 0).partition("-")
    if not (first.isdecimal() and (last or first).isdecimal()):
        return None
    ports = range(int(first), int(last or first) + 1)
    return ports if ports and ports[0] > 0 and ports[-1] <= 65535 else None


def _is_public(port: Node) -> bool:
    ports = published_ports(port.value)
    return ports is not None and PUBLIC_PORTS.issuperset(ports)


def _container(operators: Sequence[IPv4Network], inputs: Node) -> Iterator[Finding]:
    everything = inputs["publishAllPorts"]
    if everything.unknown:
        yield Pending(everything.path)
    elif everything.value:
        why = f"it opens every port of the image on every address, and {_ALLOWED}"
        yield Violation(
            everything.path, shown(everything), why, "remove it and list the ports that are needed"
        )
    for port in inputs["ports"].items():
        address, external = port["ip"], port["external"]
        closed = not address.unknown and (
            is_loopback(address.text()) or is_operators(address.text(), operators)
        )
        if closed or (not external.unknown and _is_public(external)):
            continue
        if address.unknown or external.unknown:
            yield Pending((address if address.unknown else external).path)
            continue
        where = f"on {address.value}" if address.value else "on every address, because ip is not set"
        chosen = "Docker would choose any port" if not external.value else _ALLOWED
        yield Violation(external.path, shown(external), f"it is published {where}, and {chosen}", _CLOSE)


def _service(inputs: Node) -> Iterator[Finding]:
    # A Swarm port has no address, in ingress and in host mode alike: it is always published on all of them.
    for port in inputs["endpointSpec"]["ports"].items():
        published = port["publishedPort"]
        if published.unknown:
            yield Pending(published.path)
        elif not _is_public(published):
            mode = port["publishMode"].text() or "ingress"
            why = f"a service publishes on every address of every node ({mode} mode), and {_ALLOWED}"
            fix = "remove the port and let the services of its network reach it by name"
            yield Violation(published.path, shown(published), why, fix)


def rules(networks: Sequence[IPv4Network]) -> tuple[Rule, ...]:
    """networks: of the stack's operators."""
    return (
        Rule(
            "public-ports",
            "Only 80, 443 and 8010 are published on an address that is neither loopback nor its operators'.",
            {CONTAINER: partial(_container, networks), SERVICE: _service},
        ),
    )
