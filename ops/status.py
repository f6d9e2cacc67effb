"""`./berth status`: what the stack has recorded against what the engine runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ops.errors import UserError
from ops.progress import say

if TYPE_CHECKING:
    from ops.engine import Engine
    from ops.stack import Stack

CONTAINER = "docker:index/container:Container"


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A container as the stack's state has it.

    stays: it runs until told to stop, unlike a one-shot job. starts: False for one that only carries files.
    """

    id: str
    name: str
    service: str
    image: str
    stays: bool
    starts: bool


@dataclass(frozen=True, kw_only=True)
class Observed:
    """A container and how it really is. ok: it is as it should be; uptime in seconds."""

    service: str
    container: str
    state: str
    health: str
    image: str
    ports: tuple[str, ...]
    uptime: int | None
    ok: bool


def recorded(exported: Mapping[str, Any]) -> list[Recorded]:
    """The containers in a state, in a stable order."""
    resources = (exported.get("deployment") or {}).get("resources") or []
    found = []
    for resource in resources:
        outputs = resource.get("outputs") or {}
        if resource.get("type") != CONTAINER or resource.get("delete"):
            continue
        labels = {label["label"]: label["value"] for label in outputs.get("labels") or []}
        found.append(
            Recorded(
                id=str(resource.get("id") or ""),
                name=str(outputs.get("name") or ""),
                service=labels.get("berth.service") or resource["urn"].rpartition("::")[2],
                image=str(outputs.get("image") or ""),
                stays=outputs.get("mustRun", True) is not False,
                starts=outputs.get("start", True) is not False,
            )
        )
    return sorted(found, key=lambda container: (container.service, container.name))


def observe(container: Recorded, attributes: Mapping[str, Any] | None, *, now: datetime) -> Observed:
    """Compares one container with what the engine says of it (`docker inspect`);

    None: the engine has none.
    """
    if attributes is None:
        return Observed(
            service=container.service,
            container=container.name,
            state="missing",
            health="-",
            image=container.image,
            ports=(),
            uptime=None,
            ok=False,
        )
    state = attributes["State"]
    health = (state.get("Health") or {}).get("Status") or "-"
    running = state["Status"] == "running"
    finished = state["Status"] == "exited" and state.get("ExitCode") == 0
    return Observed(
        service=container.service,
        container=container.name,
        state=state["Status"]
        if running or state["Status"] != "exited"
        else f"exited ({state.get('ExitCode')})",
        health=health,
        image=str((attributes.get("Config") or {}).get("Image") or container.image),
        ports=_ports(attributes),
        uptime=int((now - _moment(state["StartedAt"])).total_seconds()) if running else None,
        ok=(running and health in ("-", "healthy"))
        if container.stays
        else (running or finished or not container.starts),
    )


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


def read(stack: Stack) -> list[Observed]:
    """The stack's containers as they are now."""
    from docker.errors import NotFound

    containers = recorded(stack.export())
    if not containers:
        raise UserError(f"stack {stack.name} has nothing running", fix=f"./berth up -s {stack.name}", code=3)
    if stack.engine is None:
        raise UserError(f"stack {stack.name} has no Docker engine to ask", fix="./berth doctor")
    client = stack.engine.client()
    observed = []
    try:
        for container in containers:
            try:
                attributes = client.containers.get(container.id).attrs
            except NotFound:
                attributes = None
            seen = observe(container, attributes, now=datetime.now(UTC))
            if container.starts or not seen.ok:  # what carries files matters only when it is gone
                observed.append(seen)
    finally:
        client.close()
    return observed


def gone(exported: Mapping[str, Any], engine: Engine) -> list[str]:
    """The recorded containers that the engine has no more, or that stopped; `service (state)`."""
    containers = recorded(exported)
    if not containers:
        return []
    client = engine.client()
    try:
        states = {found["Id"]: found["State"] for found in client.api.containers(all=True)}
    finally:
        client.close()
    wrong = []
    for container in containers:
        state = states.get(container.id, "missing")
        if state == "missing" or (container.stays and container.starts and state in ("exited", "dead")):
            wrong.append(f"{container.service} ({state})")
    return wrong


def document(name: str, services: Sequence[Observed]) -> dict[str, Any]:
    """The report for a script."""
    return {
        "stack": name,
        "ok": exit_code(services) == 0,
        "containers": [asdict(service) for service in services],
    }


def show(name: str, services: Sequence[Observed]) -> None:
    """The report for a person."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("", "service", "state", "health", "uptime", "ports", "image"):
        table.add_column(column, overflow="fold")
    for service in services:
        table.add_row(
            "ok" if service.ok else "BAD",
            service.service,
            service.state,
            service.health,
            _duration(service.uptime),
            " ".join(service.ports) or "-",
            service.image,
        )
    # Without a terminal rich assumes 80 columns and folds what a log could show whole.
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    if exit_code(services):
        say(f"stack {name} is not as it should be; ./berth up -s {name} repairs it")


def _duration(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    days, rest = divmod(seconds, 86400)
    hours, minutes = divmod(rest // 60, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def exit_code(services: Sequence[Observed]) -> int:
    """0: all as it should be; 1: something is missing, stopped or unhealthy (nothing up is 3, see `read`)."""
    return int(not all(service.ok for service in services))
