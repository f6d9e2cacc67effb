"""What stands in the way of a creation, told by a preview: names, ranges, addresses and ports of others.

Told only where it is certain. The resource carries the label `berth.stack`, and what is in its way has not
the same one: what this stack holds itself may be gone when its turn comes. The engine is asked only where it
costs nothing, at its local socket and without the Docker SDK; where none answers, nothing is said.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any, Final

from offline.docker.labels import to_docker
from offline.provider.resource import Context, ResourceError

_SECONDS: Final = 2.0
_EVERY: Final = ("0.0.0.0", "::", "")  # noqa: S104 - to compare with
_STACK: Final = "berth.stack"
_lock = threading.Lock()
_kept: dict[tuple[str, str], tuple[float, list[Any]]] = {}


class _Socket(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def warn_of_network(ctx: Context, inputs: Mapping[str, Any]) -> None:
    """Warn that another one has the network's name, or addresses of its subnet."""
    name = inputs.get("name")
    for other in _foreign(ctx, inputs, "/networks"):
        told = whose("network", str(other.get("Name")), other)
        if other.get("Name") == name:
            ctx.warn(f"the update will fail: {told}; choose another name")
        elif met := overlap(inputs, other):
            ctx.warn(
                f"the update will fail: {told} and has {met[1]}, which {met[0]} overlaps; choose another"
            )


def overlap(inputs: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, str] | None:
    """A subnet of a network's inputs and the one that it overlaps of another, as the engine describes it."""
    theirs = _list((other.get("IPAM") or {}).get("Config"))
    for wanted in _list(inputs.get("ipamConfigs")):
        for config in theirs:
            try:
                ours, taken = ip_network(str(wanted.get("subnet"))), ip_network(str(config.get("Subnet")))
            except ValueError:
                continue
            if ours.version == taken.version and ours.overlaps(taken):
                return str(ours), str(taken)
    return None


def warn_of_addresses(ctx: Context, inputs: Mapping[str, Any]) -> None:
    """Warn that another container has a fixed address which this one is to have."""
    for wanted in _list(inputs.get("networksAdvanced")):
        if isinstance(wanted.get("ipv4Address"), str):
            for other in _foreign(ctx, inputs, "/containers/json"):
                if _has_address(other, str(wanted.get("name")), wanted["ipv4Address"]):
                    ctx.warn(
                        f"the update will fail: {holder_of(other)} and has the address "
                        f"{wanted['ipv4Address']}; take it off that network, or choose another address"
                    )


def _has_address(container: Mapping[str, Any], network: str, address: str) -> bool:
    joined = (container.get("NetworkSettings") or {}).get("Networks") or {}
    return any(
        network in (name, (found or {}).get("NetworkID")) and (found or {}).get("IPAddress") == address
        for name, found in joined.items()
    )


def holder_of(container: Mapping[str, Any]) -> str:
    """A container of the engine's list, and whose it is."""
    return whose("container", str((container.get("Names") or ["?"])[0]).lstrip("/"), container)


def warn_of_ports(ctx: Context, inputs: Mapping[str, Any]) -> None:
    """Warn that another container publishes a port which this one is to publish."""
    wanted = [port for port in _list(inputs.get("ports")) if isinstance(port.get("external"), int | float)]
    if not wanted or inputs.get("start") is False:
        return
    for other in _foreign(ctx, inputs, "/containers/json"):
        for port in wanted:
            if any(publishes(taken, port) for taken in other.get("Ports") or ()):
                ctx.warn(
                    f"the update will fail: {holder_of(other)} and publishes host port "
                    f"{int(port['external'])}; stop it, or publish another port"
                )


def publishes(taken: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a published port of the engine's list leaves no room for one of a container's inputs."""
    ours, theirs = wanted.get("ip") or "", taken.get("IP") or ""
    return (
        wanted["external"] not in (0, None)
        and taken.get("PublicPort") == wanted["external"]
        and (taken.get("Type") or "tcp") == (wanted.get("protocol") or "tcp")
        and (ours in _EVERY or theirs in _EVERY or ours == theirs)
    )


def whose(kind: str, name: str, other: Mapping[str, Any]) -> str:
    """What it is, and of which stack; `other`: as the engine describes it."""
    owner = (other.get("Labels") or {}).get(_STACK)
    return f"{kind} '{name}' " + (f"belongs to stack {owner} of berth" if owner else "is not of berth")


def _list(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _foreign(ctx: Context, inputs: Mapping[str, Any], path: str) -> Iterator[Mapping[str, Any]]:
    labels = inputs.get("labels")
    stack = to_docker(_list(labels)).get(_STACK) if isinstance(labels, list) else None
    if isinstance(stack, str):
        yield from (it for it in _ask(ctx, path) if (it.get("Labels") or {}).get(_STACK) != stack)


def _ask(ctx: Context, path: str) -> list[Any]:
    """The engine's list; nothing where it cannot be had at once."""
    try:
        host = ctx.engine.host
    except ResourceError:
        return []
    if not host.startswith("unix://"):
        return []
    with _lock:
        at, found = _kept.get((host, path), (0.0, []))
        if not at or time.monotonic() - at > _SECONDS:
            found = _get(host.removeprefix("unix://"), path)
            _kept[host, path] = time.monotonic(), found
        return found


def _get(place: str, path: str) -> list[Any]:
    connection = _Socket(place)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        found = json.loads(answer.read()) if answer.status == 200 else []
        return found if isinstance(found, list) else []
    except (OSError, ValueError, http.client.HTTPException):
        return []
    finally:
        connection.close()
