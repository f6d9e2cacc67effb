"""From a request's method and raw path to a service and the path there. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from .config import Config, Route, Service, placeholders, segments

PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\]")


class BadPathError(Exception):
    """The path cannot be forwarded safely."""


class NoRouteError(Exception):
    """No service claims the path."""


class WrongMethodError(Exception):
    """The path is known, but not with this method; `allowed` lists those that are."""

    def __init__(self, allowed: list[str]) -> None:
        super().__init__(", ".join(allowed))
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Match:
    """Where a request goes."""

    service: Service
    route: Route
    path: str  # percent-encoded, below service.root


def parameter(raw: str) -> str:
    """One raw path segment decoded once. Raises BadPathError when it could mean another path behind."""
    if PERCENT.search(raw):
        raise BadPathError(f"broken percent encoding in {raw!r}")
    try:
        value = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise BadPathError(f"{raw!r} is not UTF-8") from None
    if not value or value in {".", ".."} or UNSAFE.search(value):
        raise BadPathError(f"{raw!r} is not a plain path segment")
    return value


def fill(template: str, values: dict[str, str]) -> str:
    """The template with its placeholders replaced, each by exactly one encoded segment."""
    parts = (
        quote(values[part[1:-1]], safe="") if part.startswith("{") else part for part in segments(template)
    )
    return "/" + "/".join(parts)


def capture(template: tuple[str, ...], raw: list[str]) -> dict[str, str] | None:
    """The raw values of the placeholders, or None when the path is another one."""
    if len(template) != len(raw):
        return None
    values = {}
    for want, have in zip(template, raw, strict=True):
        if want.startswith("{"):
            values[want[1:-1]] = have
        elif want != have:
            return None
    return values


class Table:
    """All routes of one configuration."""

    def __init__(self, config: Config) -> None:
        self.config = config
        entries = [
            (segments(route.path), service, route) for service in config.services for route in service.routes
        ]
        # A literal segment wins over a placeholder, whatever the order in the file.
        self._entries = sorted(entries, key=lambda entry: [part.startswith("{") for part in entry[0]])

    def __len__(self) -> int:
        return len(self._entries)

    def match(self, method: str, path: str) -> Match:
        """Raises NoRouteError, WrongMethodError or BadPathError."""
        if not path.startswith("/"):
            raise BadPathError("the request target must be an absolute path")
        raw = path[1:].split("/") if path != "/" else []
        allowed: list[str] = []
        for template, service, route in self._entries:
            captured = capture(template, raw)
            if captured is None:
                continue
            if method == route.method or (method == "HEAD" and route.method == "GET"):
                values = {name: parameter(value) for name, value in captured.items()}
                return Match(service, route, fill(route.target, values))
            allowed.append(route.method)
        if allowed:
            raise WrongMethodError(sorted({*allowed, "HEAD"} if "GET" in allowed else set(allowed)))
        raise NoRouteError(path)

    def outward(self, service: Service, location: str) -> str:
        """A Location that a service gave, as the gateway's clients reach it; others come back unchanged."""
        path, mark, query = location.removeprefix(service.root).partition("?")
        raw = path[1:].split("/")
        for route in service.routes:
            captured = capture(segments(route.target), raw) if path.startswith("/") else None
            if captured is not None and captured.keys() == set(placeholders(route.path)):
                parts = (captured[p[1:-1]] if p.startswith("{") else p for p in segments(route.path))
                return "/" + "/".join(parts) + mark + query
        return location
