"""What runs, and for how long already: a spinner in a terminal, plain lines elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

TICK = 10.0  # seconds between signs of life where there is no terminal


def say(text: str) -> None:
    """One line for the person; stdout stays free for what a script reads."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is the one place that prints for people


@contextmanager
def step(title: str) -> Iterator[None]:
    """Shows `title` with the elapsed time until the block ends; says how it ended."""
    started = time.monotonic()
    try:
        if sys.stderr.isatty():
            with _spinner(title):
                yield
        else:
            say(f"{title} ...")
            with signs_of_life(title):
                yield
    except BaseException:
        say(f"{title}: failed after {time.monotonic() - started:.0f} s")
        raise
    say(f"{title}: done in {time.monotonic() - started:.0f} s")


@contextmanager
def _spinner(title: str) -> Iterator[None]:
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(title, total=None)
        yield


@contextmanager
def signs_of_life(title: str) -> Iterator[Callable[[], None]]:
    """Says after each TICK of silence how long it has been going on.

    Yields what to call when something else was shown.
    """
    started = last = time.monotonic()
    done = threading.Event()

    def showed() -> None:
        nonlocal last
        last = time.monotonic()

    def tick() -> None:
        while not done.wait(max(0.0, last + TICK - time.monotonic())):
            if time.monotonic() - last >= TICK:
                say(f"  still at it: {title} ({time.monotonic() - started:.0f} s)")
                showed()

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield showed
    finally:
        done.set()
        ticker.join()


class Reporter:
    """Shows work that reports on itself, `reporter(text, seconds)` about once a second."""

    def __init__(self) -> None:
        self._text = ""
        self._shown = 0.0
        self._last = 0.0

    def __enter__(self) -> Reporter:
        return self

    def __call__(self, text: str, seconds: float) -> None:
        self._last = seconds
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\033[K{text} ({seconds:.0f} s)")
            sys.stderr.flush()
            self._text = text
        elif text != self._text:
            self._text, self._shown = text, seconds
            say(f"{text} ...")
        elif seconds - self._shown >= TICK:
            self._shown = seconds
            say(f"  still at it: {text} ({seconds:.0f} s)")

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if not self._text:
            return
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
        say(f"{self._text}: {'failed' if kind else 'done'} after {self._last:.0f} s")
