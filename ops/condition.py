"""What `./berth health` found: a state in a word, its reason, and what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ops.progress import say


class State(IntEnum):
    """Also the exit status of `./berth health`."""

    HEALTHY = 0
    WARNING = 1
    UNHEALTHY = 2


UNKNOWN = 3
"""The exit status of `./berth health` where it could not look: none of a State."""


LONGEST = 200
"""Characters of a reason."""


def clean(text: str) -> str:
    """The first line of what may come from anywhere, as a terminal and a message can bear it."""
    first = next((line for line in text.splitlines() if line.strip()), "").strip()
    shown = "".join(character if character.isprintable() else "?" for character in first)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at. system: None for the host. hint: what to do, where it is not well."""

    system: str | None
    check: str
    state: State
    reason: str
    hint: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", clean(self.reason))


@dataclass(frozen=True, kw_only=True)
class Checkup:
    """All findings about a stack. looked: when, in ISO 8601."""

    stack: str
    looked: str
    findings: tuple[Finding, ...]

    @property
    def state(self) -> State:
        return worst(self.findings)

    @property
    def wrong(self) -> list[Finding]:
        """What is not well, the worst first."""
        return sorted(
            (one for one in self.findings if one.state > State.HEALTHY), key=lambda one: -int(one.state)
        )


def worst(findings: Iterable[Finding]) -> State:
    """The state of all of them together."""
    return max((one.state for one in findings), default=State.HEALTHY)


def grade(value: float, *, warning: float, critical: float | None = None) -> State:
    """Of a number that is worse the larger it is: from `warning` on, and from `critical` on."""
    if critical is not None and value >= critical:
        return State.UNHEALTHY
    return State.WARNING if value >= warning else State.HEALTHY


def document(found: Checkup) -> dict[str, Any]:
    """The findings for a script."""
    systems = sorted({one.system for one in found.findings if one.system is not None})
    return {
        "stack": found.stack,
        "state": found.state.name,
        "looked": found.looked,
        "systems": {name: worst(it for it in found.findings if it.system == name).name for name in systems},
        "findings": [
            {
                "system": one.system,
                "check": one.check,
                "state": one.state.name,
                "reason": one.reason,
                "hint": one.hint,
            }
            for one in found.findings
        ],
    }


def lines(findings: Sequence[Finding]) -> list[str]:
    """A line for each finding."""
    return [f"{one.state.name:<9}  {one.system or 'host'} {one.check}: {one.reason}" for one in findings]


def show(found: Checkup) -> None:
    """The findings for a person."""
    for one, line in zip(found.findings, lines(found.findings), strict=True):
        sys.stdout.write(f"{line}\n")
        if one.hint:
            sys.stdout.write(f"           hint: {one.hint}\n")
    count = f", {len(found.wrong)} of {len(found.findings)} checks are not well" if found.wrong else ""
    say(f"stack {found.stack} is {found.state.name}{count}")
