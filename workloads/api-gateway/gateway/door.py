"""The listening side: how many clients may be in at once, and how long each may keep its place."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .metrics import CONNECTIONS, REFUSED

LINGER = 5.0  # seconds for the rest of a body that was refused; then the connection is cut
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\n"
    b'Content-Length: 48\r\nConnection: close\r\n\r\n{"error": "too many connections", "status": 503}'
)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one client, and all together, may take."""

    head: float = 15.0
    """Seconds for a whole request head, from the connection or the last answer on: idling counts too."""
    body: float = 20.0
    """Seconds to wait for body bytes in all, with one more for each `body_rate` bytes that came."""
    body_rate: int = 500
    stall: float = 30.0
    """Seconds that a client may leave an answer unread."""
    connections: int = 2000
    """At once."""
    per_client: int = 500
    """At once from one address. Half a company may share one, and behind Docker's proxy everyone does."""


def refuse(transport: asyncio.Transport) -> None:
    """Says why, and closes."""
    if not transport.is_closing():
        transport.write(FULL)
        transport.close()


class Door(web.Server):
    """Counts connections, and refuses those over the limits before anything of theirs is read.

    exempt: whether an address speaks for many clients, so that only the total counts.
    """

    def __init__(self, handler: Any, limits: Limits, exempt: Callable[[str], bool] = lambda _: False) -> None:
        # aiohttp's idle timer starts with the connection, and bytes of an unfinished head do not renew it.
        super().__init__(handler, access_log=None, keepalive_timeout=limits.head, lingering_time=LINGER)
        self._limits = limits
        self._exempt = exempt
        self._clients: dict[Any, str] = {}
        self._counts: Counter[str] = Counter()

    def connection_made(self, handler: web.RequestHandler, transport: Any) -> None:
        super().connection_made(handler, transport)
        name = transport.get_extra_info("peername")
        client = str(name[0]) if name else "unknown"
        full = len(self._clients) >= self._limits.connections
        if full or (self._counts[client] >= self._limits.per_client and not self._exempt(client)):
            REFUSED.labels("total" if full else "client").inc()
            transport.pause_reading()
            # Later: aiohttp starts its own task for the connection first, and fails when that is lost before.
            self._loop.call_later(0, refuse, transport)
            return
        # Also ends a connection that was closed here and whose last bytes nobody takes.
        transport.get_extra_info("socket").setsockopt(
            socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self._limits.stall * 1000)
        )
        self._clients[handler] = client
        self._counts[client] += 1
        CONNECTIONS.set(len(self._clients))

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        client = self._clients.pop(handler, None)
        if client is not None:
            self._counts[client] -= 1
            if not self._counts[client]:
                del self._counts[client]
            CONNECTIONS.set(len(self._clients))
