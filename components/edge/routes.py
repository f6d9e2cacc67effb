"""What the edge does with a request, by its path."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.edge.words import ByteSize, PlainText, UrlPath
from components.spec import Spec, default_tag
from components.units import AbsolutePath, DnsName, Duration, FileName


class Proxy(Spec):
    """Ask a replica of a service."""

    kind: Literal["proxy"] = "proxy"
    upstream: DnsName
    path: UrlPath | None = None
    """What the route's path becomes; unset: it stays as it is."""
    websocket: bool = False
    """Let a client change to the WebSocket protocol."""
    timeout: Duration = Duration("60s")
    """The longest silence of the service, and of a WebSocket in either direction."""
    buffering: bool = True
    """False: every byte of an answer goes on at once, as server-sent events need."""
    request_buffering: bool = True
    """False: a body goes on as it comes. The edge keeps others whole, in at most half of its memory."""


class Static(Spec):
    """Files of a folder in the edge's container."""

    kind: Literal["static"]
    folder: Annotated[AbsolutePath, Field(pattern=r"^/[A-Za-z0-9._/-]*/$")]
    """Ends with a slash, as the route's path does."""
    fallback: FileName | None = None
    """The file for every path that has none: the page of a single-page application. Only at `/`."""


class Redirect(Spec):
    """Send the client elsewhere."""

    kind: Literal["redirect"]
    to: Annotated[str, Field(pattern=r"^(https?://[A-Za-z0-9.:-]+)?/[A-Za-z0-9._~@:+,=/-]*$")]
    status: Literal[301, 302, 307, 308] = 302


class Answer(Spec):
    """A fixed answer."""

    kind: Literal["answer"]
    status: Annotated[int, Field(ge=200, le=599)]
    text: PlainText = ""


Action = Annotated[
    Proxy | Static | Redirect | Answer, Field(discriminator="kind"), default_tag("kind", "proxy")
]


class RateLimit(Spec):
    """How much one client address may ask; what is over it gets 429."""

    per_second: Annotated[int, Field(ge=1, le=100_000)]
    burst: Annotated[int, Field(ge=0, le=100_000)] = 20
    """So many more at once."""


class Route(Spec):
    """One path and what becomes of it. The longest path that fits a request is taken."""

    path: UrlPath
    to: Action
    exact: bool = False
    """Only this path, not what is below it."""
    immutable: bool = False
    """Answers never change under their name: kept for a year by browsers and caches."""
    rate: RateLimit | None = None
    max_body: ByteSize | None = None
    """Unset: the site's."""

    @model_validator(mode="after")
    def _fits(self) -> Route:
        if isinstance(self.to, Static):
            if not self.path.endswith("/") or self.exact:
                raise ValueError(f"{self.path}: static files lie below a path; allowed: one that ends with /")
            if self.to.fallback and self.path != "/":
                raise ValueError(f"{self.path}: a fallback is for all other paths; allowed: at the path /")
        if (
            isinstance(self.to, Proxy)
            and self.to.path
            and self.path.endswith("/") != self.to.path.endswith("/")
        ):
            raise ValueError(f"{self.path}: becomes {self.to.path}; allowed: both end with /, or none does")
        return self
