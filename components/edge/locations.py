"""One route as an nginx location."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

from components.containers.handover import UpstreamSpec
from components.edge.directives import Directive, block, line
from components.edge.routes import Answer, Proxy, Redirect, Route, Static
from components.edge.sites import Site
from components.units import Duration


def zone(site: Site, number: int, route: Route) -> Directive:
    """Where the requests of a limited route are counted."""
    assert route.rate
    rate = f"rate={route.rate.per_second}r/s"
    return line("limit_req_zone", "$binary_remote_addr", f"zone={_zone(site, number)}:10m", rate)


def location(
    site: Site,
    number: int,
    route: Route,
    headers: Mapping[str, str],
    upstreams: Mapping[str, UpstreamSpec],
) -> Directive:
    """Raises ValueError for an upstream that is not known."""
    return block(
        "location",
        *(["="] if route.exact else []),
        route.path,
        body=[
            *_limits(site, number, route),
            *_headers(route, headers),
            *_action(site, route, upstreams),
        ],
    )


def _limits(site: Site, number: int, route: Route) -> Iterator[Directive]:
    if route.max_body:
        yield line("client_max_body_size", route.max_body)
    if route.rate:
        burst = [f"burst={route.rate.burst}", "nodelay"] if route.rate.burst else []
        yield line("limit_req", f"zone={_zone(site, number)}", *burst)


def added(headers: Mapping[str, str]) -> Iterator[Directive]:
    """On every answer, errors too."""
    for name, value in headers.items():
        yield line("add_header", name, value, "always")


def hidden(names: Iterable[str]) -> Iterator[Directive]:
    """What the edge says itself is not said a second time by what it asks."""
    for name in names:
        yield line("proxy_hide_header", name)


def _headers(route: Route, headers: Mapping[str, str]) -> Iterator[Directive]:
    """A location that adds or hides a header of its own would lose those of the server."""
    if route.immutable:
        others = {name: value for name, value in headers.items() if name.lower() != "cache-control"}
        yield from added(others)
        yield line("add_header", "Cache-Control", "public, max-age=31536000, immutable")
        if isinstance(route.to, Proxy):
            yield from hidden([*others, "Cache-Control", "Expires"])


def _action(site: Site, route: Route, upstreams: Mapping[str, UpstreamSpec]) -> Iterator[Directive]:
    action = route.to
    match action:
        case Proxy():
            if action.upstream not in upstreams:
                known = ", ".join(sorted(upstreams)) or "none is given"
                raise ValueError(
                    f"site {site.name}, route {route.path}: no upstream {action.upstream!r}; allowed: {known}"
                )
            yield from _proxy(action, upstreams[action.upstream])
        case Static(fallback=None):
            yield line("alias", action.folder)
        case Static():
            yield line("root", action.folder)
            yield line("open_file_cache", "max=1000", "inactive=20s")
            yield line("open_file_cache_valid", "5s")
            yield line("try_files", "$uri", f"/{action.fallback}")
        case Redirect():
            yield line("return", action.status, action.to)
        case Answer():
            yield line("default_type", "text/plain")
            yield line("return", action.status, action.text)
        case _:
            assert_never(action)


def _proxy(action: Proxy, upstream: UpstreamSpec) -> Iterator[Directive]:
    yield line("proxy_pass", f"http://{upstream.name}{action.path or ''}")
    yield line("proxy_connect_timeout", _seconds(upstream.connect_timeout))
    yield line("proxy_read_timeout", _seconds(action.timeout))
    yield line("proxy_send_timeout", _seconds(action.timeout))
    # What a client says about itself is not believed: the edge is the first of ours that it meets.
    yield line("proxy_set_header", "Host", "$host")
    yield line("proxy_set_header", "X-Real-IP", "$remote_addr")
    yield line("proxy_set_header", "X-Forwarded-For", "$remote_addr")
    yield line("proxy_set_header", "X-Forwarded-Proto", "$scheme")
    yield line("proxy_set_header", "X-Request-ID", "$request_id")
    if action.websocket:
        yield line("proxy_set_header", "Upgrade", "$http_upgrade")
        yield line("proxy_set_header", "Connection", "$edge_connection")
    else:
        yield line("proxy_set_header", "Connection", "")
    if not action.buffering:
        yield line("proxy_buffering", "off")
    if not action.request_buffering:
        yield line("proxy_request_buffering", "off")


def _zone(site: Site, number: int) -> str:
    return f"{site.name}-{number}"


def _seconds(duration: Duration) -> str:
    return f"{int(duration.seconds * 1000)}ms"
