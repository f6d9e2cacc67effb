"""Errors that containers printed lately, counted; none is repeated, for nobody knows what stands in one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ops.condition import Finding, State
from ops.usage import Running

if TYPE_CHECKING:
    from docker import DockerClient

MINUTES = 10
"""How far back is looked."""
MOST = 20_000
"""The last lines of a container that are read."""
_WORDS = re.compile(rb"\b(ERROR|FATAL|CRITICAL|PANIC)\b|\[(error|crit|alert|emerg)\]", 0)
_JSON = re.compile(rb'(?<!\\)"level":\s*("(error|fatal|critical)"|50\b|60\b)', re.IGNORECASE)


def is_error(line: bytes) -> bool:
    """Whether a program complains in it: by its level in JSON, else by a word before anything quoted.

    What a client sends (a path, the name of its browser) stands in quotes, and is no complaint of ours.
    """
    text = line.lstrip()
    if text.startswith(b"{"):
        return _JSON.search(text) is not None
    return _WORDS.search(text.partition(b'"')[0]) is not None


def count(lines: Iterable[bytes]) -> int:
    """How many are errors."""
    return sum(map(is_error, lines))


def look(
    client: DockerClient, system: str | None, containers: Sequence[Running], *, now: datetime
) -> list[Finding]:
    """The containers of a system that printed errors, or one line that none did."""
    from docker.errors import DockerException

    counts: dict[str, int] = {}
    unread: list[Finding] = []
    cut: set[str] = set()
    for one in containers:
        since = (now - timedelta(minutes=MINUTES)).timestamp()
        try:
            said: bytes = client.api.logs(one.id, since=since, tail=MOST)
        except DockerException as error:
            reason = getattr(error, "explanation", None) or type(error).__name__
            unread.append(
                Finding(
                    system=system,
                    check="logs",
                    state=State.WARNING,
                    reason=f"what {one.name} prints cannot be read: {reason}",
                    hint="only the log drivers json-file, local and journald can be read",
                )
            )
            continue
        # Replicas of a service have one name.
        lines = said.splitlines()
        counts[one.name] = counts.get(one.name, 0) + count(lines)
        if len(lines) >= MOST:
            cut.add(one.name)
    return [*unread, *judge(system, counts, cut)]


def judge(system: str | None, counts: Mapping[str, int], cut: Collection[str] = ()) -> list[Finding]:
    """counts: errors by the name of who printed them. cut: those that printed more than was read.

    Never UNHEALTHY: who prints still runs, and what it prints, clients may bring about.
    """
    read = f" (of {', '.join(sorted(cut))} the last {MOST} lines)" if cut else ""
    found = [
        Finding(
            system=system,
            check="logs",
            state=State.WARNING,
            reason=f"{name} printed {number} errors in the last {MINUTES} minutes"
            + (f" (its last {MOST} lines)" if name in cut else ""),
            hint=f"./berth logs {name} --since {MINUTES}m",
        )
        for name, number in counts.items()
        if number
    ]
    well = Finding(
        system=system,
        check="logs",
        state=State.HEALTHY,
        reason=f"no errors in the last {MINUTES} minutes{read}",
    )
    return found or [well]
