"""api-gateway: its file, its routing and what it does when a service misbehaves."""

from __future__ import annotations

import asyncio
import errno
import json
import re
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiohttp
import pytest
import yaml
from aiohttp import web
from gateway import headers, proxy, upstream
from gateway.config import ConfigError, parse
from gateway.routing import BadPathError, NoRouteError, Table, WrongMethodError
from gateway.server import Gateway
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from tests.ports import free_port

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def config(base_url: str = "http://backend:1", **service: Any) -> bytes:
    routes = [
        {"method": "GET", "path": "/v/{id}", "target": "/videos/{id}"},
        {"method": "GET", "path": "/v/new", "target": "/new"},
        {"method": "POST", "path": "/v", "target": "/videos"},
    ]
    file = {"services": [{"name": "b", "base_url": base_url, "routes": routes, **service}]}
    return yaml.safe_dump(file).encode()


TABLE = Table(parse(config()))


def test_routes() -> None:
    assert TABLE.match("GET", "/v/7").path == "/videos/7"
    assert TABLE.match("HEAD", "/v/7").path == "/videos/7"
    assert TABLE.match("GET", "/v/new").path == "/new"  # plain text wins over a placeholder
    with pytest.raises(NoRouteError):
        TABLE.match("GET", "/v/7/8")
    with pytest.raises(WrongMethodError) as wrong:
        TABLE.match("PUT", "/v")
    assert wrong.value.allowed == ["POST"]


@pytest.mark.parametrize(
    "segment",
    ["..", ".", "", "%2e%2e", "%2E.", "a%2Fb", "a%2f..%2fb", "a%5cb", "%00", "%ff", "%", "%zz", "%0d%0a"],
)
def test_parameters_cannot_lead_elsewhere(segment: str) -> None:
    with pytest.raises(BadPathError):
        TABLE.match("GET", f"/v/{segment}")


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=30))
def test_a_forwarded_parameter_is_one_segment_that_means_the_same(segment: str) -> None:
    try:
        path = TABLE.match("GET", f"/v/{segment}").path
    except (BadPathError, NoRouteError):
        return
    prefix, _, rest = path.rpartition("/")
    if path == "/new":
        return
    assert prefix == "/videos"
    assert re.fullmatch(r"[A-Za-z0-9._~%-]+", rest)
    assert unquote(rest) == unquote(segment)
    assert unquote(rest) not in {".", ".."}


def test_locations_are_translated_back() -> None:
    service = TABLE.config.services[0]
    assert TABLE.outward(service, "/videos/7?a=b") == "/v/7?a=b"
    assert TABLE.outward(service, "http://backend:1/videos/7") == "/v/7"
    for foreign in ("https://elsewhere/videos/7", "/other", "//evil/videos"):
        assert TABLE.outward(service, foreign) == foreign


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"base_url": "ftp://x"}, "services.0"),
        ({"base_url": "http://u:p@x"}, "no user"),
        ({"timeout": 0}, "services.0.timeout"),
        ({"tiemout": 1}, "services.0.tiemout"),
        ({"routes": []}, "services.0.routes"),
        ({"routes": [{"method": "GET", "path": "/a", "target": "/{id}"}]}, "lacks"),
        ({"routes": [{"method": "GET", "path": "/../a", "target": "/"}]}, "segment"),
        ({"routes": [{"method": "GET", "path": "/health", "target": "/"}]}, "belongs to the gateway"),
        (
            {
                "routes": [
                    {"method": "GET", "path": "/{a}", "target": "/"},
                    {"method": "GET", "path": "/{b}", "target": "/"},
                ]
            },
            "claimed by",
        ),
    ],
)
def test_faults_are_named(change: dict[str, Any], part: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(part)):
        parse(config(**change))


ODD = (b"a: !!timestamp x", b'a: !!int ""', b"a: !!bool x")


@pytest.mark.parametrize(
    "text", [b"{", b"services: 2001-13-45", b"[" * 5000, b"\xff\xfe\x00", b"a: \xff", *ODD]
)
def test_no_yaml(text: bytes) -> None:
    with pytest.raises(ConfigError, match="not YAML"):
        parse(text)


def pass_on(sent: list[tuple[str, str]], *, trusted: bool = False) -> CIMultiDict[str]:
    given_ = CIMultiDictProxy(CIMultiDict(sent))
    return headers.forwarded(given_, client="9.9.9.9", scheme="http", trusted=trusted, request_id="r")


def test_headers() -> None:
    sent = [
        ("Host", "public"),
        ("Connection", "close, X-Private"),
        ("X-Private", "1"),
        ("Transfer-Encoding", "chunked"),
        ("X-Forwarded-For", "1.1.1.1"),
        ("X-Forwarded-Secret", "x"),
        ("Accept", "a"),
        ("Accept", "b"),
    ]
    out = pass_on(sent)
    assert out.getall("Accept") == ["a", "b"]
    assert out["X-Forwarded-For"] == "9.9.9.9"
    assert out["X-Forwarded-Host"] == "public"
    assert not {"Host", "Connection", "X-Private", "Transfer-Encoding", "X-Forwarded-Secret"} & set(out)
    assert pass_on(sent, trusted=True)["X-Forwarded-For"] == "1.1.1.1, 9.9.9.9"
    assert headers.is_trusted("10.1.2.3", [ip_network("10.0.0.0/8")])
    assert not headers.is_trusted("unknown", [ip_network("10.0.0.0/8")])


