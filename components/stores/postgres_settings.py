"""What a PostgreSQL server is told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from components.containers.container import Limits
from components.stores.store import InitScript, StoreSpec
from components.stores.tuning import PostgresTuning
from components.units import Cpus, Memory

Role = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="a database identifier")]
_RESERVED = frozenset({"postgres", "replicator", "berth_split", "template0", "template1"})


class PostgresSpec(StoreSpec):
    """One PostgreSQL server with one database and its owner."""

    user: Role
    """A plain role that owns the database; clients, backups and the health check log in as it."""
    database: Role
    tuning: PostgresTuning = PostgresTuning()
    init: tuple[InitScript, ...] = ()
    """Run as the owner; after `SET ROLE NONE` as the superuser."""
    limits: Limits = Limits(cpus=Cpus("1"), memory=Memory("512MiB"), shared_memory=Memory("128MiB"))

    @model_validator(mode="after")
    def _names_are_free(self) -> PostgresSpec:
        for name in (self.user, self.database):
            if name in _RESERVED or name.startswith("pg_"):
                raise ValueError(f"{name} is the server's own name; allowed: another one")
        return self

    @model_validator(mode="after")
    def _fits(self) -> PostgresSpec:
        self.tuning.check(self.limits.memory)
        return self


class PostgresReplicaSpec(StoreSpec):
    """A server that follows another one and answers reading queries."""

    tuning: PostgresTuning = PostgresTuning()
    """max_connections must not be less than the primary's."""
    limits: Limits = Limits(cpus=Cpus("1"), memory=Memory("512MiB"), shared_memory=Memory("128MiB"))

    @model_validator(mode="after")
    def _fits(self) -> PostgresReplicaSpec:
        self.tuning.check(self.limits.memory)
        return self
