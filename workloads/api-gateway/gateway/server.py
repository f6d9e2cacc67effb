"""The gateway as a whole: configuration that follows its file, one handler, one log line per request."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
import traceback
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from . import config, headers, metrics, upstream
from .door import Limits
from .proxy import ClientGoneError, Proxy, RefusalError
from .routing import BadPathError, NoRouteError, Table, WrongMethodError

POLL = 0.5  # seconds between two looks at the file
METHOD = re.compile(r"[A-Z]{1,10}")


def log(event: str, **fields: Any) -> None:
    """One JSON object on one line."""
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    sys.stdout.write(json.dumps({"time": stamp, "event": event, **fields}) + "\n")
    sys.stdout.flush()


def error_response(status: int, error: str, request_id: str, extra: dict[str, str]) -> web.Response:
    """Every answer of the gateway's own has this shape."""
    return web.json_response(
        {"error": error, "status": status, "request_id": request_id},
        status=status,
        headers={"X-Request-Id": request_id, **extra},
    )


class Gateway:
    """Holds the table in force and answers requests. Raises ConfigError when the first file is invalid."""

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self._path = path
        self._seen: bytes | None = config.read(path)
        self.table = Table(config.parse(self._seen))
        self.rejected: str | None = None
        metrics.CONFIG_VALID.set(1)
        self._resolver = upstream.Resolver()
        self._session = upstream.session(self._resolver)
        self._proxy = Proxy(self._session, self._resolver, limits or Limits())

    def stop(self) -> None:
        """From now on every answer ends its connection: whoever balances over gateways learns of the end."""
        self._proxy.stopping = True

    async def close(self) -> None:
        """Ends the connections to the services."""
        await self._session.close()

    async def watch(self) -> None:
        """Follows the file. Content is compared, not times: a mount may be replaced with any time on it."""
        while True:
            await asyncio.sleep(POLL)
            self.reload()

    def reload(self) -> None:
        """Puts a changed and valid file into force; else keeps the table and says so once."""
        text = None  # so that a file which could not be read counts as changed when it can, whatever it says
        try:
            text = config.read(self._path)
            if text == self._seen:
                return
            self.table = Table(config.parse(text))
            self.rejected = None
            log("config-loaded", routes=len(self.table))
        except config.ConfigError as error:
            if str(error) != self.rejected:
                log("config-rejected", severity="error", error=str(error), kept_routes=len(self.table))
            self.rejected = str(error)
        self._seen = text
        metrics.CONFIG_VALID.set(self.rejected is None)

    def speaks_for_many(self, address: str) -> bool:
        """Whether the address is that of a proxy which the file trusts."""
        return headers.is_trusted(address, self.table.config.trusted_proxies)

    def health(self) -> web.Response:
        """The gateway's own state; why a file was rejected is for the log, not for the public.

        Looks at the file first: who has just changed it must not be told that all is well with the last one.
        """
        self.reload()
        return web.json_response(
            {
                "status": "ok" if self.rejected is None else "degraded",
                "config": "current" if self.rejected is None else "rejected",
                "routes": len(self.table),
            }
        )

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answers one request, whatever happens, and logs it."""
        started = time.perf_counter()
        given = request.headers.get("X-Request-Id", "")
        request_id = given if headers.REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        path, _, query = request.raw_path.partition("?")
        service, status = "-", 500
        upstream.peer.set(None)
        response: web.StreamResponse | None = None
        error: str | None = None
        try:
            if path == "/health" and request.method in {"GET", "HEAD"}:
                response = self.health()
            else:
                table = self.table
                match = table.match(request.method, path)
                service = match.service.name
                client = request.remote or "unknown"
                outgoing = headers.forwarded(
                    request.headers,
                    client=client,
                    scheme=request.scheme,
                    trusted=headers.is_trusted(client, table.config.trusted_proxies),
                    request_id=request_id,
                )
                response = await self._proxy.forward(request, match, outgoing, query, table)
            status = response.status
        except NoRouteError:
            response = error_response(404, error := "no such route", request_id, {})
        except WrongMethodError as wrong:
            response = error_response(
                405, error := "method not allowed", request_id, {"Allow": ", ".join(wrong.allowed)}
            )
        except BadPathError as bad:
            response = error_response(400, error := str(bad), request_id, {})
        except RefusalError as refusal:
            # The cause may name addresses inside: it is for the log, not for the client.
            error = f"{refusal.error}: {refusal.__cause__!r}" if refusal.__cause__ else refusal.error
            response = error_response(refusal.status, refusal.error, request_id, refusal.headers)
        except (ClientGoneError, ConnectionError, asyncio.CancelledError) as gone:
            status, error = 499, f"{type(gone).__name__}: {gone.__cause__ or gone}"
            raise
        except Exception as unexpected:
            error = f"{type(unexpected).__name__}: {unexpected}"
            log("bug", severity="error", request_id=request_id, traceback=traceback.format_exc())
            response = error_response(500, "internal error", request_id, {})
        finally:
            if response is not None:
                status = response.status
                if self._proxy.stopping:
                    response.force_close()
            seconds = time.perf_counter() - started
            method = request.method if METHOD.fullmatch(request.method) else "other"
            metrics.REQUESTS.labels(service, method, status).inc()
            metrics.SECONDS.labels(service).observe(seconds)
            if path != "/health" or status != 200:
                log(
                    "request",
                    request_id=request_id,
                    client=request.remote,
                    method=request.method,
                    path=path,
                    status=status,
                    service=service,
                    backend=upstream.peer.get() if service != "-" else None,
                    milliseconds=round(seconds * 1000, 1),
                    **({"error": error} if error else {}),
                )
        return response
