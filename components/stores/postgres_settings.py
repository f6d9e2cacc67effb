"""What a PostgreSQL server is told."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from components.containers.container import Limits
from components.stores.store import InitScript, StoreSpec
from components.stores.tuning import PostgresTuning
from components.units import Cpus, Memory

Role = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="a database identifier")]


class PostgresSpec(StoreSpec):
    """One PostgreSQL server with one database and its owner."""

    user: Role
    """The superuser that owns the database; scripts, backups and the health check log in as it."""
    database: Role
    tuning: PostgresTuning = PostgresTuning()
    init: tuple[InitScript, ...] = ()
    limits: Limits = Limits(cpus=Cpus("1"), memory=Memory("512MiB"), shared_memory=Memory("128MiB"))

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
