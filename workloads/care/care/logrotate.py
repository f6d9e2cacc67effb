"""care-logrotate: serve (every day, and at once what is too large), now, alive."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

from care.backup import until_next
from care.cut import cut, size
from care.trouble import Trouble, say
from care.watched import Watched

_WRONG = Path("/tmp/wrong")  # noqa: S108  (a tmpfs of the container)
_ALIVE = Path("/tmp/alive")  # noqa: S108
_ARCHIVE = re.compile(r"\.(\d{8}T\d{6})\.\d{6}Z\.gz$")


def load() -> dict[str, Any]:
    """Raises Trouble for a file that cannot be."""
    path = os.environ.get("CARE_LOGROTATE", "/etc/care/logrotate.json")
    try:
        found: dict[str, Any] = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise Trouble(f"{path} is no settings file: {error}", fix="render it with ./berth up") from None
    return found


def logs(settings: Mapping[str, Any]) -> Iterator[Path]:
    """The log files: `*.log` below the folders."""
    for folder in settings["folders"]:
        if not Path(folder).is_dir():
            raise Trouble(f"{folder} is not there", fix="mount the volume of the logs there")
        yield from (path for path in sorted(Path(folder).rglob("*.log")) if path.is_file())


def rotate(settings: Mapping[str, Any], *, larger: int) -> list[str]:
    """Cuts what is larger, drops archives that are too old; what went wrong."""
    wrong = []
    for path in logs(settings):
        try:
            if size(path) > larger and (archive := cut(path)):
                say("cut", file=str(path), archive=archive.name)
        except OSError as error:
            wrong.append(f"{path}: {error.strerror or error}")
    oldest = datetime.now(UTC) - timedelta(days=int(settings["keep_days"]))
    for folder in settings["folders"]:
        for path in Path(folder).rglob("*.gz"):
            if (found := _ARCHIVE.search(path.name)) and datetime.strptime(
                found[1] + "+0000", "%Y%m%dT%H%M%S%z"
            ) < oldest:
                path.unlink(missing_ok=True)
    return wrong


def serve(settings: Mapping[str, Any]) -> int:
    """Looks every few seconds at sizes and writers, and rotates all once a day. Ends on SIGTERM."""
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    watched, told = Watched(), set[str]()
    night = _night(settings)
    while not stop.is_set():
        try:
            for path in logs(settings):
                watched.follow(path)
            due = time.time() >= night
            wrong = rotate(settings, larger=0 if due else int(settings["max_size"]))
            night = _night(settings) if due else night
        except Trouble as error:
            wrong = [f"{error.cause}; fix: {error.fix}"]
        wrong += [
            f"{one.path} was deleted, but a program keeps it open"
            + (" and still writes into it: those lines are lost" if one.written else "")
            + "; fix: restart that program; its disk space is free then"
            for one in watched.kept()
        ]
        for line in wrong:
            if line not in told:
                say(line, level="error")
        told = set(wrong)
        _WRONG.write_text("\n".join(wrong))
        _ALIVE.write_text("")
        stop.wait(float(settings["every"]))
    watched.close()
    return 0


def _night(settings: Mapping[str, Any]) -> float:
    return time.time() + until_next(int(settings["hour"]), int(settings["minute"]), datetime.now())


def alive(settings: Mapping[str, Any]) -> int:
    """0 while it looks, and nothing is wrong."""
    try:
        age = time.time() - _ALIVE.stat().st_mtime
        wrong = _WRONG.read_text()
    except OSError:
        age, wrong = 0.0, "nothing was looked at yet"
    if age > 3 * float(settings["every"]) + 600:
        wrong = f"nothing was looked at for {age:.0f} s"
    print(wrong or "ok")  # noqa: T201
    return 1 if wrong else 0


def main(argv: list[str]) -> int:
    try:
        settings = load()
        match argv:
            case ["serve"]:
                return serve(settings)
            case ["now"]:
                wrong = rotate(settings, larger=0)
                for line in wrong:
                    say(line, level="error")
                return 1 if wrong else 0
            case ["alive"]:
                return alive(settings)
    except Trouble as error:
        say(error.cause, level="error", fix=error.fix)
        return 1
    print("usage: care-logrotate serve | now | alive", file=sys.stderr)  # noqa: T201
    return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
