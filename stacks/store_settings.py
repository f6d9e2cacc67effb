"""What a stack file may say of a store, in whichever system it is."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import ValidationInfo, field_validator

from components.stores.sizes import Size
from components.stores.tuning import Eviction, MysqlTuning, PostgresTuning, RedisTuning
from components.units import Cpus, Like, Memory
from stacks.system import ServiceSettings, Sized

DatabaseName = Annotated[
    str, Like(r"[A-Za-z_][A-Za-z0-9_]{0,63}", "letters, digits and `_`, like audio_editor")
]
UserName = Annotated[
    str, Like(r"[A-Za-z_][A-Za-z0-9_]{0,31}", "letters, digits and `_`, at most 32, like editor")
]

_Tuning = TypeVar("_Tuning", PostgresTuning, MysqlTuning)


class Database(ServiceSettings):
    """A server that must fit its memory."""

    cpus: Cpus = Cpus("1")
    memory: Memory = Memory("1GiB")
    tuning: PostgresTuning | MysqlTuning

    @field_validator("tuning")
    @classmethod
    def _fits(cls, tuning: _Tuning, info: ValidationInfo) -> _Tuning:
        if "memory" in info.data:
            tuning.check(info.data["memory"])
        return tuning


class PostgresService(Database):
    """PostgreSQL 15; TLS required."""

    tuning: PostgresTuning = PostgresTuning(
        shared_buffers=Size("256MiB"),
        work_mem=Size("4MiB"),
        maintenance_work_mem=Size("64MiB"),
        effective_cache_size=Size("1GiB"),
        max_connections=200,
    )


class Replica(Sized):
    """A second server that follows the first."""

    cpus: Cpus = Cpus("1")
    memory: Memory = Memory("1GiB")


class MysqlService(Database):
    """MySQL 8.0; TLS required."""

    database: DatabaseName
    user: UserName
    tuning: MysqlTuning = MysqlTuning()
    replica: Replica | None = None

    @field_validator("user")
    @classmethod
    def _is_not_the_servers(cls, user: str) -> str:
        if user in ("root", "replicator"):
            raise ValueError("it is the server's own; allowed: another name")
        return user

    @field_validator("replica")
    @classmethod
    def _replica_fits(cls, replica: Replica | None, info: ValidationInfo) -> Replica | None:
        if replica and "tuning" in info.data:
            info.data["tuning"].check(replica.memory)
        return replica


class RedisService(ServiceSettings):
    """Redis 7."""

    maxmemory: Size = Size("128MiB")
    eviction: Eviction = "noeviction"
    """What goes when it is full; `noeviction` refuses writes instead, as a queue needs it."""
    memory: Memory = Memory("256MiB")

    def tuning(self) -> RedisTuning:
        """What the server is told."""
        return RedisTuning(maxmemory=self.maxmemory, eviction=self.eviction)

    @field_validator("maxmemory")
    @classmethod
    def _fits(cls, maxmemory: Size, info: ValidationInfo) -> Size:
        if "memory" in info.data:
            RedisTuning(maxmemory=maxmemory).check(info.data["memory"])
        return maxmemory
