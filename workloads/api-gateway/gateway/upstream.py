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
LEAVING = 60.0  # seconds that an address is avoided; a stopping container is gone by then

peer: ContextVar[str | None] = ContextVar("peer", default=None)
"""The address that this request's connection reached."""

anyone: ContextVar[bool] = ContextVar("anyone", default=False)
"""Whether this request takes an address that is about to stop, because it could not connect to another."""


class Resolver(AbstractResolver):
    """Resolves for every connection, and avoids addresses that announced their end."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()
        self._leaving: dict[str, dict[str, float]] = {}

    def leave(self, host: str, address: str) -> None:
        """This address of the host closes its connections: it is about to stop."""
        self._leaving.setdefault(host, {})[address] = time.monotonic() + LEAVING

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        now = time.monotonic()
        # An address that the name lost is gone; when it comes back, it is another container's.
        listed = {result["host"] for result in found}
        leaving = {a: t for a, t in self._leaving.pop(host, {}).items() if a in listed and t > now}
        if leaving:
            self._leaving[host] = leaving
        # Left out, not only last: a slow newcomer must not lose the race against one that is about to stop.
        # When the others cannot be reached, one that is leaving still serves.
        staying = [result for result in found if result["host"] not in leaving]
        if staying and not anyone.get():
            return staying
        return sorted(found, key=lambda result: leaving.get(result["host"], 0.0))

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
