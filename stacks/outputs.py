"""What a stack exports, as types; the verbs read nothing else of a stack. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class ServiceOutputs:
    """One service: its containers' names on the host, and where other containers find it (if it listens)."""

    containers: list[str]
    alias: str
    port: int | None


@dataclass(frozen=True, kw_only=True)
class StoreOutputs:
    """What a service keeps: the kind of its server, its database, and who owns that."""

    kind: str
    database: str
    user: str


@dataclass(frozen=True, kw_only=True)
class SystemOutputs:
    """One system on the host. `volumes`: with data that outlives it. `url`: where it has a public door.
    `authority`: the certificates (PEM) to check that door's with, besides those that the world trusts.
    `untrusted`: nobody can check it, as with one of a staging server.

    `stores`: those of the services that keep a database. `repository`: the service that keeps the backups.
    `watch`: the service that looks at the system's health from inside.

    `checks`: the paths below `url` that answer a GET with 2xx once the system serves; some pass through to
    the services behind the door, so that an open door with nothing behind it shows.
    """

    services: dict[str, ServiceOutputs]
    networks: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    url: str | None = None
    authority: str | None = None
    untrusted: bool = False
    checks: list[str] = field(default_factory=list)
    stores: dict[str, StoreOutputs] = field(default_factory=dict)
    repository: str | None = None
    watch: str | None = None

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        services = {name: ServiceOutputs(**service) for name, service in raw["services"].items()}
        stores = {name: StoreOutputs(**store) for name, store in raw.get("stores", {}).items()}
        return cls(**{**raw, "services": services, "stores": stores})


@dataclass(frozen=True, kw_only=True)
class StackOutputs:
    """All that a stack exports: `systems` by name."""

    systems: dict[str, SystemOutputs]

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Self:
        """From `pulumi stack output --json`. Raises KeyError or TypeError when it has another shape."""
        return cls(systems={name: SystemOutputs.parse(system) for name, system in raw["systems"].items()})

    def plain(self) -> dict[str, Any]:
        """As `parse` takes it."""
        return asdict(self)

    @property
    def urls(self) -> dict[str, str]:
        """The address of each system that has one."""
        return {name: system.url for name, system in self.systems.items() if system.url}
