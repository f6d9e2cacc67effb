"""Connections to the services: every address of a name, freshly resolved, those about to stop last."""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection

CONNECT_TIMEOUT = 1.0  # seconds for all addresses together; they are tried 0.25 s apart
LEAVING = 60.0  # seconds that an address stays last; a stopping container is gone by then

peer: ContextVar[str | None] = ContextVar("peer", default=None)
"""The address that this request's connection reached."""


class Resolver(AbstractResolver):
    """Resolves for every connection, and puts addresses that announced their end behind the others."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()
        self._leaving: dict[str, float] = {}

    def leave(self, address: str) -> None:
        """This address closes its connections: it is about to stop."""
        now = time.monotonic()
        self._leaving = {a: until for a, until in self._leaving.items() if until > now}
        self._leaving[address] = now + LEAVING

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        now = time.monotonic()
        staying = [r for r in found if self._leaving.get(r["host"], 0) <= now]
        # Left out, not only last: a slow newcomer must not lose the race against one that is about to stop.
        return staying or found

    async def close(self) -> None:
        await self._resolver.close()


class Connector(aiohttp.TCPConnector):
    """Tells which address a request went to."""

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        connection = await super().connect(*args, **kwargs)
        transport = connection.transport
        name = transport.get_extra_info("peername") if transport else None
        peer.set(name[0] if name else None)
        return connection


def session(resolver: Resolver) -> aiohttp.ClientSession:
    """The client behind the gateway: no cookies, no decoding, no redirects, one connection per request."""
    connector = Connector(
        resolver=resolver, use_dns_cache=False, force_close=True, limit=1000, happy_eyeballs_delay=0.25
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers={"User-Agent", "Accept", "Accept-Encoding", "Content-Type"},
        requote_redirect_url=False,
    )


def more_threads() -> None:
    """Name look-ups run in threads; the default handful would queue behind one slow DNS answer."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(32, thread_name_prefix="dns"))
