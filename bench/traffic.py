"""What users do while something is changed: GETs, POSTs and open WebSockets, and what of it failed."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import websockets

from bench.http_client import Client

_MOST_SECONDS = 600
_PATIENCE = 60
"""Seconds. A browser waits longer; what a busy machine answers late is not lost, and `slowest` tells it."""


@dataclass(frozen=True)
class Ask:
    """One request and the status of its answer. version: who answered, in the body, or raises ValueError."""

    method: str
    path: str
    body: bytes = b""
    status: int = 200
    version: Callable[[bytes], str] = lambda _: ""


@dataclass(frozen=True)
class Users:
    """Who asks what, one after the other, again and again.

    socket: the address of the WebSocket, that of the site when empty. echoes: whether it answers what it is
    told; others are pinged. headers: of requests and WebSockets. trust: what checks the certificate.
    """

    asks: Sequence[Ask]
    socket: str = ""
    echoes: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    trust: ssl.SSLContext | None = None


@dataclass
class Traffic:
    """A `closed` WebSocket was told to come back (1001): no failure. A `cut` one was told nothing.

    resent, kept, dismissed: bench/http_client.py. wanted: so many are asked at least, also after the block.
    """

    wanted: int = 0

    answered: int = 0
    resent: int = 0
    kept: int = 0
    dismissed: int = 0
    failures: list[str] = field(default_factory=list)
    slowest: float = 0
    messages: int = 0
    closed: int = 0
    cut: list[str] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0

    @property
    def asked(self) -> int:
        return self.answered + len(self.failures)

    @property
    def rate(self) -> float:
        """Requests a second, as they were sent."""
        return self.asked / self.seconds


def _echoed(length: int) -> Callable[[bytes], str]:
    def version(body: bytes) -> str:
        answer = json.loads(body)
        if answer["length"] != length:
            raise ValueError(f"{answer['length']} of {length} bytes arrived")
        return str(answer["version"])

    return version


ECHO = Users(
    asks=[Ask("POST", "/", b"x" * 2000, version=_echoed(2000)), *[Ask("GET", "/", version=_echoed(0))] * 3],
    echoes=True,
)
"""Of tests/engine/echo.py."""


@contextmanager
def traffic(
    url: str,
    users: Users = ECHO,
    *,
    rate: int = 200,
    sockets: int = 10,
    requests: int | None = None,
    resend: bool = True,
) -> Iterator[Traffic]:
    """`rate` requests a second, whatever the answers, until the block ends.

    requests: go on after the block until so many were asked, unless it was left by an error. resend:
    bench/http_client.py.
    """
    seen, stop = Traffic(wanted=requests or 0), threading.Event()
    client = Client(url, resend=resend, trust=users.trust, headers=users.headers)
    address = users.socket or url.replace("http", "ws", 1) + "/ws"
    talks = [(users, address)] * sockets
    thread = threading.Thread(target=lambda: asyncio.run(_ask(client, users, rate, talks, seen, stop)))
    thread.start()
    try:
        yield seen
    except BaseException:
        seen.wanted = 0
        raise
    finally:
        stop.set()
        thread.join()


async def _ask(
    client: Client,
    users: Users,
    rate: int,
    talks: Sequence[tuple[Users, str]],
    seen: Traffic,
    stop: threading.Event,
) -> None:
    talking = [asyncio.create_task(_talk(*talk, seen, stop)) for talk in talks]
    asking: set[asyncio.Task[None]] = set()
    start, number = time.monotonic(), 0
    while not stop.is_set() or number < seen.wanted:
        due = start + number / rate
        now = time.monotonic()
        if now - start > _MOST_SECONDS:
            break
        if due > now:
            await asyncio.sleep(due - now)
        task = asyncio.create_task(_request(client, users.asks[number % len(users.asks)], seen))
        asking.add(task)
        task.add_done_callback(asking.discard)
        number += 1
    seen.seconds = time.monotonic() - start
    await asyncio.gather(*asking)
    stop.set()
    await asyncio.gather(*talking)
    client.close()
    seen.resent, seen.kept, seen.dismissed = client.resent, client.kept, client.dismissed


async def _request(client: Client, ask: Ask, seen: Traffic) -> None:
    began = time.monotonic()
    try:
        answer = await asyncio.wait_for(client.ask(ask.method, ask.path, ask.body), _PATIENCE)
        if answer.status != ask.status:
            raise ValueError(f"{answer.status} {answer.body[:80]!r}")
        version = ask.version(answer.body)
    except (OSError, EOFError, ValueError, TimeoutError) as error:
        when = began - seen.began
        seen.failures.append(f"{when:.2f} s: {ask.method} {ask.path}: {type(error).__name__}: {error}")
    else:
        seen.answered += 1
        seen.slowest = max(seen.slowest, time.monotonic() - began)
        seen.versions[version] = seen.versions.get(version, 0) + 1


async def _talk(users: Users, address: str, seen: Traffic, stop: threading.Event) -> None:
    """One message every half second over a socket that stays open; a new one where it was closed."""
    trust = users.trust if address.startswith("wss") else None
    while not stop.is_set():
        try:
            async with websockets.connect(
                address,
                ssl=trust,
                additional_headers=users.headers,
                proxy=None,
                open_timeout=_PATIENCE,
                close_timeout=2,
            ) as socket:
                while not stop.is_set():
                    await (_echo(socket) if users.echoes else _ping(socket))
                    seen.messages += 1
        except websockets.ConnectionClosed as error:
            if error.rcvd and error.rcvd.code == 1001:
                seen.closed += 1
            else:
                seen.cut.append(f"{time.monotonic() - seen.began:.2f} s: {error}")
        except (OSError, TimeoutError, ValueError, websockets.WebSocketException) as error:
            seen.cut.append(f"{time.monotonic() - seen.began:.2f} s: {type(error).__name__}: {error}")
            await asyncio.sleep(0.2)


async def _echo(socket: websockets.ClientConnection) -> None:
    await socket.send("hello")
    answer = await asyncio.wait_for(socket.recv(), _PATIENCE)
    if not str(answer).endswith(":hello"):
        raise ValueError(f"answered {answer!r}")
    await asyncio.sleep(0.5)


async def _ping(socket: websockets.ClientConnection) -> None:
    """Meanwhile what the service tells is read: unread it would hold up the answer to the next ping."""
    await asyncio.wait_for(await socket.ping(), _PATIENCE)
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            while True:
                await socket.recv()
