"""Only 8010, 80 and 443 may be opened to the world by a rule of a cloud machine's firewall."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from policies.exposure import PRIVATE, PUBLIC_PORTS
from policies.node import Node
from policies.rule import SECURITY_GROUP_RULE, Finding, Pending, Rule, Violation, shown

_PRIVATE6: Final = IPv6Network("fc00::/7")
_GLOBAL6: Final = IPv6Network("2000::/3")
# Wider than this, and not private, is no network of somebody whom one knows.
_STATED: Final = 16
_STATED6: Final = 32
_ALLOWED: Final = "only TCP 80, 443 and 8010 may be open to the world"
_CLOSE: Final = "name the network that needs it: a private one, or at most a /16 (IPv6: /32)"


def is_world(source: str) -> bool:
    """Whether an address range is more than a network that somebody stated: the world, its halves and parts.

    An empty one means every address. What is no range does, too.
    """
    try:
        network = ip_network(source, strict=False)
    except ValueError:
        return True
    if isinstance(network, IPv4Network):
        return network.prefixlen < _STATED and not any(network.subnet_of(one) for one in PRIVATE)
    return not network.subnet_of(_PRIVATE6) and (
        network.prefixlen < _STATED6 or not network.subnet_of(_GLOBAL6)
    )


def opened_ports(text: str) -> range:
    """The ports of a range `first/last`; all of them for `-1/-1`, for nothing, and for what is no range."""
    first, _, last = text.partition("/")
    numbers = first.isdecimal() and last.isdecimal()
    return (range(int(first), int(last) + 1) if numbers else None) or range(65536)


def _world(inputs: Node) -> Node | None:
    """The source of a rule where that is the world, or may be: of several, each opens the port."""
    stated = [inputs[name] for name in ("cidrIp", "ipv6CidrIp") if inputs[name].unknown or inputs[name].value]
    for source in stated:
        if not source.unknown and is_world(source.text()):
            return source
    for source in stated:
        if source.unknown:
            return source
    # A list of ranges is one that nobody here can read.
    if inputs["prefixListId"].value:
        return inputs["prefixListId"]
    return None if stated or inputs["sourceSecurityGroupId"].value else inputs["cidrIp"]


def _rule(inputs: Node) -> Iterator[Finding]:
    source = _world(inputs)
    if source is None or inputs["type"].text() == "egress" or inputs["policy"].text() == "drop":
        return
    protocol, ports = inputs["ipProtocol"], inputs["portRange"]
    if protocol.text() == "tcp" and PUBLIC_PORTS.issuperset(opened_ports(ports.text())):
        return
    read = (inputs["type"], inputs["policy"], source, protocol, ports)
    if unknown := [node.path for node in read if node.unknown]:
        yield from map(Pending, unknown)
        return
    what = ports if protocol.text() == "tcp" else protocol
    yield Violation(what.path, shown(what), f"it is open to {shown(source)}, and {_ALLOWED}", _CLOSE)


RULES: Final = (
    Rule(
        "public-firewall",
        "Only 80, 443 and 8010 are open to the world in the firewall of a cloud machine.",
        {SECURITY_GROUP_RULE: _rule},
    ),
)
