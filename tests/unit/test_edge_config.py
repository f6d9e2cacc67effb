"""The text of nginx.conf says what was asked for, and nothing else, whatever the values are."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import crossplane
import pytest
from gixy.core.config import Config
from gixy.core.manager import Manager
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from syrupy.assertion import SnapshotAssertion

from components.base import Identity
from components.containers.handover import UpstreamSpec
from components.containers.service import PublishedPort
from components.edge.config import nginx_conf
from components.edge.directives import Directive, block, line, text_of
from components.edge.routes import Answer, Proxy, RateLimit, Redirect, Route, Static
from components.edge.sites import EdgeSpec, Header, Site, Tls
from components.units import Duration

IDENTITY = Identity(stack="dev", system="test", service="nginx")
TLS = Tls(certificate="c", redirect_from=80)
UPSTREAMS = (
    UpstreamSpec(name="backend", port=3000),
    UpstreamSpec(name="tts-proxy", port=8001, keepalive=8, balance="least-conn"),
)
WHOLE = EdgeSpec(
    identity=IDENTITY,
    publish=(PublishedPort(container=80, host=80), PublishedPort(container=443, host=443)),
    acme="/var/www/acme",
    sites=(
        Site(
            name="public",
            port=443,
            hosts=("example.com", "*.example.com"),
            tls=Tls(certificate="public", redirect_from=80, hsts=Duration("8760h")),
            max_body="20m",
            routes=(
                Route(path="/api/", to=Proxy(upstream="backend", path="/"), rate=RateLimit(per_second=50)),
                Route(
                    path="/ws",
                    to=Proxy(upstream="backend", websocket=True, timeout=Duration("1h")),
                    exact=True,
                ),
                Route(path="/events", to=Proxy(upstream="backend", buffering=False)),
                Route(path="/static/", to=Static(kind="static", folder="/srv/static/"), immutable=True),
                Route(path="/old", to=Redirect(kind="redirect", to="/new"), exact=True),
                Route(path="/teapot", to=Answer(kind="answer", status=418, text='short; "and" stout\\')),
                Route(path="/", to=Static(kind="static", folder="/srv/web/", fallback="index.html")),
            ),
            headers=(Header(name="Content-Security-Policy", value="default-src 'self'; img-src *"),),
        ),
        Site(
            name="speech",
            port=8001,
            headers=(),
            routes=(Route(path="/", to=Proxy(upstream="tts-proxy", timeout=Duration("120s"))),),
        ),
    ),
)


def _site(name: str, port: int, **more: Any) -> Site:
    return Site(name=name, port=port, routes=(Route(path="/", to=Answer(kind="answer", status=200)),), **more)


def parsed(text: str, *, known: bool = True) -> list[dict[str, Any]]:
    """As another reader of the format understands it; known: directives stand where nginx knows them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "nginx.conf")
        file.write_text(text)
        found = crossplane.parse(str(file), single=True, comments=True, check_ctx=known, check_args=known)
    assert found["status"] == "ok", found["errors"]
    result: list[dict[str, Any]] = found["config"][0]["parsed"]
    return _unescaped(result)


