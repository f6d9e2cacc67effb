"""Steady requests while something is changed, and how many of them failed."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

MOST_SECONDS = 600


@dataclass
class Load:
    """How many requests were answered, and what each failed one said."""

    answered: int = 0
    failures: list[str] = field(default_factory=list)


@contextmanager
def steady_load(request: Callable[[], None], *, threads: int = 4, pause: float = 0.02) -> Iterator[Load]:
    """Calls `request`, which raises when its answer is wrong, from several threads until the block ends."""
    load, stop, lock = Load(), threading.Event(), threading.Lock()
    end = time.monotonic() + MOST_SECONDS

    def ask() -> None:
        while not stop.wait(pause) and time.monotonic() < end:
            try:
                request()
            except Exception as error:
                with lock:
                    load.failures.append(f"{type(error).__name__}: {error}")
            else:
                with lock:
                    load.answered += 1

    workers = [threading.Thread(target=ask) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield load
    finally:
        stop.set()
        for worker in workers:
            worker.join()
