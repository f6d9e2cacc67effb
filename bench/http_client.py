"""HTTP over kept connections, cheap enough for hundreds of requests a second beside what is measured."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

# What a server keeps for no request it may close at any time: every client has such a limit.
_IDLE_SECONDS = 2


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


@dataclass
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: float

    @property
    def usable(self) -> bool:
        """Whether it was used a moment ago and is not known to be closed."""
        idle = time.monotonic() - self.used
        return idle < _IDLE_SECONDS and not self.reader.at_eof() and not self.writer.is_closing()


class Client:
    """Asks one host over HTTP/1.1, always over the connection that idled longest, so that each is in use.

    The server may close one just when a request is on its way, as nginx before 1.27.4 does when it reloads
    (RFC 9112 9.5). Browsers, curl and Go's client send such a request, without one byte of an answer, once
    more over a new connection; `resent` counts these. With resend=False it is an error instead.

    kept: requests over a connection that had carried one before. dismissed: answers that said to ask no more
    over theirs. trust: what checks the certificate. headers: sent with each request.
    """

    def __init__(
        self,
        url: str,
        *,
        resend: bool = True,
        trust: ssl.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        parts = urlsplit(url)
        self._host, self._tls = parts.hostname or "", trust if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        given = {"Host": self._host, **(headers or {})}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self._idle: deque[_Connection] = deque()
        self._resend = resend
        self.resent = self.kept = self.dismissed = 0

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Raises OSError, EOFError or ValueError where there is no whole answer."""
        while self._idle:
            connection = self._idle.popleft()
            if not connection.usable:
                connection.writer.close()
                continue
            try:
                answer = await self._ask(connection, method, path, body)
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                if getattr(error, "partial", b"") or not self._resend:
                    raise
                self.resent += 1
                break
            self.kept += 1
            return answer
        streams = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        return await self._ask(_Connection(*streams, time.monotonic()), method, path, body)

    async def _ask(self, connection: _Connection, method: str, path: str, body: bytes) -> Answer:
        reader, writer = connection.reader, connection.writer
        kept = False
        try:
            length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
            writer.write(f"{method} {path} HTTP/1.1\r\n{self._head}{length}\r\n".encode() + body)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in head[1:])}
            if headers.get("transfer-encoding") == "chunked":
                content = await _chunks(reader)
            else:
                content = await reader.readexactly(int(headers.get("content-length", 0)))
            kept = headers.get("connection", "").lower() != "close"
            self.dismissed += not kept
            return Answer(int(head[0].split(" ")[1]), content)
        finally:
            if kept:
                connection.used = time.monotonic()
                self._idle.append(connection)
            else:
                writer.close()

    def close(self) -> None:
        """Close what is idle."""
        for connection in self._idle:
            connection.writer.close()


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    content = b""
    while size := int((await reader.readline()).partition(b";")[0] or b"0", 16):
        content += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return content
