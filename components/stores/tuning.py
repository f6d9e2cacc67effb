"""What servers are told about the machine, and what they need of it. Free of pulumi, as settings are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.spec import Spec
from components.stores.sizes import Size, mebibytes
from components.units import Duration, Memory

_MIB = 1024**2

Eviction = Literal[
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
]


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

    def check(self, limit: Memory) -> None:
        """Raises ValueError when a container of this size is too small."""
        if self.bytes > limit.bytes:
            raise ValueError(
                f"tuning: shared_buffers {self.shared_buffers}, maintenance_work_mem "
                f"{self.maintenance_work_mem} and max_connections {self.max_connections} with work_mem "
                f"{self.work_mem} need {mebibytes(self.bytes)}; allowed: limits.memory, which is {limit}"
            )


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

    def check(self, limit: Memory) -> None:
        """Raises ValueError when a container of this size is too small."""
        if self.bytes > limit.bytes:
            raise ValueError(
                f"tuning: buffer_pool {self.buffer_pool} and max_connections {self.max_connections} need "
                f"{mebibytes(self.bytes)}; allowed: limits.memory, which is {limit}"
            )


class RedisTuning(Spec):
    """The settings of redis.conf that depend on the machine; the defaults fit into 256 MiB."""

    maxmemory: Size = Size("128MiB")
    eviction: Eviction = "noeviction"
    """What goes when it is full; `noeviction` refuses writes, as a queue needs it."""
    append_only: bool = True
    """Every write is on disk within a second."""
    databases: Annotated[int, Field(ge=1, le=1024)] = 16
    max_clients: Annotated[int, Field(ge=10, le=65000)] = 1000

    @property
    def needed(self) -> int:
        """Bytes: the data, what clients and the server take, and pages copied while a fork writes.

        Redis' documentation names twice the data as the worst case of a rewrite; half of them is a load with
        many writes. 20 KiB per client are its buffers, 16 MiB the server itself.
        """
        copied = self.maxmemory.bytes // 2 if self.append_only else 0
        return self.maxmemory.bytes + copied + 16 * 1024**2 + self.max_clients * 20 * 1024

    def check(self, limit: Memory) -> None:
        """Raises ValueError when a container of this size is too small."""
        if self.needed > limit.bytes:
            rewrite = " with append_only" if self.append_only else ""
            raise ValueError(
                f"maxmemory {self.maxmemory}{rewrite} and max_clients {self.max_clients} need "
                f"{mebibytes(self.needed)}; allowed: limits.memory, which is {limit}"
            )