def _unescaped(read: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """crossplane leaves a doubled backslash, which nginx reads as one."""
    return [
        item
        | {"args": [arg.replace("\\\\", "\\") for arg in item["args"]]}
        | ({"block": _unescaped(item["block"])} if "block" in item else {})
        for item in read
    ]


def same(read: Sequence[Mapping[str, Any]], meant: Sequence[Directive]) -> bool:
    return [(item["directive"], tuple(item["args"])) for item in read] == [
        (item.name, item.args) for item in meant
    ] and all(
        same(item.get("block", ()), wanted.body or ()) for item, wanted in zip(read, meant, strict=True)
    )


def blocks(read: Sequence[Mapping[str, Any]], name: str) -> Iterator[Mapping[str, Any]]:
    for item in read:
        if item["directive"] == name:
            yield item
        yield from blocks(item.get("block", ()), name)


def directives(item: Mapping[str, Any]) -> list[list[str]]:
    return [[inner["directive"], *inner["args"]] for inner in item["block"]]


printable = st.text(
    st.characters(min_codepoint=32, exclude_characters="$\x7f", exclude_categories=("C", "Z"))
)


@given(st.lists(printable | st.text(" ;{}\"'\\#", max_size=8), min_size=1, max_size=4))
def test_arguments_are_read_back_as_they_were(args: list[str]) -> None:
    meant = [block("http", body=[block("server", "x", body=[line("add_header", *args)]), line("end", "1")])]
    assert same(parsed(text_of(meant), known=False), meant)


@given(st.text(), st.text())
def test_a_header_adds_one_directive_or_is_refused(name: str, value: str) -> None:
    try:
        header = Header(name=name, value=value)
    except ValidationError:
        return
    site = Site(
        name="s", port=80, headers=(header,), routes=(Route(path="/", to=Answer(kind="answer", status=200)),)
    )
    read = parsed(nginx_conf(EdgeSpec(identity=IDENTITY, sites=(site,)), []))
    found = [item["args"] for item in blocks(read, "add_header")]
    assert found == [[name, value, "always"]]
    assert len(read) == 7 and len(list(blocks(read, "location"))) == 2


@given(st.text() | st.from_regex(r"^/[a-z;{} \"$#\\]*$"), st.text())
def test_a_path_and_an_answer_stay_what_they_are(path: str, text: str) -> None:
    try:
        route = Route(path=path, to=Answer(kind="answer", status=200, text=text))
    except ValidationError:
        return
    site = Site(name="s", port=80, headers=(), routes=(route,))
    read = parsed(nginx_conf(EdgeSpec(identity=IDENTITY, sites=(site,)), []))
    *_, location = blocks(read, "location")
    assert location["args"] == [path]
    assert directives(location) == [["default_type", "text/plain"], ["return", "200", text]]


@given(
    st.builds(
        Proxy,
        upstream=st.sampled_from(["backend", "tts-proxy"]),
        websocket=st.booleans(),
        buffering=st.booleans(),
        request_buffering=st.booleans(),
        timeout=st.integers(1, 10_000).map(lambda ms: Duration(f"{ms}ms")),
    )
)
def test_a_proxy_says_all_of_its_settings(proxy: Proxy) -> None:
    site = Site(name="s", port=80, headers=(), routes=(Route(path="/", to=proxy),))
    *_, location = blocks(
        parsed(nginx_conf(EdgeSpec(identity=IDENTITY, sites=(site,)), UPSTREAMS)), "location"
    )
    found = directives(location)
    assert ["proxy_pass", f"http://{proxy.upstream}"] in found
    assert ["proxy_read_timeout", f"{int(proxy.timeout.seconds * 1000)}ms"] in found
    assert (["proxy_set_header", "Upgrade", "$http_upgrade"] in found) == proxy.websocket
    assert (["proxy_buffering", "off"] in found) != proxy.buffering
    assert (["proxy_request_buffering", "off"] in found) != proxy.request_buffering


def test_the_edge_owns_each_header_that_it_sets() -> None:
    routes = (
        Route(path="/", to=Proxy(upstream="backend")),
        Route(path="/static/", to=Proxy(upstream="backend"), immutable=True),
    )
    headers = (Header(name="X-Frame-Options", value="DENY"), Header(name="Cache-Control", value="no-store"))
    site = Site(name="s", port=80, headers=headers, routes=routes)
    _, server = blocks(parsed(nginx_conf(EdgeSpec(identity=IDENTITY, sites=(site,)), UPSTREAMS)), "server")
    set_, hidden = "add_header", "proxy_hide_header"
    found = [item for item in directives(server) if item[0] in (set_, hidden)]
    assert found == [
        [set_, "X-Frame-Options", "DENY", "always"],
        [set_, "Cache-Control", "no-store", "always"],
        [hidden, "X-Frame-Options"],
        [hidden, "Cache-Control"],
    ]
    plain, kept = ({tuple(it) for it in directives(item)} for item in blocks([server], "location"))
    assert not [it for it in plain if it[0] in (set_, hidden)], "inherited as long as it has none of its own"
    assert {it for it in kept if it[0] in (set_, hidden)} == {
        (set_, "X-Frame-Options", "DENY", "always"),
        (set_, "Cache-Control", "public, max-age=31536000, immutable"),
        (hidden, "X-Frame-Options"),
        (hidden, "Cache-Control"),
        (hidden, "Expires"),
    }


def _servers(*sites: Site) -> list[tuple[list[str], list[str], list[str] | None]]:
    """Of each: where it listens, its names, and what it returns below /."""
    read = parsed(nginx_conf(EdgeSpec(identity=IDENTITY, sites=sites), UPSTREAMS))
    found = []
    for server in list(blocks(read, "server"))[1:]:
        said = {item["directive"]: item["args"] for item in server["block"]}
        (below,) = [item for item in blocks([server], "location") if item["args"] == ["/"]]
        answer = {item["directive"]: item["args"] for item in below["block"]}.get("return")
        found.append((said["listen"], said["server_name"], answer))
    return found


names = st.lists(
    st.from_regex(r"\A(\*\.)?[a-z0-9]{1,9}(\.[a-z0-9]{1,9}){0,2}\Z"), min_size=1, max_size=4, unique=True
)


@given(names, st.sampled_from([443, 8443]))
def test_nobody_is_sent_to_a_name_that_is_not_ours(hosts: list[str], public_port: int) -> None:
    tls = Tls(certificate="c", redirect_from=80, public_port=public_port)
    suffix = "$request_uri" if public_port == 443 else ":8443$request_uri"
    own, unknown, known, others = _servers(_site("s", 443, hosts=tuple(hosts), tls=tls))
    assert own == (["443", "ssl", "http2"], hosts, ["200", ""])
    assert unknown == (["443", "ssl", "http2", "default_server"], ["_"], ["421"])
    assert known == (["80"], hosts, ["301", f"https://$host{suffix}"])
    first = next((host for host in hosts if not host.startswith("*")), None)
    assert others == (
        ["80", "default_server"],
        ["_"],
        ["301", f"https://{first}{suffix}"] if first else ["444"],
    )


def test_a_site_without_hosts_answers_to_every_name() -> None:
    own, plain = _servers(_site("s", 443, tls=TLS))
    assert own[:2] == (["443", "ssl", "http2", "default_server"], ["_"])
    assert plain == (["80", "default_server"], ["_"], ["301", "https://$host$request_uri"])


@pytest.mark.parametrize(("hosts", "by_address"), [(("a.b",), False), (("a.b", "10.0.0.1"), True)])
def test_who_comes_by_address_is_served_a_certificate(hosts: tuple[str, ...], by_address: bool) -> None:
    site = _site("s", 443, hosts=hosts, tls=Tls(certificate="c"))
    read = parsed(nginx_conf(EdgeSpec(identity=IDENTITY, sites=(site,)), []))
    *_, unknown = blocks(read, "server")
    said = [item[0] for item in directives(unknown)]
    assert ("ssl_certificate" in said, "ssl_reject_handshake" in said) == (by_address, not by_address)


def test_a_developers_localhost_stays_open_to_plain_http() -> None:
    read = parsed(nginx_conf(EdgeSpec(identity=IDENTITY, sites=(_site("s", 443, tls=TLS),)), []))
    (ages,) = [directives(item) for item in blocks(read, "map") if item["args"][0] == "$host"]
    assert ages == [["hostnames"], ["default", "max-age=31536000"], [".localhost", ""]]


def test_a_whole_configuration(snapshot: SnapshotAssertion) -> None:
    assert nginx_conf(WHOLE, UPSTREAMS) == snapshot


@pytest.mark.parametrize(
    ("drains", "kept"), [((), "5000ms"), (("30s",), "5000ms"), (("30s", "5s"), "2500ms"), (("0s",), "0ms")]
)
def test_a_replica_outlasts_the_connections_that_may_ask_for_it(drains: tuple[str, ...], kept: str) -> None:
    upstreams = [
        UpstreamSpec(name=f"u{number}", port=1, drain=Duration(drain)) for number, drain in enumerate(drains)
    ]
    site = Site(name="s", port=80, routes=(Route(path="/", to=Answer(kind="answer", status=200)),))
    text = nginx_conf(EdgeSpec(identity=IDENTITY, sites=(site,)), upstreams)
    assert f" keepalive_min_timeout {kept};" in text


def test_gixy_finds_nothing(tmp_path: Path) -> None:
    text = nginx_conf(WHOLE, UPSTREAMS)
    (tmp_path / "upstreams").mkdir()
    for upstream in UPSTREAMS:
        (tmp_path / "upstreams" / f"{upstream.name}.conf").write_text("server 10.0.0.2:1;\n")
    file = tmp_path / "nginx.conf"
    file.write_text(text)
    with Manager(config=Config()) as manager, file.open("rb") as stream:
        manager.audit(str(file), stream, is_stdin=False)
        found = [plugin.name for plugin in manager.results for _ in plugin.issues]
    # A path that becomes another one is decoded on the way: asked for, in one route.
    assert found == ["proxy_pass_normalized"]


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda: Route(path="/a b", to=Proxy(upstream="x")), "path"),
        (lambda: Route(path="/x;", to=Proxy(upstream="x")), "path"),
        (lambda: Proxy(upstream="x;y"), "upstream"),
        (lambda: Header(name="X", value="a$b"), r"without \$"),
        (lambda: Header(name="X", value="a\nb"), "one line"),
        (
            lambda: _site("s", 80, headers=(Header(name="X-A", value="1"), Header(name="x-a", value="2"))),
            "x-a given twice",
        ),
        (
            lambda: _site("s", 80, headers=(Header(name="strict-transport-security", value="max-age=1"),)),
            "tls.hsts",
        ),
        (lambda: Route(path="/static", to=Static(kind="static", folder="/srv/")), "ends with /"),
        (
            lambda: Route(path="/a/", to=Static(kind="static", folder="/srv/", fallback="i.html")),
            "at the path /",
        ),
        (lambda: Route(path="/a/", to=Proxy(upstream="x", path="/b")), "both end with /"),
        (lambda: Redirect(kind="redirect", to="javascript:x"), "to"),
    ],
)
def test_what_nginx_cannot_do_is_refused(write: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        write()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sites": (_site("a", 80), _site("a", 81))}, "name is given twice"),
        ({"sites": (_site("a", 80), _site("b", 80))}, "port 80"),
        ({"sites": (_site("a", 80), _site("b", 80, hosts=("x",), tls=Tls(certificate="c")))}, "TLS"),
        (
            {"sites": (_site("a", 80), _site("b", 443, tls=Tls(certificate="c", redirect_from=80)))},
            "redirect",
        ),
        (
            {"sites": (_site("a", 80),), "publish": (PublishedPort(container=8001, host=80),)},
            "nobody listens",
        ),
        ({"sites": (_site("a", 8099),)}, "8099"),
        (
            {"sites": (_site("a", 443, tls=TLS), _site("b", 444, tls=TLS))},
            "port 80: plain HTTP for every name is redirected twice",
        ),
    ],
)
def test_sites_that_meet_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        EdgeSpec(identity=IDENTITY, **fields)


def test_an_unknown_upstream_is_named() -> None:
    with pytest.raises(ValueError, match=r"route /: no upstream 'frontend'; allowed: backend"):
        nginx_conf(
            EdgeSpec(
                identity=IDENTITY,
                sites=(Site(name="s", port=80, routes=(Route(path="/", to=Proxy(upstream="frontend")),)),),
            ),
            UPSTREAMS[:1],
        )
