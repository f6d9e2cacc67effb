"""Recorded containers against what the engine says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ops.recorded import DataVolume, Recorded

if TYPE_CHECKING:
    from docker import DockerClient


@dataclass(frozen=True, kw_only=True)
class Observed:
    """A container and how it really is. uptime in seconds. problems: in words; none when all is well.

    stays: it runs until told to stop, unlike a one-shot job, whose state is `done` once it succeeded.
    cut_off: it runs, but is on none of its networks, nor any other: nobody reaches it.
    """

    service: str
    container: str
    stays: bool
    state: str
    health: str
    image: str
    ports: tuple[str, ...]
    uptime: int | None
    problems: tuple[str, ...]
    cut_off: bool = False

    @property
    def ok(self) -> bool:
        return not self.problems


def observe(container: Recorded, attributes: Mapping[str, Any] | None, *, now: datetime) -> Observed:
    """Compares one container with what `docker inspect` says of it; None: the engine has none."""
    if attributes is None:
        return Observed(
            service=container.service,
            container=container.name,
            stays=container.stays,
            state="missing",
            health="-",
            image=container.image,
            ports=(),
            uptime=None,
            problems=("missing",),
        )
    state = attributes["State"]
    status = state["Status"]
    done = status == "exited" and state.get("ExitCode") == 0 and not container.stays
    shown = "done" if done else f"exited ({state.get('ExitCode')})" if status == "exited" else status
    health = (state.get("Health") or {}).get("Status") or "-"
    running = status == "running"
    # What is paused goes on as it was: what else is wrong with it must be known, too.
    there = running or status == "paused"
    problems = []
    if container.stays:
        if not running:
            problems.append(shown)
        if there and health not in ("-", "healthy"):
            problems.append(health)
    elif container.starts and not running and not done:
        problems.append(shown)
    off = _off_networks(container, attributes) if there else []
    problems += off
    return Observed(
        service=container.service,
        container=container.name,
        stays=container.stays,
        state=shown,
        health=health,
        image=str((attributes.get("Config") or {}).get("Image") or container.image),
        ports=_ports(attributes),
        uptime=int((now - _moment(state["StartedAt"])).total_seconds()) if running else None,
        problems=tuple(problems),
        cut_off=bool(off) and not (attributes.get("NetworkSettings") or {}).get("Networks"),
    )


def _off_networks(container: Recorded, attributes: Mapping[str, Any]) -> list[str]:
    joined = (attributes.get("NetworkSettings") or {}).get("Networks") or {}
    wrong = []
    mode = (attributes.get("HostConfig") or {}).get("NetworkMode")
    if not container.networks and mode in ("default", "bridge") and "bridge" not in joined:
        wrong.append("not on network bridge")
    for wanted in container.networks:
        found = joined.get(wanted.network) or next(
            (entry for entry in joined.values() if entry.get("NetworkID") == wanted.network), None
        )
        if found is None:
            wrong.append(f"not on network {wanted.network}")
        elif missing := sorted(wanted.aliases - set(found.get("Aliases") or [])):
            wrong.append(f"not known as {', '.join(missing)} on network {wanted.network}")
    return wrong


def _ports(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    published = (attributes.get("NetworkSettings") or {}).get("Ports") or {}
    return tuple(
        f"{binding['HostIp']}:{binding['HostPort']}->{port}"
        for port, bindings in sorted(published.items())
        for binding in bindings or []
    )


def _moment(text: str) -> datetime:
    """Docker's time, whose fraction has more digits than Python's."""
    return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)


def look(client: DockerClient, containers: Sequence[Recorded]) -> list[tuple[Recorded, Observed]]:
    """Each recorded container with how it is now."""
    from docker.errors import NotFound

    seen = []
    for container in containers:
        try:
            attributes = client.containers.get(container.id).attrs
        except NotFound:
            attributes = None
        seen.append((container, observe(container, attributes, now=datetime.now(UTC))))
    return seen


def lost(client: DockerClient, volumes: Sequence[DataVolume]) -> list[DataVolume]:
    """The data volumes that the engine has no more."""
    if not volumes:
        return []
    there = {volume.name for volume in client.volumes.list()}
    return [volume for volume in volumes if volume.name not in there]


def lost_networks(client: DockerClient, networks: Mapping[str, str]) -> list[str]:
    """The names of the networks, given by id, that the engine has no more."""
    if not networks:
        return []
    there = {network.id for network in client.networks.list()}
    return sorted(name for id, name in networks.items() if id not in there)
