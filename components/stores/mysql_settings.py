"""What a MySQL server is told, and whether it fits into its container."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import Field, model_validator

from components.containers.container import Limits
from components.spec import Spec
from components.stores.sizes import Size, mebibytes
from components.stores.store import InitScript, StoreSpec
from components.units import Cpus, Duration, Memory

_MIB = 1024**2

S = TypeVar("S", bound=StoreSpec)

Account = Annotated[
    str,
    Field(
        pattern=r"^(?!root$|replicator$)[A-Za-z_][A-Za-z0-9_]{0,31}$", description="a user other than root"
    ),
]


class MysqlTuning(Spec):
    """The settings of my.cnf that depend on the machine; the defaults fit into 1 GiB."""

    buffer_pool: Size = Size("256MiB")
    max_connections: Annotated[int, Field(ge=10, le=10000)] = 100
    max_packet: Size = Size("64MiB")
    """The largest row or statement."""
    idle: Duration = Duration("8h")
    """A connection that says nothing for longer is closed."""
    binlog: Duration = Duration("72h")
    """How long changes are kept: for a replica that is away, and to restore to a moment."""

    @property
    def bytes(self) -> int:
        """The pool and its tenth of overhead, 1.5 MiB for each connection, 384 MiB for MySQL 8 at rest."""
        return self.buffer_pool.bytes * 11 // 10 + self.max_connections * 3 * _MIB // 2 + 384 * _MIB


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
        return check_memory(self, self.tuning)


class MysqlReplicaSpec(StoreSpec):
    """A server that follows another one and answers reading queries."""

    server_id: Annotated[int, Field(ge=2, le=4294967295)] = 2
    """Different for every replica of one primary."""
    tuning: MysqlTuning = MysqlTuning()
    limits: Limits = Limits(cpus=Cpus("1"), memory=Memory("1GiB"))

    @model_validator(mode="after")
    def _fits(self) -> MysqlReplicaSpec:
        return check_memory(self, self.tuning)


def check_memory(spec: S, tuning: MysqlTuning) -> S:
    """The spec itself; raises ValueError when the container is too small for its settings."""
    limit = spec.limits.memory
    if tuning.bytes > limit.bytes:
        raise ValueError(
            f"tuning: buffer_pool {tuning.buffer_pool} and max_connections {tuning.max_connections} need "
            f"{mebibytes(tuning.bytes)}; allowed: limits.memory, which is {limit}"
        )
    return spec
