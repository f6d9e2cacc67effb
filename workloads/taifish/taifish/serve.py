"""The app role: gunicorn, and an end that costs no client a request."""

from __future__ import annotations

import math
import os
import threading
from types import FrameType
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import ThreadWorker
from prometheus_client import multiprocess

from . import broker, database, schema
from .announcing import Announcer
from .health import Check
from .ledger import Ledger
from .logs import Lines, log
from .queue import announce, process_queue
from .settings import Settings
from .web import Parts, build

KEEPALIVE = 120
"""Longer than nginx keeps an idle upstream connection (60 s): the side that sends requests is the one that
closes, so no request ever meets a connection that is being closed."""

_draining = threading.Event()
_drain = 0.0
_main = os.getpid()


class Worker(ThreadWorker):  # type: ignore[misc]
    """On SIGTERM stays open for a moment: every answer ends its connection, and /health says 503."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if _draining.is_set():
            return
        _draining.set()
        self.cfg.set("keepalive", 0)
        timer = threading.Timer(_drain, lambda: ThreadWorker.handle_exit(self, sig, frame))
        timer.daemon = True
        timer.start()


class Logs(Logger):  # type: ignore[misc]
    """Gunicorn's own lines in our shape."""

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        self.error_log.handlers[:] = [Lines()]
        self.error_log.setLevel("WARNING")
        self.error_log.propagate = False


class Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn without a configuration file."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        options: dict[str, Any] = {
            "bind": f"0.0.0.0:{settings.port}",
            "workers": settings.processes,
            "threads": settings.threads,
            "worker_class": Worker,
            "worker_tmp_dir": "/dev/shm",  # noqa: S108  a heartbeat must not wait for a disk
            "keepalive": KEEPALIVE,
            "worker_connections": 2000,
            "backlog": 1024,
            "timeout": 60,
            "graceful_timeout": round(settings.drain + settings.stop_grace) + 1,
            "logger_class": Logs,
            "accesslog": None,
            "control_socket_disable": True,
            "child_exit": lambda _arbiter, worker: multiprocess.mark_process_dead(worker.pid),  # type: ignore[no-untyped-call]
            "when_ready": lambda _arbiter: log("ready", port=settings.port, processes=settings.processes),
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """One process's application."""
        return build(assemble(self._settings))


def assemble(settings: Settings) -> Parts:
    """Connections of one process."""
    engine = database.connect(settings, pool=max(2, settings.threads // 2))
    patience = settings.health_seconds
    # Of its own: a full pool must not look like a database that is away.
    own = database.connect(settings, pool=1, timeout=math.ceil(patience))
    redis, queue = broker.client(settings, timeout=patience), process_queue()

    def ask_database() -> None:
        with own.connect() as connection:
            schema.check(connection)

    return Parts(
        settings=settings,
        tasks=Ledger(engine, lease=settings.lease, attempts=settings.attempts),
        announce=Announcer(lambda id: announce(queue, id)),
        checks=(
            Check("database", ask_database, deadline=patience),
            Check("broker", redis.ping, deadline=patience),
        ),
        draining=_draining.is_set,
    )


def serve(settings: Settings) -> int:
    """Until SIGTERM. Never returns while it serves."""
    global _drain
    _drain = settings.drain
    server = Server(settings)
    log("starting", port=settings.port)
    try:
        server.run()
    except SystemExit as end:
        if os.getpid() == _main:
            log("stopped", status=end.code or 0)
        raise
    return 0
