"""The worker role."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import signals
from celery.exceptions import CPendingDeprecationWarning
from celery.worker import state

from . import broker, guard, logs
from .queue import process_queue
from .settings import Settings

ALIVE = Path("/tmp/taifish-alive")  # noqa: S108  a tmpfs of this container alone
SILENT = 20  # seconds, as taifish-alive counts them


def alive(**_: Any) -> None:
    """Called by the loop that talks to the broker, every two seconds for as long as the connection works."""
    ALIVE.touch()


def quiet(**_: Any) -> None:
    """Keeps Celery from setting up logging of its own."""


def serve(settings: Settings) -> int:
    """Until SIGTERM, which ends no task: those that run are finished, no other is begun."""
    ALIVE.unlink(missing_ok=True)
    # Celery's advice about what its next major version does otherwise: queue.build() sets it.
    warnings.simplefilter("ignore", CPendingDeprecationWarning)
    signals.setup_logging.connect(quiet)
    signals.heartbeat_sent.connect(alive)
    signals.worker_ready.connect(_ready)
    signals.worker_shutting_down.connect(_stopping)
    logs.log("starting", concurrency=settings.concurrency)
    guard.watch(_looking(settings), guard.Stuck(settings.task_seconds + 30))
    worker = process_queue().Worker(
        hostname=f"worker@{os.uname().nodename}",
        pool_cls="prefork",
        concurrency=settings.concurrency,
        optimization="fair",
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )
    worker.start()
    logs.log("stopped", status=worker.exitcode)
    return int(worker.exitcode or 0)


def _looking(settings: Settings) -> Callable[[], guard.Seen]:
    """What the guard looks at, over a connection of its own."""
    redis = broker.client(settings)

    def look() -> guard.Seen:
        waiting = redis.llen(broker.QUEUE)
        silent = not ALIVE.exists() or time.time() - ALIVE.stat().st_mtime > SILENT
        return guard.Seen(waiting, state.all_total_count[0], len(state.active_requests), silent)

    return look


def _ready(**_: Any) -> None:
    logs.log("ready")


def _stopping(how: str = "", **_: Any) -> None:
    logs.log("stopping", how=how)
