"""What users do while something is changed: GETs, POSTs and open WebSockets, and what of it failed."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import websockets

from bench.http_client import Client

_MOST_SECONDS = 600
_PATIENCE = 20


@dataclass
class Traffic:
    """A `closed` WebSocket was told to come back (1001): no failure. A `cut` one was told nothing.

    resent: requests that went over a kept connection just when the server closed it (bench/http_client.py).
    wanted: so many are asked at least, also after the block.
    """

    wanted: int = 0

    answered: int = 0
    resent: int = 0
    failures: list[str] = field(default_factory=list)
    slowest: float = 0
    messages: int = 0
    closed: int = 0
    cut: list[str] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def asked(self) -> int:
        return self.answered + len(self.failures)


@contextmanager
def traffic(
    url: str, *, rate: int = 200, sockets: int = 10, requests: int | None = None, resend: bool = True
) -> Iterator[Traffic]:
    """`rate` requests a second, whatever the answers, every fourth a POST; until the block ends.

    requests: go on after the block until so many were asked, unless it was left by an error. resend:
    bench/http_client.py. The service is tests/engine/echo.py.
    """
    seen, stop = Traffic(wanted=requests or 0), threading.Event()
    client = Client(url, resend=resend)
    thread = threading.Thread(target=lambda: asyncio.run(_ask(client, url, rate, sockets, seen, stop)))
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
    client: Client, url: str, rate: int, sockets: int, seen: Traffic, stop: threading.Event
) -> None:
    talking = [asyncio.create_task(_talk(url, seen, stop)) for _ in range(sockets)]
    asking: set[asyncio.Task[None]] = set()
    start, number = time.monotonic(), 0
    while not stop.is_set() or number < seen.wanted:
        due = start + number / rate
        now = time.monotonic()
        if now - start > _MOST_SECONDS:
            break
        if due > now:
            await asyncio.sleep(due - now)
        task = asyncio.create_task(_request(client, number, seen))
        asking.add(task)
        task.add_done_callback(asking.discard)
        number += 1
    await asyncio.gather(*asking)
    stop.set()
    await asyncio.gather(*talking)
    client.close()
    seen.resent = client.resent


async def _request(client: Client, number: int, seen: Traffic) -> None:
    body = b"" if number % 4 else b"x" * 2000
    began = time.monotonic()
    try:
        answer = await asyncio.wait_for(client.ask("GET" if number % 4 else "POST", "/", body), _PATIENCE)
        if answer["length"] != len(body):
            raise ValueError(f"{answer['length']} of {len(body)} bytes arrived")
    except (OSError, EOFError, ValueError, TimeoutError) as error:
        method = "GET" if number % 4 else "POST"
        seen.failures.append(f"{began - seen.began:.2f} s: {method}: {type(error).__name__}: {error}")
    else:
        seen.answered += 1
        seen.slowest = max(seen.slowest, time.monotonic() - began)
        version = answer["version"]
        seen.versions[version] = seen.versions.get(version, 0) + 1


async def _talk(url: str, seen: Traffic, stop: threading.Event) -> None:
    """One message every half second over a socket that stays open; a new one where it was closed."""
    while not stop.is_set():
        try:
            async with websockets.connect(
                url.replace("http", "ws", 1) + "/ws", proxy=None, open_timeout=20, close_timeout=2
            ) as socket:
                while not stop.is_set():
                    await socket.send("hello")
                    answer = await asyncio.wait_for(socket.recv(), 20)
                    if not str(answer).endswith(":hello"):
                        raise ValueError(f"answered {answer!r}")
                    seen.messages += 1
                    await asyncio.sleep(0.5)
        except websockets.ConnectionClosed as error:
            if error.rcvd and error.rcvd.code == 1001:
                seen.closed += 1
            else:
                seen.cut.append(f"{time.monotonic() - seen.began:.2f} s: {error}")
        except (OSError, TimeoutError, ValueError, websockets.WebSocketException) as error:
            seen.cut.append(f"{time.monotonic() - seen.began:.2f} s: {type(error).__name__}: {error}")
            await asyncio.sleep(0.2)
