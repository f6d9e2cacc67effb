"""One request to one service and its answer back, both streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from . import upstream
from .door import Limits
from .headers import closes, end_to_end
from .metrics import RETRIES
from .routing import Match, Table

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
# Waits before each further attempt to connect; together they bridge the restart of a small service.
PATIENCE = (0.0, 0.1, 0.3, 0.6, 1.0)

NOT_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
BROKEN = (
    aiohttp.ServerDisconnectedError,
    aiohttp.ClientOSError,
    aiohttp.ClientPayloadError,
    aiohttp.ClientConnectionError,
    aiohttp.ClientResponseError,
)


class RefusalError(Exception):
    """An answer that the gateway gives by itself."""

    def __init__(self, status: int, error: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.headers = headers or {}


class ClientGoneError(Exception):
    """Nobody is left to answer."""


@dataclass(slots=True)
class Body:
    """The client's body on its way: what was taken of it decides whether a request can be repeated."""

    request: web.BaseRequest
    limit: int
    patience: Limits
    waited: float = 0.0
    taken: int = 0
    refused: RefusalError | None = None
    gone: bool = False

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            while chunk := await self._next():
                self.taken += len(chunk)
                if self.taken > self.limit:
                    self.refused = RefusalError(413, f"the body is larger than {self.limit} bytes")
                    raise self.refused
                yield chunk
        except RefusalError:
            raise
        except (OSError, aiohttp.ClientError, web.HTTPException, ValueError):
            self.gone = True
            raise

    async def _next(self) -> bytes:
        """What came; empty at the end. Only waiting counts: a service that takes its time costs nobody's."""
        clock = asyncio.get_running_loop().time
        started = clock()
        left = self.patience.body + self.taken / self.patience.body_rate - self.waited
        try:
            async with asyncio.timeout(max(left, 0)):
                return await self.request.content.readany()
        except TimeoutError:
            self.refused = RefusalError(408, "the body comes too slowly")
            raise self.refused from None
        finally:
            self.waited += clock() - started


class Proxy:
    """Forwards matched requests."""

    def __init__(self, session: aiohttp.ClientSession, resolver: upstream.Resolver, limits: Limits) -> None:
        self._session = session
        self._resolver = resolver
        self._limits = limits
        self.stopping = False

    async def forward(
        self, request: web.BaseRequest, match: Match, headers: CIMultiDict[str], query: str, table: Table
    ) -> web.StreamResponse:
        """The answer, already sent. Raises RefusalError while nothing is sent, ClientGoneError after that."""
        service = match.service
        if (request.content_length or 0) > service.max_body:
            raise RefusalError(413, f"the body is larger than {service.max_body} bytes")
        url = URL(service.root + match.path + (f"?{query}" if query else ""), encoded=True)
        body = Body(request, service.max_body, self._limits)
        async with await self._send(request, url, headers, body, service.timeout, service.name) as answer:
            address = upstream.peer.get()
            if address and url.host and closes(answer.headers):
                self._resolver.leave(url.host, address)
            outgoing = end_to_end(answer.headers)
            if location := outgoing.get("Location"):
                outgoing["Location"] = table.outward(service, location)
            outgoing["X-Request-Id"] = headers["X-Request-Id"]
            response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=outgoing)
            if self.stopping:
                response.force_close()
            return await self._relay(request, answer, response)

    async def _send(
        self,
        request: web.BaseRequest,
        url: URL,
        headers: CIMultiDict[str],
        body: Body,
        timeout: float,
        name: str,
    ) -> aiohttp.ClientResponse:
        """The service's answer up to its headers."""
        limits = aiohttp.ClientTimeout(
            total=None, sock_connect=upstream.CONNECT_TIMEOUT, sock_read=timeout, connect=timeout
        )
        # We do close the connection after the answer, but must not say so: a service that is asked to close
        # does, and its own announcement of leaving could not be told from that.
        headers["Connection"] = "keep-alive"
        repeated = False
        waits = iter(PATIENCE)
        upstream.anyone.set(False)
        while True:
            try:
                return await self._session.request(
                    request.method,
                    url,
                    headers=headers,
                    data=body.chunks() if request.body_exists else None,
                    timeout=limits,
                    allow_redirects=False,
                )
            except NOT_CONNECTED as error:
                wait = next(waits, None)
                if wait is None:
                    raise RefusalError(503, f"{name} cannot be reached", {"Retry-After": "2"}) from error
                RETRIES.labels(name, "connect").inc()
                upstream.anyone.set(True)
                await asyncio.sleep(wait)
            except (TimeoutError, *BROKEN) as error:
                if body.refused:
                    raise body.refused from error
                if body.gone:
                    raise ClientGoneError from error
                if isinstance(error, TimeoutError):
                    raise RefusalError(504, f"{name} did not answer within {timeout:g} s") from error
                if repeated or body.taken or request.method not in IDEMPOTENT:
                    raise RefusalError(502, f"{name} broke the connection") from error
                repeated = True
                RETRIES.labels(name, "broken").inc()

    async def _relay(
        self, request: web.BaseRequest, answer: aiohttp.ClientResponse, response: web.StreamResponse
    ) -> web.StreamResponse:
        try:
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                try:
                    async with asyncio.timeout(self._limits.stall):
                        await response.write(chunk)
                except TimeoutError:
                    raise
                except (OSError, aiohttp.ClientError) as error:
                    raise ClientGoneError from error
            async with asyncio.timeout(self._limits.stall):
                await response.write_eof()
        except (TimeoutError, *BROKEN) as error:
            # The status is out, or the client does not take the answer: only a broken connection tells that
            # the body is not whole.
            if request.transport is not None:
                request.transport.abort()
            raise ClientGoneError from error
        return response
