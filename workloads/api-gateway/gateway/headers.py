"""Which headers pass, and what the gateway adds. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address

from multidict import CIMultiDict, CIMultiDictProxy

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Said by the gateway itself, answered by its own server, or meant for the gateway.
REPLACED = frozenset({"host", "expect", "forwarded", "x-request-id"})
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers without those that concern one connection only, including those that Connection names."""
    named = {
        token.strip().lower() for value in headers.getall("Connection", ()) for token in value.split(",")
    }
    drop = HOP_BY_HOP | named
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in drop)


def is_trusted(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Whether the address is a proxy whose word about the client is taken."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in networks)


def closes(headers: Mapping[str, str]) -> bool:
    """Whether the answering side announced that it ends the connection."""
    return "close" in {token.strip().lower() for token in headers.get("Connection", "").split(",")}


def forwarded(
    headers: CIMultiDictProxy[str], *, client: str, scheme: str, trusted: bool, request_id: str
) -> CIMultiDict[str]:
    """The request headers as the service gets them."""
    result = end_to_end(headers)
    for name in REPLACED:
        result.popall(name, None)
    chain = [client]
    host, proto = headers.get("Host", ""), scheme
    if trusted:
        chain = [*headers.getall("X-Forwarded-For", ()), client]
        host, proto = headers.get("X-Forwarded-Host", host), headers.get("X-Forwarded-Proto", proto)
    for name in [n for n in result if n.lower().startswith("x-forwarded-")]:
        result.popall(name, None)
    result["X-Forwarded-For"] = ", ".join(chain)
    result["X-Forwarded-Host"] = host
    result["X-Forwarded-Proto"] = proto
    result["X-Request-Id"] = request_id
    return result
