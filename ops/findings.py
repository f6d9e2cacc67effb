"""What a look found, one by one: the report of the verbs that say what is there and what is missing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ops.errors import UserError
from ops.progress import say

Grade = Literal["ok", "later", "unknown", "missing"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    grade: `later` stands in nobody's way: the first `up` makes it, or it is advice; `unknown` may stand in
    the way, and cannot be told from here, or not yet; `missing` needs the user.
    """

    what: str
    grade: Grade
    found: str
    fix: str = ""


Look = tuple[str, Callable[[], list[Finding]]]


def gather(looks: Sequence[Look]) -> list[Finding]:
    """All looks, one after the other; what a look refuses is a finding under its name, told once."""
    findings: list[Finding] = []
    for what, look in looks:
        try:
            found = look()
        except UserError as error:
            found = [Finding(what, "missing", error.cause, error.fix)]
        # Each look reads the stack file; what is wrong with it is told once.
        told = {finding.found for finding in findings if finding.grade == "missing"}
        findings += [finding for finding in found if finding.grade != "missing" or finding.found not in told]
    return findings


def document(findings: Sequence[Finding]) -> dict[str, Any]:
    """The findings for a script. ok: nothing is missing, whatever is unknown."""
    return {"ok": exit_code(findings) == 0, "findings": [asdict(finding) for finding in findings]}


def show(findings: Sequence[Finding], *, good: str) -> None:
    """The findings for a person. good: what is said where nothing is missing."""
    mark = {"ok": "ok     ", "later": "later  ", "unknown": "unknown", "missing": "MISSING"}
    for finding in findings:
        sys.stdout.write(f"{mark[finding.grade]}  {finding.what}: {finding.found}\n")
        if finding.fix:
            sys.stdout.write(f"         fix: {finding.fix}\n")
    if exit_code(findings) == 0:
        say(good)


def unknown(findings: Sequence[Finding]) -> list[str]:
    """What could not be told, each once."""
    return list(dict.fromkeys(finding.what for finding in findings if finding.grade == "unknown"))


def exit_code(findings: Sequence[Finding]) -> int:
    """0 when nothing is missing, whatever is unknown."""
    return int(any(finding.grade == "missing" for finding in findings))