async def listen(handler: Handler) -> tuple[web.ServerRunner, int]:
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, runner.addresses[0][1]


def through(
    tmp_path: Path,
    backend: Handler | int,
    ask: Callable[[aiohttp.ClientSession, str, Gateway], Awaitable[None]],
    **service: Any,
) -> None:
    """Runs `ask` against a gateway before a backend (or before a port where there is none)."""

    async def run() -> None:
        runners = []
        if isinstance(backend, int):
            port = backend
        else:
            runner, port = await listen(backend)
            runners.append(runner)
        file = tmp_path / "services.yaml"
        file.write_bytes(config(f"http://127.0.0.1:{port}", **service))
        gateway = Gateway(file)
        front, front_port = await listen(gateway.handle)
        try:
            async with aiohttp.ClientSession() as client:
                await ask(client, f"http://127.0.0.1:{front_port}", gateway)
        finally:
            await gateway.close()
            for runner in [front, *runners]:
                await runner.cleanup()

    asyncio.run(run())


def test_bodies_stream_both_ways(tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    async def backend(request: web.BaseRequest) -> web.StreamResponse:
        seen.update(path=request.raw_path, id=request.headers["X-Request-Id"])
        response = web.StreamResponse(headers={"X-Backend": "1"})
        await response.prepare(request)
        async for chunk in request.content.iter_any():
            await response.write(chunk)  # answers while the body is still coming
        return response

    async def ask(client: aiohttp.ClientSession, url: str, _: Gateway) -> None:
        go_on = asyncio.Event()

        async def body() -> Any:
            yield b"first"
            await go_on.wait()
            yield b"second"

        async with client.post(
            URL(f"{url}/v?x=%2F1", encoded=True), data=body(), headers={"X-Request-Id": "abc"}
        ) as response:
            assert await response.content.readany() == b"first"
            go_on.set()
            assert await response.content.read() == b"second"
            assert response.headers["X-Backend"] == "1"
            assert response.headers["X-Request-Id"] == "abc"
        assert seen == {"path": "/videos?x=%2F1", "id": "abc"}

    through(tmp_path, backend, ask)


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large_a_body_is_413(tmp_path: Path, chunked: bool) -> None:
    async def backend(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        return web.Response()

    async def body() -> Any:
        for _ in range(10):
            yield b"x" * 100

    async def ask(client: aiohttp.ClientSession, url: str, _: Gateway) -> None:
        async with client.post(f"{url}/v", data=body() if chunked else b"x" * 1000) as response:
            assert response.status == 413
            assert (await response.json())["error"] == "the body is larger than 500 bytes"

    through(tmp_path, backend, ask, max_body=500)


def test_errors_are_json_with_the_fitting_status(
    tmp_path: Path, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "PATIENCE", (0.0, 0.1))

    async def slow(_: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(5)
        return web.Response()

    async def timed_out(client: aiohttp.ClientSession, url: str, _: Gateway) -> None:
        async with client.get(f"{url}/v/1") as response:
            assert response.status == 504
            assert "0.2 s" in (await response.json())["error"]

    async def away(client: aiohttp.ClientSession, url: str, _: Gateway) -> None:
        async with client.post(f"{url}/v", data=b"x") as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "2")
        async with client.get(f"{url}/nothing") as response:
            assert response.status == 404
        async with client.get(URL(f"{url}/v/..%2fsecret", encoded=True)) as response:
            assert response.status == 400
        async with client.delete(f"{url}/v") as response:
            assert (response.status, response.headers["Allow"]) == (405, "POST")

    through(tmp_path, slow, timed_out, timeout=0.2)
    through(tmp_path, unused_tcp_port, away)


@pytest.fixture
def unused_tcp_port() -> int:
    return free_port()


@pytest.mark.parametrize(
    ("method", "path", "status", "calls"), [("GET", "/v/1", 200, 2), ("POST", "/v", 502, 1)]
)
def test_a_broken_connection_repeats_only_what_may_be_repeated(
    tmp_path: Path, method: str, path: str, status: int, calls: int
) -> None:
    seen = 0

    async def backend(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal seen
        seen += 1
        if seen == 1:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(text="ok")

    async def ask(client: aiohttp.ClientSession, url: str, _: Gateway) -> None:
        async with client.request(method, url + path) as response:
            assert response.status == status
        assert seen == calls

    through(tmp_path, backend, ask)


def test_a_cut_answer_is_not_passed_off_as_whole(tmp_path: Path) -> None:
    async def backend(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        await asyncio.sleep(0.05)
        assert request.transport is not None
        request.transport.abort()
        return response

    async def ask(client: aiohttp.ClientSession, url: str, _: Gateway) -> None:
        with pytest.raises(aiohttp.ClientError):
            async with client.get(f"{url}/v/1") as response:
                await response.read()

    through(tmp_path, backend, ask)


def test_a_service_that_comes_back_in_time_costs_nothing(tmp_path: Path, unused_tcp_port: int) -> None:
    async def backend(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="ok")

    async def ask(client: aiohttp.ClientSession, url: str, _: Gateway) -> None:
        pending = asyncio.create_task(client.post(f"{url}/v", data=b"x"))
        await asyncio.sleep(0.3)
        runner = web.ServerRunner(web.Server(backend))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
        assert (await pending).status == 200
        await runner.cleanup()

    through(tmp_path, unused_tcp_port, ask)


def test_an_address_that_says_goodbye_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        resolver, listed = upstream.Resolver(), ["10.0.0.1", "10.0.0.2"]

        async def answer(host: str, port: int, family: Any) -> list[Any]:
            return [{"host": address} for address in listed]

        async def chosen() -> list[str]:
            return [result["host"] for result in await resolver.resolve("x")]

        monkeypatch.setattr(resolver._resolver, "resolve", answer)
        resolver.leave("x", "10.0.0.1")
        assert await chosen() == ["10.0.0.2"]
        upstream.anyone.set(True)  # the newcomer did not answer
        assert await chosen() == ["10.0.0.2", "10.0.0.1"]
        upstream.anyone.set(False)
        resolver.leave("x", "10.0.0.2")
        assert await chosen() == ["10.0.0.1", "10.0.0.2"]
        listed[:] = ["10.0.0.2", "10.0.0.3"]
        assert await chosen() == ["10.0.0.3"]
        listed[:] = ["10.0.0.1", "10.0.0.3"]  # the first address again, given to another container
        assert await chosen() == ["10.0.0.1", "10.0.0.3"]
        await resolver.close()

    asyncio.run(run())
    assert headers.closes(CIMultiDict({"Connection": "keep-alive, Close"}))
    assert sum(proxy.PATIENCE) < 5


@pytest.mark.parametrize("goodbye", [False, True])
def test_only_the_service_decides_what_counts_as_goodbye(tmp_path: Path, goodbye: bool) -> None:
    async def backend(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(headers={"Connection": "close"} if goodbye else {})

    async def ask(client: aiohttp.ClientSession, url: str, gateway: Gateway) -> None:
        async with client.get(f"{url}/v/1", headers={"Connection": "close"}) as response:
            assert response.status == 200
        assert bool(gateway._resolver._leaving) is goodbye

    through(tmp_path, backend, ask)


def test_reload_keeps_the_old_routes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def run() -> None:
        file = tmp_path / "services.yaml"
        file.write_bytes(config())
        gateway = Gateway(file)
        for broken in (b"services: []", None):
            if broken is None:
                file.unlink()
            else:
                file.write_bytes(broken)
            gateway.reload()
            gateway.reload()
            assert gateway.rejected
            assert json.loads(gateway.health().body or b"")["config"] == "rejected"  # type: ignore[arg-type]
            assert len(gateway.table) == 3
        file.write_bytes(config())
        gateway.reload()
        assert gateway.rejected is None
        await gateway.close()

    asyncio.run(run())
    assert capsys.readouterr().out.count("config-rejected") == 2


def test_an_invalid_file_at_start_is_refused(tmp_path: Path) -> None:
    async def start() -> None:
        Gateway(tmp_path / "nothing.yaml")

    with pytest.raises(ConfigError, match="No such file"):
        asyncio.run(start())


def test_a_moment_in_which_the_file_cannot_be_read_ends_by_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "services.yaml"
    file.write_bytes(config())
    really = Path.read_bytes

    def fails(path: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    def state(gateway: Gateway) -> str:
        return str(json.loads(gateway.health().body or b"")["config"])  # type: ignore[arg-type]

    async def run() -> None:
        gateway = Gateway(file)
        watching = asyncio.create_task(gateway.watch())
        try:
            monkeypatch.setattr(Path, "read_bytes", fails)
            assert state(gateway) == state(gateway) == "rejected"
            assert gateway.table.match("GET", "/v/7").path == "/videos/7"
            monkeypatch.setattr(Path, "read_bytes", really)
            async with asyncio.timeout(5):
                while gateway.rejected is not None:
                    await asyncio.sleep(0.05)
            assert state(gateway) == "current"
            # What was invalid before is so afterwards.
            file.write_bytes(b"services: []")
            assert state(gateway) == "rejected"
            monkeypatch.setattr(Path, "read_bytes", fails)
            assert state(gateway) == "rejected"
            monkeypatch.setattr(Path, "read_bytes", really)
            assert state(gateway) == "rejected"
        finally:
            watching.cancel()
            await gateway.close()

    asyncio.run(run())
    told = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert told == ["config-rejected", "config-loaded", *["config-rejected"] * 3]
