"""What the edge listens to: sites with their names, certificates and routes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final

from pydantic import Field, model_validator

from components.base import Identity
from components.containers.container import Limits
from components.containers.service import PublishedPort
from components.edge.routes import Route
from components.edge.words import ByteSize, HeaderName, HostName, PlainText
from components.spec import Spec
from components.units import AbsolutePath, Address, DnsName, Duration, Port

HSTS: Final = "Strict-Transport-Security"
UNDELIVERED: Final = "Edge-Undelivered"
HEALTH_PORT: Final = 8099
"""On loopback, inside the edge's container."""


class Header(Spec):
    """A header of every answer, in the place of what a service says under this name."""

    name: HeaderName
    value: PlainText


CSP: Final = "Content-Security-Policy"
SECURITY: tuple[Header, ...] = (
    # A page's own files and its own origin alone; no script or style in the page itself, no frame around it.
    Header(
        name=CSP,
        value="default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'",
    ),
    Header(name="X-Content-Type-Options", value="nosniff"),
    Header(name="X-Frame-Options", value="DENY"),
    Header(name="Referrer-Policy", value="strict-origin-when-cross-origin"),
)


def changed(headers: Iterable[Header], changes: Mapping[str, str | None]) -> tuple[Header, ...]:
    """Headers with others in their place, by name in any case; None takes one away."""
    kept = {header.name.lower(): header for header in headers}
    for name, value in changes.items():
        kept.pop(name.lower(), None)
        if value is not None:
            kept[name.lower()] = Header(name=name, value=value)
    return tuple(kept.values())


class Tls(Spec):
    """TLS 1.2 and 1.3 with a certificate that comes beside the spec, as a PEM text: key, leaf, chain."""

    certificate: DnsName
    """Its name among the edge's `certificates`."""
    redirect_from: Port | None = None
    """A port where plain HTTP is told to come back with HTTPS; what ACME asks for is answered there."""
    public_port: Port = 443
    """The port that clients know, for that redirect."""
    hsts: Duration | None = Duration("8760h")
    """How long browsers insist on HTTPS; 0s makes them forget it. Never said of `localhost`: they would
    refuse every other plain server of a developer's machine as well."""


class Site(Spec):
    """A server. One with a port that is not published serves the containers of the network only."""

    name: DnsName
    port: Annotated[int, Field(ge=1, le=65535)]
    hosts: tuple[HostName, ...] = ()
    """Names and addresses; who asks for another is refused. Empty: all that no other site there has."""
    tls: Tls | None = None
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    headers: tuple[Header, ...] = SECURITY
    max_body: ByteSize = "1m"
    tells_undelivered: bool = False
    """Errors say `Edge-Undelivered: yes` when no service was reached: then even what is paid for may be asked
    again. For services that ask services."""

    @model_validator(mode="after")
    def _paths_are_unique(self) -> Site:
        paths = [(route.path, route.exact) for route in self.routes]
        twice = sorted({path for path, exact in paths if paths.count((path, exact)) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} given twice; allowed: each path once")
        return self

    @model_validator(mode="after")
    def _headers_are_unique(self) -> Site:
        names = [header.name.lower() for header in self.headers]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"headers: {', '.join(twice)} given twice; allowed: each once")
        if HSTS.lower() in names:
            raise ValueError(f"headers: {HSTS} is made of tls.hsts; allowed: any other")
        return self


class EdgeSpec(Spec):
    """One nginx in front of services."""

    identity: Identity
    alias: DnsName = "nginx"
    sites: Annotated[tuple[Site, ...], Field(min_length=1)]
    publish: tuple[PublishedPort, ...] = ()
    address: Address | None = None
    """A fixed address on the network."""
    acme: AbsolutePath | None = None
    """The folder in which an ACME client puts its answers."""
    limits: Limits = Limits()
    stop_grace: Duration = Duration("10s")
    """How long requests in flight may take when the edge itself is replaced; new ones are refused."""
    longest: Duration = Duration("1h")
    """How long a connection, such as a WebSocket, may outlast a change of the configuration."""
    workers: Annotated[int, Field(ge=1, le=64)] | None = None
    """nginx processes; unset: one for each of the host's processors."""

    @model_validator(mode="after")
    def _sites_stand_beside_each_other(self) -> EdgeSpec:
        names = [site.name for site in self.sites]
        listeners = [(site.port, host) for site in self.sites for host in site.hosts or ("",)]
        redirected = [
            (site.tls.redirect_from, host)
            for site in self.sites
            if site.tls and site.tls.redirect_from
            for host in site.hosts or ("",)
        ]
        redirects = {port for port, _ in redirected}
        ports = {site.port: site.tls is not None for site in self.sites}
        if len(names) != len(set(names)):
            raise ValueError("sites: a name is given twice; allowed: each once")
        if HEALTH_PORT in redirects | set(ports):
            raise ValueError(f"port {HEALTH_PORT}: the edge's health check has it; allowed: any other")
        for port, host in listeners:
            if listeners.count((port, host)) > 1:
                raise ValueError(
                    f"port {port}: {host or 'the site for every name'} is given twice; allowed: once"
                )
        for port, host in redirected:
            if redirected.count((port, host)) > 1:
                raise ValueError(
                    f"port {port}: plain HTTP for {host or 'every name'} is redirected twice; allowed: once"
                )
        for site in self.sites:
            if ports[site.port] != (site.tls is not None):
                raise ValueError(f"port {site.port}: some sites have TLS; allowed: all of a port, or none")
        if taken := sorted(redirects & set(ports)):
            raise ValueError(f"port {taken[0]}: both a site and a redirect; allowed: one of them")
        listened = redirects | set(ports)
        for published in self.publish:
            if published.container not in listened:
                allowed = ", ".join(map(str, sorted(listened)))
                raise ValueError(f"publish: nobody listens on {published.container}; allowed: {allowed}")
        return self
