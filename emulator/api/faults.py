"""Trouble on demand: what a test, or a rehearsal, lets the API suffer from.

A fault names the actions that it hits (`*` for all) and what happens to them: an error, a delay, a limit of
calls a second, an answer that is cut in its middle (after the action has taken effect: the case that client
tokens are for).
"""

from __future__ import annotations

import fnmatch
import threading
from collections import deque
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from emulator.api.errors import ApiError, throttled


class Fault(BaseModel):
    """What happens to calls of an action."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: str = "*"
    """A shell pattern over action names, like `Describe*`."""
    times: Annotated[int, Field(ge=1)] | None = None
    """How many calls it hits before it is over; None: until it is lifted."""
    skip: Annotated[int, Field(ge=0)] = 0
    """How many calls go well before."""
    delay: Annotated[float, Field(ge=0, le=600)] = 0
    """Seconds before the call is looked at."""
    code: str = ""
    message: str = "Injected."
    status: Annotated[int, Field(ge=400, le=599)] = 500
    per_second: Annotated[int, Field(ge=1)] | None = None
    """Calls above this many in a second are throttled."""
    cut: bool = False
    """The action happens; its answer ends in the middle."""


class _Active:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.seen = 0
        self.recent: deque[float] = deque()

    def hits(self, action: str) -> bool:
        if not fnmatch.fnmatchcase(action, self.fault.action) or self.over:
            return False
        self.seen += 1
        return self.seen > self.fault.skip

    @property
    def over(self) -> bool:
        times = self.fault.times
        return times is not None and self.seen >= self.fault.skip + times


class Suffered:
    """What one call has to go through."""

    def __init__(self, faults: list[_Active]) -> None:
        self._active = faults
        self.delay: Final = sum(one.fault.delay for one in faults)
        self.cut: Final = any(one.fault.cut for one in faults)

    def check(self, seconds: float) -> None:
        """Raises the error that was ordered. seconds: a clock that only goes forward."""
        for one in self._active:
            if one.fault.per_second is not None:
                while one.recent and one.recent[0] <= seconds - 1:
                    one.recent.popleft()
                if len(one.recent) >= one.fault.per_second:
                    raise throttled()
                one.recent.append(seconds)
            if one.fault.code:
                raise ApiError(one.fault.status, one.fault.code, one.fault.message)


class Faults:
    """The faults that are in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: list[_Active] = []

    def order(self, fault: Fault) -> None:
        with self._lock:
            self._active.append(_Active(fault))

    def lift(self) -> None:
        """All of them."""
        with self._lock:
            self._active = []

    def listed(self) -> list[tuple[Fault, int]]:
        """What is in force, each with how many calls it has seen."""
        with self._lock:
            return [(one.fault, one.seen) for one in self._active if not one.over]

    def of(self, action: str) -> Suffered:
        with self._lock:
            return Suffered([one for one in self._active if one.hits(action)])
