"""`python -m gateway`: settings from the environment, signals, and the order of things at the end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from aiohttp import web
from prometheus_client import start_http_server

from . import upstream
from .config import ConfigError
from .door import Door, Limits
from .server import Gateway, log


def number(name: str, default: float) -> float:
    """A number from the environment. Exits naming the variable when it is none."""
    text = os.environ.get(name, "")
    try:
        return float(text) if text else default
    except ValueError:
        sys.exit(f"{name}={text!r} must be a number")


async def serve() -> int:
    """Runs until SIGTERM or SIGINT, then lets running requests end."""
    port = int(number("GATEWAY_PORT", 8010))
    metrics_port = int(number("GATEWAY_METRICS_PORT", 9010))
    limits = Limits(
        head=number("GATEWAY_HEAD_TIMEOUT", Limits.head),
        body=number("GATEWAY_BODY_TIMEOUT", Limits.body),
        connections=int(number("GATEWAY_CONNECTIONS", Limits.connections)),
        per_client=int(number("GATEWAY_CONNECTIONS_PER_CLIENT", Limits.per_client)),
    )
    drain, grace = number("GATEWAY_DRAIN", 0), number("GATEWAY_STOP_GRACE", 8)
    upstream.more_threads()
    try:
        gateway = Gateway(Path(os.environ.get("GATEWAY_CONFIG", "/app/config/services.yaml")), limits)
    except ConfigError as error:
        log("config-rejected", severity="error", error=str(error))
        return 1
    stop = asyncio.Event()
    for number_ in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number_, stop.set)
    if metrics_port:
        start_http_server(metrics_port)
    runner = web.ServerRunner(Door(gateway.handle, limits, gateway.speaks_for_many), shutdown_timeout=grace)
    await runner.setup()
    await web.TCPSite(runner, os.environ.get("GATEWAY_HOST", "0.0.0.0"), port, backlog=1024).start()  # noqa: S104
    watch = asyncio.create_task(gateway.watch())
    log("started", port=port, metrics_port=metrics_port, routes=len(gateway.table))
    await stop.wait()
    gateway.stop()
    log("stopping", drain=drain, grace=grace)
    await asyncio.sleep(drain)
    await runner.cleanup()
    watch.cancel()
    await gateway.close()
    log("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(serve()))
