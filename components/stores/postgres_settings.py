"""What a PostgreSQL server is told, and whether it fits into its container."""

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

Role = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="a database identifier")]


class PostgresTuning(Spec):
    """The settings of postgresql.conf that depend on the machine; the defaults fit into 512 MiB."""

    shared_buffers: Size = Size("128MiB")
    work_mem: Size = Size("4MiB")
    """For one sort or hash of one query; many may run at the same time."""
    maintenance_work_mem: Size = Size("64MiB")
    effective_cache_size: Size = Size("384MiB")
    """What the planner believes the host caches; nothing is reserved."""
    max_connections: Annotated[int, Field(ge=10, le=5000)] = 100
    max_wal_size: Size = Size("1GiB")
    """Between two checkpoints; counts against the disk."""
    kept_wal: Size = Size("1GiB")
    """For a replica that is away; one that needs more has to be made anew; the disk does not run full."""
    random_page_cost: Annotated[float, Field(ge=1, le=10)] = 1.1
    """1.1 is for solid-state disks, 4 for turning ones."""
    log_slower_than: Duration | None = Duration("1s")
    """Statements that take longer are logged; None: none."""
    idle_in_transaction: Duration = Duration("10m")
    """A session that holds a transaction open for longer is ended; 0s: never."""

    @property
    def bytes(self) -> int:
        """What the server takes when a quarter of all sessions sort at once.

        A session itself takes 2 MiB; PostgreSQL's wiki on tuning has both numbers as rules of thumb.
        """
        sessions = self.max_connections * (2 * _MIB + self.work_mem.bytes // 4)
        return self.shared_buffers.bytes + self.maintenance_work_mem.bytes + sessions


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
        return check_memory(self, self.tuning)


class PostgresReplicaSpec(StoreSpec):
    """A server that follows another one and answers reading queries."""

    tuning: PostgresTuning = PostgresTuning()
    """max_connections must not be less than the primary's."""
    limits: Limits = Limits(cpus=Cpus("1"), memory=Memory("512MiB"), shared_memory=Memory("128MiB"))

    @model_validator(mode="after")
    def _fits(self) -> PostgresReplicaSpec:
        return check_memory(self, self.tuning)


def check_memory(spec: S, tuning: PostgresTuning) -> S:
    """The spec itself; raises ValueError when the container is too small for its settings."""
    limit = spec.limits.memory
    if tuning.bytes > limit.bytes:
        raise ValueError(
            f"tuning: shared_buffers {tuning.shared_buffers}, "
            f"maintenance_work_mem {tuning.maintenance_work_mem} and "
            f"max_connections {tuning.max_connections} with work_mem {tuning.work_mem} need "
            f"{mebibytes(tuning.bytes)}; allowed: limits.memory, which is {limit}"
        )
    return spec
