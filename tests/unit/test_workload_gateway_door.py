"""api-gateway towards clients that are slow, idle or too many: real sockets, small numbers."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from gateway.door import Door, Limits
from gateway.server import Gateway

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
GET = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
TRUSTED = {"trusted_proxies": ["127.0.0.0/8"]}


def with_door(
    tmp_path: Path,
    limits: Limits,
    ask: Callable[[Callable[[], Awaitable[Stream]]], Awaitable[None]],
    **config: object,
) -> None:
    """Runs `ask` with a function that connects to a gateway within these limits."""

    async def run() -> None:
        backend = web.ServerRunner(web.Server(echo), shutdown_timeout=0.1)
        await backend.setup()
        await web.TCPSite(backend, "127.0.0.1", 0).start()
        routes = [{"method": method, "path": "/e", "target": "/e"} for method in ("GET", "POST")]
        service = {"name": "b", "base_url": f"http://127.0.0.1:{backend.addresses[0][1]}", "routes": routes}
        file = tmp_path / "services.yaml"
        file.write_text(yaml.safe_dump({"services": [service], **config}))
        gateway = Gateway(file, limits)
        front = web.ServerRunner(Door(gateway.handle, limits, gateway.speaks_for_many), shutdown_timeout=0.1)
        await front.setup()
        await web.TCPSite(front, "127.0.0.1", 0).start()
        try:
            await ask(lambda: asyncio.open_connection("127.0.0.1", front.addresses[0][1]))
        finally:
            await front.cleanup()
            await gateway.close()
            await backend.cleanup()

    asyncio.run(run())


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    """A POST's length; a GET's answer is larger than what sockets buffer."""
    if request.method == "POST":
        return web.Response(text=str(len(await request.read())))
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(400):
        await response.write(b"x" * 100_000)
    return response


async def status_of(stream: Stream) -> int:
    line = await asyncio.wait_for(stream[0].readline(), 5)
    return int(line.split()[1]) if line else 0


async def closed_after(stream: Stream) -> float:
    started = time.monotonic()
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(stream[0].read(), 5)
    return time.monotonic() - started


@pytest.mark.parametrize("begun", [b"", b"GET /health HTTP/1.1\r\nHost: "])
def test_an_unfinished_head_ends_the_connection(tmp_path: Path, begun: bytes) -> None:
    async def ask(connect: Callable[[], Awaitable[Stream]]) -> None:
        streams = [await connect() for _ in range(20)]
        for _, writer in streams:
            writer.write(begun)
        took = await asyncio.gather(*(closed_after(stream) for stream in streams))
        assert min(took) > 0.1 and max(took) < 2

    with_door(tmp_path, Limits(head=0.4), ask)


def test_bytes_in_drops_do_not_renew_the_time_for_a_head(tmp_path: Path) -> None:
    async def ask(connect: Callable[[], Awaitable[Stream]]) -> None:
        stream = await connect()

        async def drip() -> None:
            stream[1].write(b"GET /health HTTP/1.1\r\nX: ")
            while True:
                stream[1].write(b"x")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert await closed_after(stream) < 2
        dripping.cancel()

    with_door(tmp_path, Limits(head=0.4), ask)


def test_a_kept_connection_ends_when_idle(tmp_path: Path) -> None:
    async def ask(connect: Callable[[], Awaitable[Stream]]) -> None:
        stream = await connect()
        for _ in range(3):
            await asyncio.sleep(0.2)
            stream[1].write(GET)
            assert await status_of(stream) == 200
            await stream[0].readuntil(b"\r\n\r\n")
            await stream[0].readuntil(b"}")
        assert await closed_after(stream) < 2

    with_door(tmp_path, Limits(head=0.5), ask)


def test_a_slow_body_is_408(tmp_path: Path) -> None:
    async def ask(connect: Callable[[], Awaitable[Stream]]) -> None:
        stream = await connect()
        stream[1].write(b"POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")

        async def drip() -> None:
            while True:
                stream[1].write(b"x")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert await status_of(stream) == 408
        dripping.cancel()

    with_door(tmp_path, Limits(body=0.4), ask)


def test_a_body_that_comes_fast_enough_may_take_longer(tmp_path: Path) -> None:
    async def ask(connect: Callable[[], Awaitable[Stream]]) -> None:
        stream = await connect()
        stream[1].write(b"POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 800\r\n\r\n")
        for _ in range(8):
            stream[1].write(b"x" * 100)
            await asyncio.sleep(0.1)
        assert await status_of(stream) == 200

    with_door(tmp_path, Limits(body=0.4), ask)


def test_who_does_not_read_the_answer_is_cut_off(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def ask(connect: Callable[[], Awaitable[Stream]]) -> None:
        reader, writer = await connect()
        writer.write(b"GET /e HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(1.5)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(40_000_000), 5)
        writer.close()

    with_door(tmp_path, Limits(stall=0.4), ask)
    assert '"status": 499' in capsys.readouterr().out


@pytest.mark.parametrize("limits", [Limits(connections=3), Limits(per_client=3)])
def test_too_many_connections_are_refused_and_places_come_back(tmp_path: Path, limits: Limits) -> None:
    async def ask(connect: Callable[[], Awaitable[Stream]]) -> None:
        inside = [await connect() for _ in range(3)]
        inside[0][1].write(GET)
        assert await status_of(inside[0]) == 200
        refused = await connect()
        head, _, body = (await asyncio.wait_for(refused[0].read(), 5)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ") and json.loads(body)["error"] == "too many connections"
        assert f"Content-Length: {len(body)}".encode() in head
        inside.pop()[1].close()
        await asyncio.sleep(0.1)
        again = await connect()
        again[1].write(GET)
        assert await status_of(again) == 200

    with_door(tmp_path, limits, ask)


def test_refusals_leave_no_errors_behind(tmp_path: Path) -> None:
    errors: list[dict[str, Any]] = []

    async def ask(connect: Callable[[], Awaitable[Stream]]) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        inside = await connect()
        for _ in range(20):
            reader, writer = await connect()
            writer.write(GET)
            with contextlib.suppress(ConnectionError):
                await asyncio.wait_for(reader.read(), 5)
            writer.close()
        inside[1].close()
        await asyncio.sleep(0.05)
        gc.collect()

    with_door(tmp_path, Limits(connections=1), ask)
    assert errors == []


def test_a_trusted_proxy_speaks_for_many(tmp_path: Path) -> None:
    async def ask(connect: Callable[[], Awaitable[Stream]]) -> None:
        for stream in [await connect() for _ in range(5)]:
            stream[1].write(GET)
            assert await status_of(stream) == 200

    with_door(tmp_path, Limits(per_client=3), ask, **TRUSTED)


def test_health_sees_a_changed_file_at_once(tmp_path: Path) -> None:
    async def ask(connect: Callable[[], Awaitable[Stream]]) -> None:
        stream = await connect()
        file = tmp_path / "services.yaml"
        for text, state in (("services: []", b"rejected"), (file.read_text(), b"current")):
            file.write_text(text)
            stream[1].write(GET)
            assert await status_of(stream) == 200  # it serves, with its old routes
            await stream[0].readuntil(b"\r\n\r\n")
            assert state in await stream[0].readuntil(b"}")

    with_door(tmp_path, Limits(), ask)
