"""From sites to the text of nginx.conf. Pure: the same sites give the same text.

Names are relative: the edge keeps each generation of its files in a folder of its own. What changes with
the replicas is not in it: the edge writes `upstreams/NAME.conf` itself, with addresses (watch.sh).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Final

from components.containers.handover import UpstreamSpec
from components.edge.directives import Directive, block, line, text_of
from components.edge.locations import added, hidden, location, zone
from components.edge.routes import Proxy
from components.edge.sites import HEALTH_PORT, HSTS, UNDELIVERED, EdgeSpec, Site, Tls
from components.units import Duration

RUN: Final = "/tmp/edge"  # noqa: S108  (a path inside the container)

_LOG: Final = (
    '{"time":"$time_iso8601","client":"$remote_addr","host":"$host","method":"$request_method",'
    '"uri":"$request_uri","status":$status,"bytes":$body_bytes_sent,"seconds":$request_time,'
    '"upstream":"$upstream_addr","upstream_status":"$upstream_status",'
    '"upstream_seconds":"$upstream_response_time","agent":"$http_user_agent","id":"$request_id"}'
)
_COMPRESSED: Final = (
    *("text/css", "text/plain", "text/javascript", "application/javascript", "application/json"),
    *("application/xml", "image/svg+xml"),
)
# Forward secrecy and authenticated encryption: what Mozilla calls "intermediate".
_CIPHERS: Final = ":".join(
    f"{exchange}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for exchange in ("ECDHE-ECDSA", "ECDHE-RSA")
)
_KEPT: Final = Decimal(5)
"""Seconds; watch.sh keeps a replica that was taken out for longer."""
_BALANCE: Final = {"least-conn": "least_conn", "ip-hash": "ip_hash"}


def nginx_conf(spec: EdgeSpec, upstreams: Sequence[UpstreamSpec]) -> str:
    """The configuration. Raises ValueError for a route to an upstream that is not among `upstreams`."""
    known = {upstream.name: upstream for upstream in upstreams}
    return text_of(
        [
            line("worker_processes", spec.workers or "auto"),
            line("worker_shutdown_timeout", _time(spec.longest)),
            line("worker_rlimit_nofile", 8192),
            line("pid", f"{RUN}/nginx.pid"),
            line("error_log", "stderr", "warn"),
            block("events", body=[line("worker_connections", 4096)]),
            block("http", body=_http(spec, known)),
        ]
    )


def _http(spec: EdgeSpec, upstreams: dict[str, UpstreamSpec]) -> Iterator[Directive]:
    yield line("include", "/etc/nginx/mime.types")
    yield line("default_type", "application/octet-stream")
    yield line("log_format", "json", "escape=json", _LOG)
    yield line("access_log", "/dev/stdout", "json")
    for folder in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        yield line(f"{folder}_temp_path", f"{RUN}/{folder}")
    yield from (
        line("server_tokens", "off"),
        # For the longest HostName.
        line("server_names_hash_bucket_size", 512),
        line("server_names_hash_max_size", 4096),
        line("sendfile", "on"),
        line("tcp_nopush", "on"),
        line("keepalive_timeout", "65s"),
        # watch.sh leaves it out for an nginx before 1.27.4.
        line("keepalive_min_timeout", _time(_kept(upstreams.values()))),
        line("gzip", "on"),
        line("gzip_vary", "on"),
        line("gzip_min_length", 1024),
        line("gzip_proxied", "any"),
        line("gzip_types", *_COMPRESSED),
        line("proxy_http_version", "1.1"),
        # For the longest HeaderName.
        line("proxy_headers_hash_bucket_size", 128),
        line("proxy_headers_hash_max_size", 1024),
        line("proxy_next_upstream", "error", "timeout"),
        # Another replica is asked soon or not at all: a request that was answered slowly is not asked again.
        line("proxy_next_upstream_timeout", "10s"),
        line("ssl_protocols", "TLSv1.2", "TLSv1.3"),
        line("ssl_ciphers", _CIPHERS),
        line("ssl_session_cache", "shared:tls:10m"),
        line("ssl_session_timeout", "1h"),
        line("ssl_session_tickets", "off"),
        line("limit_req_status", 429),
        # One client too fast is no error of ours.
        line("limit_req_log_level", "warn"),
        # Without an upgrade the connection to a replica is kept: an empty header is not sent.
        block("map", "$http_upgrade", "$edge_connection", body=[line("default", "upgrade"), line("''", "")]),
    )
    for upstream in upstreams.values():
        yield _upstream(upstream)
    for site in spec.sites:
        yield from (zone(site, number, route) for number, route in enumerate(site.routes) if route.rate)
    yield block(
        "server",
        body=[
            line("listen", f"127.0.0.1:{HEALTH_PORT}"),
            line("access_log", "off"),
            block("location", "=", "/health", body=[line("return", 200, "ok")]),
        ],
    )
    for site in spec.sites:
        if site.tls and site.tls.hsts:
            age = f"max-age={site.tls.hsts.whole_seconds}"
            # A header without a value is not sent.
            names = [line("hostnames"), line("default", age), line(".localhost", "")]
            yield block("map", "$host", _insisting(site), body=names)
    if any(site.tells_undelivered for site in spec.sites):
        # Seconds, or a dash for each replica that no connection came about with.
        none = line("~^[^0-9]+$", "yes")
        yield block("map", "$upstream_connect_time", "$edge_undelivered", body=[line("default", ""), none])
    for site in spec.sites:
        yield _server(site, upstreams)
    for port in sorted({site.port for site in spec.sites}):
        yield from _refused(port, [site for site in spec.sites if site.port == port])
    plain = {site.tls.redirect_from for site in spec.sites if site.tls}
    for port in sorted(port for port in plain if port):
        yield from _redirects(spec, port)


def _kept(upstreams: Iterable[UpstreamSpec]) -> Duration:
    """How long a process that was told to leave still answers a client's idle connection.

    It knows the old replicas alone: they must be there for longer than that.
    """
    seconds = min([_KEPT, *(upstream.drain.seconds / 2 for upstream in upstreams)])
    return Duration(f"{int(seconds * 1000)}ms")


def _upstream(upstream: UpstreamSpec) -> Directive:
    balance = _BALANCE.get(upstream.balance)
    return block(
        "upstream",
        upstream.name,
        body=[
            line("zone", upstream.name, "128k"),
            line(balance) if balance else None,
            line("include", f"upstreams/{upstream.name}.conf"),
            line("keepalive", upstream.keepalive) if upstream.keepalive else None,
            line("keepalive_timeout", _time(upstream.idle)) if upstream.keepalive else None,
        ],
    )


def _server(site: Site, upstreams: dict[str, UpstreamSpec]) -> Directive:
    headers = {header.name: header.value for header in site.headers}
    if site.tls and site.tls.hsts:
        headers[HSTS] = _insisting(site)
    if site.tells_undelivered:
        headers[UNDELIVERED] = "$edge_undelivered"
    flags = [*(["ssl", "http2"] if site.tls else []), *([] if site.hosts else ["default_server"])]
    return block(
        "server",
        body=[
            line("listen", site.port, *flags),
            line("server_name", *(site.hosts or ("_",))),
            *_certificate(site.tls),
            *added(headers),
            *(hidden(headers) if any(isinstance(route.to, Proxy) for route in site.routes) else ()),
            line("client_max_body_size", site.max_body),
            *(location(site, number, route, headers, upstreams) for number, route in enumerate(site.routes)),
        ],
    )


def _certificate(tls: Tls | None) -> Iterator[Directive]:
    if tls:
        for directive in ("ssl_certificate", "ssl_certificate_key"):
            yield line(directive, f"tls/{tls.certificate}.pem")


def _insisting(site: Site) -> str:
    """The variable with the site's HSTS for the name that was asked for."""
    return f"$edge_hsts_{site.name.replace('-', '_')}"


