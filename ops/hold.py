"""One command at a time on one thing.

The kernel releases the lock when its holder dies, so it is never stale.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ops.errors import UserError
from ops.progress import say


@contextmanager
def hold(path: Path, *, doing: str, wait: bool) -> Iterator[None]:
    """Holds the lock at `path` for the block.

    wait: False refuses at once when another process holds it, naming that process; True waits for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as handle:
        if not _taken(handle):
            holder = _read(path)
            if not wait:
                raise UserError(
                    f"{doing} cannot start: {holder}",
                    fix="wait until it ends, or stop it with Ctrl-C in its own terminal (never with kill -9)",
                )
            say(f"waiting: {holder}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        owner = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time(), "doing": doing}
        handle.write(json.dumps(owner))
        handle.flush()
        try:
            yield
        finally:
            handle.truncate(0)


def _taken(handle: IO[str]) -> bool:
    """Takes the lock where it is free; `held` has it for less than a moment, and is no holder."""
    for pause in (0.02, 0.05, 0.1, None):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if pause:
                time.sleep(pause)
        else:
            return True
    return False


def held(path: Path) -> bool:
    """Whether a process holds the lock now."""
    try:
        with path.open(encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _read(path: Path) -> str:
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
        age = max(0, time.time() - owner["since"])
        return f"{owner['doing']} has been running for {age:.0f} s (pid {owner['pid']} on {owner['host']})"
    except (ValueError, KeyError, OSError):
        return "another berth command has just started"
