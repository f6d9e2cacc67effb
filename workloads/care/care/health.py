"""care-health: serve (looks again and again, into health.log), once (exits 0, 1 or 2), alive."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from care.checks import Finding, State, look
from care.trouble import Trouble, say

_LAST = Path("/tmp/health.json")  # noqa: S108  (a tmpfs of the container)
AGAIN = 5.0
"""Seconds until what was UNHEALTHY is looked at once more before it counts: a container may be replaced."""


def load() -> dict[str, Any]:
    """Raises Trouble for a file that cannot be."""
    path = os.environ.get("CARE_HEALTH", "/etc/care/health.json")
    try:
        found: dict[str, Any] = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise Trouble(f"{path} is no settings file: {error}", fix="render it with ./berth up") from None
    return found


class Watch:
    """The checks of a system; each has its own rhythm, and that all was well stands until the next."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._found: dict[str, Finding] = {}
        self._due: dict[str, float] = {}

    def round(self) -> dict[str, Any]:
        """What is known now, as a line of health.log."""
        for check in self._settings["checks"]:
            label = str(check["label"])
            if time.monotonic() >= self._due.get(label, 0):
                found = look(check)
                if found.state is State.UNHEALTHY:
                    time.sleep(AGAIN)
                    found = look(check)
                self._found[label] = found
                # What was not well is looked at in each round.
                rest = float(check.get("every", 0)) if found.state is State.HEALTHY else 0
                self._due[label] = time.monotonic() + rest
        worst = max((found.state for found in self._found.values()), default=State.HEALTHY)
        return {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "state": worst.name,
            "checks": {
                label: {"state": found.state.name, "text": found.text} for label, found in self._found.items()
            },
        }


def record(line: Mapping[str, Any], log: str) -> None:
    """Appends it. Opened each time: whoever rotates the file may take it away."""
    try:
        with Path(log).open("a") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    except OSError as error:
        say(f"{log} cannot be written: {error.strerror}", level="error", fix="look at the volume of the logs")
    part = _LAST.with_suffix(".part")
    part.write_text(json.dumps(line))
    part.replace(_LAST)


def serve(settings: Mapping[str, Any]) -> int:
    """Looks, writes, waits. Ends on SIGTERM."""
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    watch, before = Watch(settings), ""
    while not stop.is_set():
        line = watch.round()
        record(line, str(settings["log"]))
        if line["state"] != before:
            wrong = {name: one["text"] for name, one in line["checks"].items() if one["state"] != "HEALTHY"}
            say(f"{line['state']}", level="info" if line["state"] == "HEALTHY" else "error", checks=wrong)
            before = line["state"]
        stop.wait(float(settings["every"]))
    return 0


def alive(settings: Mapping[str, Any]) -> int:
    """0 while the last look is young and nothing is UNHEALTHY; a WARNING is told, and no failure."""
    try:
        line = json.loads(_LAST.read_text())
        age = time.time() - _LAST.stat().st_mtime
    except (OSError, ValueError):
        print("nothing was looked at yet")  # noqa: T201
        return 1
    if age > 3 * float(settings["every"]) + 120:
        print(f"nothing was looked at for {age:.0f} s")  # noqa: T201
        return 1
    wrong = [f"{name}: {one['text']}" for name, one in line["checks"].items() if one["state"] != "HEALTHY"]
    print(f"{line['state']} {'; '.join(wrong)}".strip())  # noqa: T201
    return 1 if line["state"] == State.UNHEALTHY.name else 0


def main(argv: list[str]) -> int:
    try:
        settings = load()
    except Trouble as error:
        say(error.cause, level="error", fix=error.fix)
        return State.UNHEALTHY
    match argv:
        case ["serve"]:
            return serve(settings)
        case ["alive"]:
            return alive(settings)
        case ["once"] | ["once", "--json"]:
            line = Watch(settings).round()
            if "--json" in argv:
                print(json.dumps(line, ensure_ascii=False))  # noqa: T201
            else:
                print(line["state"])  # noqa: T201
                for name, one in line["checks"].items():
                    print(f"{one['state']:<10} {name}: {one['text']}")  # noqa: T201
            return State[line["state"]]
    print("usage: care-health serve | alive | once [--json]", file=sys.stderr)  # noqa: T201
    return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
