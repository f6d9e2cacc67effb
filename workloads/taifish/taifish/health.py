"""Whether what this process stands on answers, each within a deadline of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as LateError
from threading import Lock

from .database import reason

FRESH = 0.5  # seconds for which an answer counts: many askers cost one question


class Check:
    """One dependency. A question that hangs is not asked a second time beside the first.

    deadline: in seconds; it has a problem without an answer by then.
    """

    def __init__(self, name: str, ask: Callable[[], object], *, deadline: float) -> None:
        self.name, self._ask, self._deadline = name, ask, deadline
        self._threads = ThreadPoolExecutor(1, f"health-{name}")
        self._lock = Lock()
        self._asked: Future[object] | None = None
        self._at = 0.0

    def problem(self) -> str | None:
        """None when it answered."""
        with self._lock:
            old = self._asked
            if old is None or (old.done() and time.monotonic() - self._at > FRESH):
                self._asked = self._threads.submit(self._ask)
                self._asked.add_done_callback(self._answered)
            asked = self._asked
        assert asked is not None
        try:
            asked.result(self._deadline)
        except LateError:
            if not asked.done():
                return f"no answer within {self._deadline:g} s"
            return "no answer in time"
        except Exception as error:
            return reason(error)
        return None

    def _answered(self, _: object) -> None:
        self._at = time.monotonic()


def problems(checks: tuple[Check, ...]) -> dict[str, str]:
    """What is wrong, by dependency. All are asked before any is waited for."""
    with ThreadPoolExecutor(len(checks)) as threads:
        answers = threads.map(lambda check: (check.name, check.problem()), checks)
        return {name: problem for name, problem in answers if problem is not None}
