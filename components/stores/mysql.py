"""MySQL 8.0 (or MariaDB behind the same contract): TLS required, an initial database, an optional replica."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi

from components.containers.container import ConfigFile, ConfigFiles, EnvVar, Hardening, SecretFile
from components.containers.image import Image
from components.containers.job import JobSpec
from components.containers.network import AnyNetwork
from components.containers.service import Dependency
from components.stores import mysql_files as files
from components.stores.mysql_settings import MysqlReplicaSpec, MysqlSpec
from components.stores.replica import StoreReplica
from components.stores.store import (
    AUTHORITY,
    CERTIFICATE,
    CONFIG,
    InitScript,
    Recipe,
    Store,
    StoreSpec,
    Tls,
    preamble,
)

PORT = 3306
_USER = "999:999"
"""mysql in the official image."""


class Mysql(Store):
    """A primary. Clients: `{spec.alias}:3306` as `spec.user`, over TLS with the CA of `tls`.

    password: of `spec.user`. Passwords reach the server only when the database is made; another root password
    later is refused by the guard until the server itself was told.
    """

    kind = "stores:Mysql"

    def __init__(
        self,
        name: str,
        spec: MysqlSpec,
        *,
        image: Image,
        network: AnyNetwork,
        root_password: pulumi.Input[str],
        password: pulumi.Input[str],
        tls: Tls,
        after: Sequence[Dependency] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        self.root_password, self.tls = root_password, tls
        super().__init__(
            name,
            spec,
            primary(spec, tls.authority),
            image=image,
            network=network,
            secrets={
                files.ROOT_PASSWORD: root_password,
                files.PASSWORD: password,
                CERTIFICATE: tls.certificate,
            },
            after=after,
            opts=opts,
        )


class MysqlReplica(StoreReplica):
    """A server that follows `of` and answers reading queries; its alias must be in the certificate, too.

    replication_password: of the user `replicator`, which the job `{name}-access` makes in the primary; MySQL
    takes at most 32 characters.
    """

    kind = "stores:MysqlReplica"

    def __init__(
        self,
        name: str,
        spec: MysqlReplicaSpec,
        *,
        image: Image,
        of: Mysql,
        replication_password: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(
            name,
            spec,
            replica(spec, of.spec.alias, of.tls.authority),
            image=image,
            of=of,
            tls=of.tls,
            access=access_spec(spec, of.spec.alias, of.tls.authority),
            passwords={
                files.ROOT_PASSWORD: of.root_password,
                files.REPLICATION_PASSWORD: replication_password,
            },
            opts=opts,
        )


def primary(spec: MysqlSpec, authority: str) -> Recipe:
    """The recipe of a primary."""
    return Recipe(
        **_server(files.settings(spec.tuning), authority),
        env=(EnvVar(name="MYSQL_DATABASE", value=spec.database), EnvVar(name="MYSQL_USER", value=spec.user)),
        secrets=(
            SecretFile(name=files.ROOT_PASSWORD, env="MYSQL_ROOT_PASSWORD_FILE"),
            SecretFile(name=files.PASSWORD, env="MYSQL_PASSWORD_FILE"),
            SecretFile(name=CERTIFICATE),
        ),
        init=spec.init,
        probe=files.probe(),
        guard=files.guard(preamble(spec, files.DATA, _USER), files.same_passwords(spec.alias, spec.user)),
    )


def replica(spec: MysqlReplicaSpec, of: str, authority: str) -> Recipe:
    """The recipe of a replica of the server with the alias `of`."""
    return Recipe(
        **_server(files.settings(spec.tuning, server_id=spec.server_id), authority),
        secrets=(
            SecretFile(name=files.ROOT_PASSWORD, env="MYSQL_ROOT_PASSWORD_FILE"),
            SecretFile(name=files.REPLICATION_PASSWORD),
            SecretFile(name=CERTIFICATE),
        ),
        init=(InitScript(name="copy.sh", text=files.copy_primary(of)),),
        probe=files.replica_probe(),
        guard=files.guard(preamble(spec, files.DATA, _USER)),
    )


def access_spec(spec: StoreSpec, of: str, authority: str) -> JobSpec:
    """The job that lets a replica into the primary with the alias `of`."""
    texts = {AUTHORITY: authority, "client.cnf": files.client(), "access.sh": files.allow_replica(of)}
    return JobSpec(
        identity=spec.identity,
        alias=f"{spec.alias}-access",
        entrypoint=("sh",),
        command=(f"{CONFIG}/access.sh",),
        config=(
            ConfigFiles(target=CONFIG, files=tuple(ConfigFile(name=n, text=t) for n, t in texts.items())),
        ),
        secrets=(SecretFile(name=files.ROOT_PASSWORD), SecretFile(name=files.REPLICATION_PASSWORD)),
        hardening=Hardening(user=_USER),
    )


def _server(settings: str, authority: str) -> dict[str, Any]:
    """What a primary and a replica have in common."""
    return {
        "port": PORT,
        "data": files.DATA,
        "user": _USER,
        "run": files.RUN,
        "command": ("mysqld", f"--defaults-file={CONFIG}/my.cnf"),
        "files": {AUTHORITY: authority, "my.cnf": settings, "client.cnf": files.client()},
    }
