"""What is known between runs: the last good backup, and what went wrong since."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from care.settings import Settings
from care.trouble import Trouble, say

STALE = 26 * 3600
"""Seconds after which the newest backup is too old: a day, and two hours for it to be made."""


def read(settings: Settings) -> dict[str, Any]:
    """Empty before the first backup."""
    for path in (_spare(settings), _file(settings)):
        try:
            found = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if isinstance(found, dict):
            return found
    return {}


def write(settings: Settings, **changes: Any) -> dict[str, Any]:
    """Changes what is known; None takes a part out."""
    now = {**read(settings), **changes}
    now = {name: value for name, value in now.items() if value is not None}
    part = _file(settings).with_name(".state.part")
    try:
        part.write_text(json.dumps(now, indent=1))
        part.replace(_file(settings))
        _spare(settings).unlink(missing_ok=True)
    except OSError as error:
        # That a disk is full must be known although it is full.
        say(f"{_file(settings)}: {error.strerror}; kept in memory until it is possible", level="error")
        _spare(settings).write_text(json.dumps(now))
    return now


def complaint(settings: Settings, *, started: float, now: float | None = None) -> str | None:
    """Why the backup is not healthy; None when it is. started: when this container began."""
    known, now = read(settings), now or time.time()
    for part in ("failed", "off_site_failed"):
        if told := known.get(part):
            return str(told)
    for part, name in (("at", "backup"), ("off_site_at", "off-site copy")):
        if part == "off_site_at" and settings.off_site is None:
            continue
        if now - max(float(known.get(part, 0)), started if part not in known else 0) > STALE:
            return f"no {name} for {STALE // 3600} hours"
    return None


@contextmanager
def alone(settings: Settings, *, wait: float = 0) -> Iterator[None]:
    """One run at a time. Raises Trouble when another goes on for longer than `wait` seconds."""
    try:
        file = (settings.home / "lock").open("w")
    except OSError as error:
        raise Trouble(
            f"{settings.home}: {error.strerror}",
            fix="the backup volume must belong to the user of the backup",
        ) from None
    with file:
        until = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise Trouble("another backup or restore goes on", fix="wait for its end") from None
                time.sleep(0.5)
        yield


def _file(settings: Settings) -> Path:
    return settings.home / "state.json"


def _spare(settings: Settings) -> Path:
    return settings.tmp / "care-state.json"
