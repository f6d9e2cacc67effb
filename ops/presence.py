"""What should be there and is not, as `./berth status` compares it, told by system."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ops import observed, recorded
from ops.condition import Finding, State
from ops.recorded import Recorded

if TYPE_CHECKING:
    from docker import DockerClient

Inspected = list[tuple[Recorded, Mapping[str, Any] | None]]
"""Recorded containers, and what `docker inspect` says of each; None: the engine has none."""


def look(
    client: DockerClient,
    exported: Mapping[str, Any],
    inspected: Inspected,
    chosen: Collection[str],
    *,
    now: datetime,
) -> Iterator[Finding]:
    """Containers, data volumes and networks of the chosen systems, and of none in particular."""
    outputs = recorded.outputs(exported)
    systems = outputs.systems if outputs else {}
    found = [*unmade(exported, chosen), *_wrong(inspected, now)]
    yield from found
    told = {one.system for one in found}
    for name in sorted(chosen):
        if name not in told and name in systems:
            count = sum(1 for it, _ in inspected if it.system == name and it.starts)
            reason = f"all {count} are as they should be"
            yield Finding(system=name, check="containers", state=State.HEALTHY, reason=reason)
    volumes = {volume: name for name, system in systems.items() for volume in system.volumes}
    for volume in observed.lost(client, recorded.data_volumes(exported)):
        if (owner := volumes.get(volume.name)) is None or owner in chosen:
            yield broken(owner, "volumes", f"data volume {volume.name}: missing")
    networks = {network: name for name, system in systems.items() for network in system.networks}
    for network in observed.lost_networks(client, recorded.networks(exported)):
        if (owner := networks.get(network)) is None or owner in chosen:
            yield broken(owner, "networks", f"network {network}: missing")


def unmade(exported: Mapping[str, Any], chosen: Collection[str]) -> Iterator[Finding]:
    """What an `up` that ended early did not come to, of the chosen systems."""
    for name, line in recorded.unmade(exported):
        if name is None or name in chosen:
            yield broken(name, "containers", line)


def _wrong(inspected: Inspected, now: datetime) -> Iterator[Finding]:
    for container, attributes in inspected:
        seen = observed.observe(container, attributes, now=now)
        if not seen.ok:
            reason = f"{seen.service} ({seen.container}): {', '.join(seen.problems)}"
            yield broken(container.system, "containers", reason)


def broken(system: str | None, check: str, reason: str) -> Finding:
    """For what is not there, or does not answer."""
    hint = "./berth up repairs what it can; ./berth logs says what a container printed"
    return Finding(system=system, check=check, state=State.UNHEALTHY, reason=reason, hint=hint)