def _refused(port: int, sites: Sequence[Site]) -> Iterator[Directive]:
    """What becomes of names that no site on this port has: another's page may have sent a browser here."""
    if not all(site.hosts for site in sites):
        return
    secure = [site for site in sites if site.tls]
    # Who comes by address names nobody in the handshake, and is known only after it.
    by_address = next((site.tls for site in secure if any(map(_is_address, site.hosts))), None)
    yield block(
        "server",
        body=[
            line("listen", port, *(["ssl", "http2"] if secure else []), "default_server"),
            line("server_name", "_"),
            *_certificate(by_address),
            line("ssl_reject_handshake", "on") if secure and not by_address else None,
            # 421: a browser that came over the connection of another name asks again over its own.
            block("location", "/", body=[line("return", 421 if secure else 444)]),
        ],
    )


def _is_address(host: str) -> bool:
    try:
        return bool(IPv4Address(host))
    except ValueError:
        return False


def _redirects(spec: EdgeSpec, port: int) -> Iterator[Directive]:
    """From plain HTTP to HTTPS, and never to a name that is not ours: the client's word alone names it."""
    here = [(site, site.tls) for site in spec.sites if site.tls and site.tls.redirect_from == port]
    for site, tls in here:
        flags = [] if site.hosts else ["default_server"]
        yield _redirect(spec, [port, *flags], site.hosts or ("_",), _https("$host", tls))
    if all(site.hosts for site, _ in here):
        first = next(
            ((host, tls) for site, tls in here for host in site.hosts if not host.startswith("*")), None
        )
        yield _redirect(spec, [port, "default_server"], ("_",), _https(*first) if first else None)


def _https(host: str, tls: Tls) -> str:
    return f"https://{host}{'' if tls.public_port == 443 else f':{tls.public_port}'}$request_uri"


def _redirect(spec: EdgeSpec, listen: Sequence[object], names: Sequence[str], to: str | None) -> Directive:
    body = [line("listen", *listen), line("server_name", *names)]
    if spec.acme:
        challenge = [line("root", spec.acme), line("default_type", "text/plain")]
        body.append(block("location", "^~", "/.well-known/acme-challenge/", body=challenge))
    body.append(block("location", "/", body=[line("return", 301, to) if to else line("return", 444)]))
    return block("server", body=body)


def _time(duration: Duration) -> str:
    return f"{int(duration.seconds * 1000)}ms"
