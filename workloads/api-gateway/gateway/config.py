"""services.yaml: what the gateway forwards, to where, within which limits."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

SEGMENT = re.compile(r"[A-Za-z0-9._~-]+|\{[a-z][a-z0-9_]*\}")
OWN_PATHS = frozenset({"/health"})


class ConfigError(Exception):
    """services.yaml cannot be used; the text says where and why."""


class Strict(BaseModel):
    """Frozen, and nothing unknown: a misspelt key must not be ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def segments(template: str) -> tuple[str, ...]:
    """`/a/{id}` as `("a", "{id}")`; ValueError for anything that is not a plain absolute path."""
    if not template.startswith("/"):
        raise ValueError(f"{template!r} must start with '/'")
    parts = tuple(template[1:].split("/")) if template != "/" else ()
    for part in parts:
        if not SEGMENT.fullmatch(part) or part in {".", ".."}:
            raise ValueError(f"{template!r}: segment {part!r} must be plain text or one {{name}}")
    return parts


def placeholders(template: str) -> list[str]:
    """The names in braces, in order."""
    return [part[1:-1] for part in segments(template) if part.startswith("{")]


class Route(Strict):
    """One method and path, and the path that it becomes at the service."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    path: str
    target: str

    @model_validator(mode="after")
    def _placeholders_match(self) -> Self:
        given = placeholders(self.path)
        if len(set(given)) != len(given):
            raise ValueError(f"path {self.path!r} names a placeholder twice")
        if unknown := set(placeholders(self.target)) - set(given):
            raise ValueError(f"target {self.target!r} uses {sorted(unknown)}, which path {self.path!r} lacks")
        if self.path in OWN_PATHS:
            raise ValueError(f"path {self.path!r} belongs to the gateway itself")
        return self

    @property
    def shape(self) -> tuple[str, ...]:
        """The path with every placeholder alike: two routes of one shape would claim the same requests."""
        return tuple("{}" if part.startswith("{") else part for part in segments(self.path))


class Service(Strict):
    """One backend."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    base_url: str
    timeout: Annotated[float, Field(gt=0, le=3600)] = 30.0
    max_body: Annotated[int, Field(ge=0, le=16 * 2**30)] = 10 * 2**20
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _plain_base_url(self) -> Self:
        url = urlsplit(self.base_url)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError(f"base_url {self.base_url!r} must be http://host[:port][/prefix] or https://...")
        if url.query or url.fragment or url.username is not None or url.password is not None:
            raise ValueError(f"base_url of {self.name} must have no user, query or fragment")
        _ = url.port  # raises ValueError when out of range
        if url.path not in {"", "/"}:
            segments(url.path.rstrip("/"))
        return self

    @property
    def root(self) -> str:
        """base_url without a trailing slash, to be followed by a target."""
        return self.base_url.rstrip("/")


class Config(Strict):
    """The whole file."""

    services: Annotated[tuple[Service, ...], Field(min_length=1)]
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        names: set[str] = set()
        claimed: dict[tuple[str, tuple[str, ...]], str] = {}
        for service in self.services:
            if service.name in names:
                raise ValueError(f"two services are named {service.name}")
            names.add(service.name)
            for route in service.routes:
                key = (route.method, route.shape)
                if key in claimed:
                    raise ValueError(
                        f"{route.method} {route.path} is claimed by {claimed[key]} and {service.name}"
                    )
                claimed[key] = service.name
        return self


def parse(text: bytes) -> Config:
    """The validated file. Raises ConfigError with every fault and its place."""
    try:
        content = yaml.safe_load(text)
    except Exception as error:  # not YAMLError alone: also what int, date and the stack say of a value
        raise ConfigError(f"not YAML: {error or type(error).__name__}") from error
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, fault['loc'])) or '(file)'}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        )
        raise ConfigError("; ".join(faults)) from error


def read(path: Path) -> bytes:
    """The file's bytes. Raises ConfigError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
