"""The stores of a system, from their settings; each is a part of the assembly once it is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from components.containers.container import Limits
from components.containers.network import AnyNetwork
from components.containers.service import Dependency, Healthy
from components.containers.volume import VolumeSpec
from components.units import Address, Memory
from stacks.assembly import Assembly
from stacks.backup_settings import NightlyDump
from stacks.secrets import CertificateRequest, SecretRequest
from stacks.store_settings import MysqlService, PostgresService, RedisService

if TYPE_CHECKING:
    from components.containers.image import Image
    from components.stores.mysql import Mysql
    from components.stores.postgres import Postgres


def redis(
    system: Assembly,
    settings: RedisService,
    *,
    network: AnyNetwork,
    password: SecretRequest,
    data: VolumeSpec | None = None,
    address: Address | None = None,
    after: Sequence[Dependency] = (),
) -> Healthy:
    """Redis as `redis`."""
    from components.stores.redis import Redis, RedisSpec

    spec = RedisSpec(
        identity=system.identity("redis"),
        alias="redis",
        data=data or system.data("redis_data"),
        address=address,
        limits=Limits(cpus=settings.cpus, memory=settings.memory),
        **settings.tuning().model_dump(),
    )
    made = Redis(
        f"{system.name}-redis",
        spec,
        image=system.image("redis", settings.image),
        network=network,
        password=system.secret(password.name),
        after=after,
        opts=system.child(),
    )
    return Healthy(system.store("redis", made).service)


def postgres(
    system: Assembly,
    settings: PostgresService,
    *,
    network: AnyNetwork,
    database: str,
    password: SecretRequest,
    certificate: CertificateRequest,
    data: VolumeSpec | None = None,
    address: Address | None = None,
    after: Sequence[Dependency] = (),
    backup: NightlyDump | None = None,
    backups: VolumeSpec | None = None,
) -> Healthy:
    """PostgreSQL as `postgres`. database: also the name of its owner. backups: where dumps go, if any do."""
    from components.stores.postgres import Postgres
    from components.stores.postgres_settings import PostgresSpec

    spec = PostgresSpec(
        identity=system.identity("postgres"),
        alias="postgres",
        data=data or system.data("postgres_data"),
        address=address,
        limits=Limits(cpus=settings.cpus, memory=settings.memory, shared_memory=Memory("256MiB")),
        user=database,
        database=database,
        tuning=settings.tuning,
    )
    made = Postgres(
        f"{system.name}-postgres",
        spec,
        image=system.image("postgres", settings.image),
        network=network,
        password=system.secret(password.name),
        tls=system.tls(certificate.name),
        after=after,
        opts=system.child(),
    )
    if backup:
        _dump(
            system, backup, made, backups or system.data("backups"), system.image("postgres", settings.image)
        )
    return Healthy(system.store("postgres", made).service)


def _dump(system: Assembly, settings: NightlyDump, of: Postgres, backups: VolumeSpec, image: Image) -> None:
    """The nightly dump as `dump`."""
    from components.care.dump import Dump, DumpSpec

    spec = DumpSpec(identity=system.identity("dump"), alias="dump", **settings.model_dump())
    volume = system.volume("dump", "backups", backups)
    made = Dump(f"{system.name}-dump", spec, of=of, backups=volume, image=image, opts=system.child())
    system.add("dump", made.service, None)


def mysql(
    system: Assembly,
    settings: MysqlService,
    *,
    network: AnyNetwork,
    root_password: SecretRequest,
    password: SecretRequest,
    replication_password: SecretRequest,
    certificate: CertificateRequest,
) -> Healthy:
    """MySQL as `mysql`, and where settings have a replica, that as `mysql-replica`."""
    from components.stores.mysql import Mysql
    from components.stores.mysql_settings import MysqlSpec

    spec = MysqlSpec(
        identity=system.identity("mysql"),
        alias="mysql",
        data=system.data("mysql_data"),
        limits=Limits(cpus=settings.cpus, memory=settings.memory),
        user=settings.user,
        database=settings.database,
        tuning=settings.tuning,
    )
    made = Mysql(
        f"{system.name}-mysql",
        spec,
        image=system.image("mysql", settings.image),
        network=network,
        root_password=system.secret(root_password.name),
        password=system.secret(password.name),
        tls=system.tls(certificate.name),
        opts=system.child(),
    )
    if settings.replica:
        _follow(system, settings, made, replication_password)
    return Healthy(system.store("mysql", made).service)


def _follow(system: Assembly, settings: MysqlService, of: Mysql, password: SecretRequest) -> None:
    from components.stores.mysql import MysqlReplica
    from components.stores.mysql_settings import MysqlReplicaSpec

    assert settings.replica
    spec = MysqlReplicaSpec(
        identity=system.identity("mysql-replica"),
        alias="mysql-replica",
        data=system.data("mysql_replica_data"),
        limits=Limits(cpus=settings.replica.cpus, memory=settings.replica.memory),
        tuning=settings.tuning,
    )
    made = MysqlReplica(
        f"{system.name}-mysql-replica",
        spec,
        image=system.image("mysql", settings.image),
        of=of,
        replication_password=system.secret(password.name),
        opts=system.child(),
    )
    system.store("mysql-replica", made)
