"""HTTP over kept connections, cheap enough for hundreds of requests a second beside what is measured."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Client:
    """Asks one host as browsers, curl and Go's client do.

    An idle connection is used again. The server may close it just when a request is on its way, as nginx
    before 1.27.4 does when it reloads (RFC 9112 9.5): without one byte of an answer, the request is sent once
    more over a new connection. `resent` counts these; with resend=False it is an error instead.
    """

    def __init__(self, url: str, *, resend: bool = True) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._idle: list[_Connection] = []
        self._resend = resend
        self.resent = 0

    async def ask(self, method: str, path: str, body: bytes = b"") -> Any:
        """The JSON of a 200. Raises OSError, EOFError or ValueError otherwise."""
        while self._idle:
            reader, writer = self._idle.pop()
            if reader.at_eof() or writer.is_closing():
                writer.close()
                continue
            try:
                return await self._ask((reader, writer), method, path, body)
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                if getattr(error, "partial", b"") or not self._resend:
                    raise
                self.resent += 1
                break
        connection = await asyncio.open_connection(self._host, self._port)
        return await self._ask(connection, method, path, body)

    async def _ask(self, connection: _Connection, method: str, path: str, body: bytes) -> Any:
        reader, writer = connection
        kept = False
        try:
            length = f"Content-Length: {len(body)}\r\n" if body else ""
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n{length}\r\n".encode() + body)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in head[1:])}
            answer = await reader.readexactly(int(headers.get("content-length", 0)))
            kept = headers.get("connection", "").lower() != "close"
            if " 200 " not in head[0]:
                raise ValueError(head[0])
            return json.loads(answer)
        finally:
            if kept:
                self._idle.append(connection)
            else:
                writer.close()

    def close(self) -> None:
        """Close what is idle."""
        for _, writer in self._idle:
            writer.close()
