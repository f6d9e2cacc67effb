"""A stack looked at from all sides: what should run, what its own watch finds, and what its engine tells."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ops import complaints, expiry, health, inside, members, presence, recorded, usage
from ops.condition import UNKNOWN, Checkup, Finding, State
from ops.errors import UserError
from ops.presence import Inspected, broken
from ops.progress import signs_of_life
from ops.usage import Running

if TYPE_CHECKING:
    from docker import DockerClient

    from ops.engine import Engine
    from ops.recorded import Recorded
    from ops.stack import Stack
    from stacks.outputs import StackOutputs, SystemOutputs


SILENCE = 30.0
"""Seconds that the engine may be silent before it counts as one that does not answer."""


def read(stack: Stack, wanted: Collection[str] = ()) -> Checkup:
    """How the stack is, or the wanted systems of it.

    Raises UserError, with the status UNKNOWN, for a system that it has not, and when nothing runs.
    """
    exported = stack.export()
    if not any(container.starts for container in recorded.containers(exported)):
        raise UserError(
            f"stack {stack.name} has nothing running", fix=f"./berth up -s {stack.name}", code=UNKNOWN
        )
    if stack.engine is None:
        raise UserError(f"stack {stack.name} has no Docker engine to ask", fix="./berth doctor", code=UNKNOWN)
    chosen = choose(wanted, exported)
    with signs_of_life(f"looking at stack {stack.name}"):
        findings = examine(exported, stack.engine, chosen)
    return Checkup(
        stack=stack.name,
        looked=datetime.now(UTC).isoformat(timespec="seconds"),
        findings=tuple(replace(one, hint=named(one.hint, stack.name)) for one in findings),
    )


def named(hint: str, stack: str) -> str:
    """The hint with its commands for this stack."""
    return re.sub(r"(\./berth [a-z]+)", rf"\1 -s {stack}", hint)


def choose(wanted: Collection[str], exported: Mapping[str, Any]) -> set[str]:
    """The systems to look at. Raises UserError naming the first that is none of the stack's."""
    outputs = recorded.outputs(exported)
    known = {*(outputs.systems if outputs else ()), *recorded.systems(exported)}
    for name in wanted:
        if name not in known:
            raise UserError(
                f"{name} is no system that this stack runs",
                fix=f"name one of: {', '.join(sorted(known))}; ./berth up brings up one that is new",
                code=UNKNOWN,
            )
    return set(wanted) or known


def examine(exported: Mapping[str, Any], engine: Engine, chosen: Collection[str]) -> list[Finding]:
    """All findings about the chosen systems and the host. An engine that cannot be asked is one of them."""
    import requests
    from docker.errors import APIError, DockerException

    outputs = recorded.outputs(exported)
    doors = [door for door in recorded.doors(exported) if door.system in chosen]
    found: list[Finding] = []
    try:
        with closing(engine.client(timeout=SILENCE)) as client:
            found += _asked(client, exported, outputs, chosen)
    except UserError as error:
        found.append(_silent(error.cause, error.fix))
    except APIError as error:
        found.append(_refusing(str(error.explanation or error)))
    except (DockerException, requests.RequestException, OSError) as error:
        silent = engine.silent(str(getattr(error, "explanation", None) or type(error).__name__))
        found.append(_silent(silent.cause, silent.fix))
    for door in doors:
        found += [_answer(answer) for answer in health.ask(door)]
        found += expiry.look(door)
    return sorted(found, key=lambda one: (one.system is not None, one.system or ""))


def _asked(
    client: DockerClient, exported: Mapping[str, Any], outputs: StackOutputs | None, chosen: Collection[str]
) -> Iterator[Finding]:
    """What the engine knows, and what is asked through it."""
    client.ping()
    # Its own clock, which logs and starts are told by.
    now = datetime.fromisoformat(client.info()["SystemTime"])
    mine = [it for it in recorded.containers(exported) if it.system is None or it.system in chosen]
    inspected = [(it, _inspect(client, it)) for it in mine]
    systems = {name: it for name, it in (outputs.systems if outputs else {}).items() if name in chosen}
    running = {name: _running(name, outputs, inspected) for name in systems}
    began, every = time.monotonic(), [one for some in running.values() for one in some]
    first = usage.look(client, every)
    yield from presence.look(client, exported, inspected, chosen, now=now)
    if runs := [one for one in every if one.runs]:  # else that nothing runs is told already
        yield inside.disk(client, runs)
    killed = inside.killed(client, every)
    for name, some in running.items():
        watches = set(systems[name].services[watch].containers if (watch := systems[name].watch) else ())
        # A watch prints what it finds, and that is told already.
        programs = [one for one in some if one.attributes["Name"].lstrip("/") not in watches]
        yield from complaints.look(client, name, programs, now=now)
        yield from usage.restarts(name, some, killed=killed, now=now)
    usage.wait(began)
    second = usage.look(client, every)
    for name, system in systems.items():
        yield from usage.judge(name, running[name], first, second)
        yield from _inside(client, name, system)


def _inspect(client: DockerClient, container: Recorded) -> Mapping[str, Any] | None:
    from docker.errors import APIError, NotFound

    try:
        attributes: Mapping[str, Any] = client.api.inspect_container(container.id)
    except NotFound:
        return None
    except APIError as error:
        if error.status_code != 409:  # it is being removed
            raise
        return None
    return attributes


def _running(system: str, outputs: StackOutputs | None, inspected: Inspected) -> list[Running]:
    """The containers of a system that are to stay, and are there."""
    known = [
        (name, service)
        for name, it in (outputs.systems if outputs else {}).items()
        for service in it.services
    ]
    return [
        Running(system=system, name=members.label(system, it.service, known), attributes=attributes)
        for it, attributes in inspected
        if it.system == system and it.stays and attributes is not None
    ]


def _inside(client: DockerClient, name: str, system: SystemOutputs) -> Iterator[Finding]:
    """What is asked inside a system's containers, the watch last: it makes the system work."""
    for service, store in system.stores.items():
        if store.kind == "postgres":
            yield from inside.postgres(client, name, service, system.services[service].containers[0])
    if system.watch is not None:
        yield from inside.watch(client, name, system.watch, system.services[system.watch].containers[0])


def _answer(answer: health.Answer) -> Finding:
    if answer.ok:
        return Finding(
            system=answer.system, check="address", state=State.HEALTHY, reason=f"{answer.url} answers"
        )
    return broken(answer.system, "address", f"{answer.url}: {answer.problem}")


def _refusing(reason: str) -> Finding:
    """For an engine that answers, but with an error."""
    return Finding(
        system=None,
        check="engine",
        state=State.UNHEALTHY,
        reason=f"the Docker engine refused a question: {reason}",
        hint="look into the engine's log: journalctl -u docker",
    )


def _silent(cause: str, fix: str) -> Finding:
    return Finding(system=None, check="engine", state=State.UNHEALTHY, reason=cause, hint=fix)
