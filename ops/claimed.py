"""What a stack takes for itself on a host, against who has it there already: ports, networks, ranges."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ops.findings import Finding
from ops.host_facts import EVERY, HostFacts, sockets_here

if TYPE_CHECKING:
    from stacks.claims import NetworkClaim, PortClaim, SubnetClaim

_STACK = "berth.stack"
_UNPRIVILEGED = 1024  # ports from here on are anybody's


def ports(claims: Iterable[PortClaim], facts: HostFacts, stack: str) -> list[Finding]:
    """A finding for each port that another holds, else one for all. facts: what was measured."""
    claims = list(claims)
    if not claims:
        return [Finding("ports", "ok", "none: the stack publishes no port")]
    held = [finding for claim in claims if (finding := _port(claim, facts, stack))]
    if held:
        return held
    others = [claim for claim in claims if not _is_own(claim, facts, stack)]
    found = _privileged(others, facts)
    if (why := facts.untold or facts.unheard) and others:
        found.append(
            Finding(
                "ports",
                "unknown",
                f"no container of another holds {_names(others)}; of other programs nothing is known: {why}",
                "see there what `ss -ltn` says",
            )
        )
    return found or [Finding("ports", "ok", f"{_names(claims)}: free, or held by the stack itself")]


def _names(claims: Iterable[PortClaim]) -> str:
    return ", ".join(f"{claim.address}:{claim.port}" for claim in claims)


def _privileged(claims: Iterable[PortClaim], facts: HostFacts) -> list[Finding]:
    """Ports that an engine without root may not be able to open."""
    low = [claim for claim in claims if claim.port < _UNPRIVILEGED]
    if not facts.rootless or not low:
        return []
    least = min(claim.port for claim in low)
    return [
        Finding(
            "ports",
            "unknown",
            f"the engine is rootless, and opens ports below {_UNPRIVILEGED} ({_names(low)}) only where its "
            "host lets it",
            f"there: sysctl net.ipv4.ip_unprivileged_port_start={least}; or set "
            f"{' and '.join(claim.path for claim in low)} to {_UNPRIVILEGED} or more",
        )
    ]


def _is_own(claim: PortClaim, facts: HostFacts, stack: str) -> bool:
    """Whether a container of the stack itself has the port."""
    from offline.docker.foreign import publishes

    wanted = _wanted(claim)
    return any(
        _owner(container) == stack and any(publishes(port, wanted) for port in container.get("Ports") or ())
        for container in facts.containers
    )


def _wanted(claim: PortClaim) -> dict[str, Any]:
    return {"external": claim.port, "ip": str(claim.address), "protocol": "tcp"}


def _port(claim: PortClaim, facts: HostFacts, stack: str) -> Finding | None:
    from offline.docker.foreign import holder_of, publishes

    wanted = _wanted(claim)
    place = f"{claim.path}: {claim.address}:{claim.port}"
    other = f"set {claim.path} to another allowed port"
    for container in facts.containers:
        if not any(publishes(port, wanted) for port in container.get("Ports") or ()):
            continue
        if _owner(container) != stack:
            return Finding(
                "ports", "missing", f"{place} is taken: {holder_of(container)}", f"stop that one, or {other}"
            )
    if _is_own(claim, facts, stack) or not any(_meet(listener, claim) for listener in facts.listening):
        return None
    holder, fix = _process(claim, facts)
    return Finding("ports", "missing", f"{place} is taken by {holder}", f"{fix}, or {other}")


def _meet(listener: tuple[str, int], claim: PortClaim) -> bool:
    address, port = listener
    return port == claim.port and (EVERY in (address, claim.address) or address == claim.address)


def _process(claim: PortClaim, facts: HostFacts) -> tuple[str, str]:
    """Who listens on a port without a container, and how it is stopped."""
    from offline.docker.container_failure import process_of

    inodes = [inode for address, port, inode in sockets_here() if _meet((address, port), claim)]
    if facts.here and (found := process_of(f"socket:[{inode}]" for inode in inodes)):
        pid, command = found
        return f"process {pid} ({command})", _stopped(pid, command)
    look = f"see there who it is (ss -ltnp 'sport = :{claim.port}') and stop it"
    return "a process on the engine's host", look


def _stopped(pid: int, command: str) -> str:
    """How it is stopped. Who listens for others is not to be killed."""
    if pid == 1:
        return "see for whom (systemctl list-sockets) and stop that socket"
    if command in ("dockerd", "docker-proxy"):
        return "the engine holds it, for a service of its swarm perhaps (docker service ls): remove that"
    return f"stop it (kill {pid})"


def networks(
    names: Iterable[NetworkClaim], ranges: Iterable[SubnetClaim], facts: HostFacts, stack: str
) -> list[Finding]:
    """A finding for each name or range that another network has, or that is missing; else one for all."""
    from offline.docker.foreign import overlap

    found = []
    claims, subnets = list(names), list(ranges)
    for name in claims:
        there = [network for network in facts.networks if network["Name"] == name.name]
        if not name.made and not there:
            found.append(
                Finding(
                    "networks",
                    "missing",
                    f"{name.path}: the network {name.name}, which the stack joins, is not on the engine",
                    "bring up the stack that makes it first, or correct its name",
                )
            )
        if name.made and (taken := [it for it in there if _owner(it) != stack]):
            found.append(
                Finding(
                    "networks",
                    "missing",
                    f"{name.path}: the name is taken: {_whose(taken[0])}",
                    f"set {name.path} to another name, or remove that network (docker network rm "
                    f"{name.name})",
                )
            )
    for claim in subnets:
        inputs = {"ipamConfigs": [{"subnet": str(claim.subnet)}]}
        for network in facts.networks:
            if _owner(network) != stack and (met := overlap(inputs, network)):
                found.append(
                    Finding(
                        "networks",
                        "missing",
                        f"{claim.path}: {met[0]} overlaps {met[1]}: {_whose(network)}",
                        f"set {claim.path} to another range, or remove that network (docker network rm "
                        f"{network['Name']})",
                    )
                )
    if found:
        return found
    told = [*(claim.name for claim in claims), *(str(claim.subnet) for claim in subnets)]
    return [Finding("networks", "ok", f"{', '.join(told) or 'none of its own'}: nothing is in the way")]


def _owner(item: Mapping[str, Any]) -> str | None:
    return (item.get("Labels") or {}).get(_STACK)


def _whose(network: Mapping[str, Any]) -> str:
    from offline.docker.foreign import whose

    return whose("network", str(network["Name"]), network)
