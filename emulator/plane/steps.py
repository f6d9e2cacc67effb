"""Steps that are taken side by side: never two for the same thing; none that was asked for is forgotten."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from emulator.plane.engine import GONE, ScriptError

AGAIN: Final = 1.0
"""Seconds before a step that failed may be taken again."""

log = logging.getLogger("emulator.plane")


class Steps:
    """Runs steps by the name of what they are for."""

    def __init__(self, at_once: int, look: Callable[[], None], tell: Callable[[str, str], None]) -> None:
        """at_once: so many are worked on at a time. look: called when a step is worth asking for again.

        tell: takes the name of a thing, and why its step failed.
        """
        self._look = look
        self._tell = tell
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="plane")
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._missed: set[str] = set()  # asked for while they were busy: what is new may not have been seen
        self._waits: dict[str, threading.Timer] = {}
        self._stopped = False

    def take(self, name: str, step: Callable[[str], None]) -> None:
        """In the pool. Where one runs for this name, `look` is called after it; where one failed, later."""
        with self._lock:
            if name in self._busy:
                self._missed.add(name)
            if name in self._busy or name in self._waits or self._stopped:
                return
            self._busy.add(name)
        self._pool.submit(self._run, name, step)

    def stop(self) -> None:
        """None is begun any more; returns when the last is over."""
        with self._lock:
            self._stopped = True
            for timer in self._waits.values():
                timer.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self, name: str, step: Callable[[str], None]) -> None:
        failed = True
        try:
            step(name)
            failed = False
        except GONE as failure:
            self._tell(name, f"the Docker engine: {failure}")
        except ScriptError as failure:
            self._tell(name, str(failure))
        except Exception as failure:
            log.exception("%s", name)
            self._tell(name, f"{type(failure).__name__}: {failure}")
        finally:
            self._over(name, failed=failed)

    def _over(self, name: str, *, failed: bool) -> None:
        with self._lock:
            self._busy.discard(name)
            missed = name in self._missed
            self._missed.discard(name)
            if failed and not self._stopped:
                self._waits[name] = timer = threading.Timer(AGAIN, self._retry, [name])
                timer.daemon = True
                timer.start()
        if missed and not failed:
            self._look()

    def _retry(self, name: str) -> None:
        with self._lock:
            self._waits.pop(name, None)
        self._look()
