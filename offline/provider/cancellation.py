"""Calls that are to end: one whose answer nobody waits for any more, or all of them on Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Cancellation:
    """The flags of the running calls. Once all are cancelled, so is every later one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all = False
        self._running: set[threading.Event] = set()

    @contextmanager
    def watch(self, context: Any) -> Iterator[threading.Event]:
        """The flag of one gRPC call: set when all are cancelled, and when its caller is gone."""
        flag = threading.Event()
        with self._lock:
            self._running.add(flag)
            if self._all:
                flag.set()
        if not context.add_callback(flag.set):
            flag.set()
        try:
            yield flag
        finally:
            with self._lock:
                self._running.discard(flag)

    def cancel_all(self) -> None:
        """End every call."""
        with self._lock:
            self._all = True
            for flag in self._running:
                flag.set()
