"""A worker that takes no task though there are some ends itself: its restart policy starts it anew.

Its health check only tells; Docker restarts what ends, not what is unhealthy. Tasks are acknowledged late and
taken over by lease, so none is lost by it. What the worker hung in stands in its log.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .logs import log

LOOK = 5.0  # seconds
PATIENCE = 60.0
"""Seconds: above the longest pause of the queue's library between two tries to reach the broker (30 s)."""
STATUS = 70  # EX_SOFTWARE


@dataclass(frozen=True)
class Seen:
    """One look. `waiting`: tasks in the queue; `taken`: how many this worker ever took; `doing`: now;
    `silent`: the loop that talks to the broker has given no sign of life for a while."""

    waiting: int
    taken: int
    doing: int
    silent: bool


@dataclass
class Stuck:
    """Judges looks at a worker; times in seconds. `longest`: what a task may take."""

    longest: float
    patience: float = PATIENCE
    _since: float | None = field(default=None, init=False)
    _taken: int = field(default=-1, init=False)

    def __call__(self, now: float, seen: Seen | None) -> bool:
        """Whether it hangs. None: the broker does not answer, which is no fault of the worker."""
        if seen is None or seen.taken != self._taken or not (seen.waiting or seen.silent):
            self._since, self._taken = None, seen.taken if seen else -1
            return False
        self._since = now if self._since is None else self._since
        return now - self._since >= self.patience + (self.longest if seen.doing else 0)


def watch(look: Callable[[], Seen], stuck: Stuck, *, every: float = LOOK) -> None:
    """Ends the process when it hangs; `look` raises when the broker does not answer. Runs in a thread."""

    def work() -> None:
        while True:
            time.sleep(every)
            try:
                seen = look()
            except Exception:  # whatever the libraries raise: there is no answer
                stuck(time.monotonic(), None)
                continue
            if stuck(time.monotonic(), seen):
                log("stuck", severity="error", waiting=seen.waiting, doing=seen.doing, silent=seen.silent)
                faulthandler.dump_traceback(sys.stderr)
                os._exit(STATUS)

    threading.Thread(target=work, name="guard", daemon=True).start()
