"""What a MySQL server is told."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from components.containers.container import Limits
from components.stores.store import InitScript, StoreSpec
from components.stores.tuning import MysqlTuning
from components.units import Cpus, Memory


def _not_taken(name: str) -> str:
    if name in ("root", "replicator"):
        raise ValueError("allowed: a user other than root and replicator, whom the server has already")
    return name


Account = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,31}$", description="a user"), AfterValidator(_not_taken)
]


class MysqlSpec(StoreSpec):
    """One MySQL server with one database and its user; every connection over the network needs TLS."""

    user: Account
    """May do everything in the database, and nothing beside it."""
    database: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
    tuning: MysqlTuning = MysqlTuning()
    init: tuple[InitScript, ...] = ()
    limits: Limits = Limits(cpus=Cpus("1"), memory=Memory("1GiB"))

    @model_validator(mode="after")
    def _fits(self) -> MysqlSpec:
        self.tuning.check(self.limits.memory)
        return self


class MysqlReplicaSpec(StoreSpec):
    """A server that follows another one and answers reading queries."""

    server_id: Annotated[int, Field(ge=2, le=4294967295)] = 2
    """Different for every replica of one primary."""
    tuning: MysqlTuning = MysqlTuning()
    limits: Limits = Limits(cpus=Cpus("1"), memory=Memory("1GiB"))

    @model_validator(mode="after")
    def _fits(self) -> MysqlReplicaSpec:
        self.tuning.check(self.limits.memory)
        return self
