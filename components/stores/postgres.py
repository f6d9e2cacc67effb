"""PostgreSQL: settings as typed fields, SCRAM over TLS for all connections, an optional streaming replica."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi

from components.containers.container import ConfigFile, ConfigFiles, EnvVar, Hardening, SecretFile
from components.containers.image import Image
from components.containers.job import JobSpec
from components.containers.network import AnyNetwork
from components.containers.service import Dependency
from components.stores import postgres_admit as admit
from components.stores import postgres_files as files
from components.stores import postgres_owner as owner
from components.stores.postgres_settings import PostgresReplicaSpec, PostgresSpec
from components.stores.replica import StoreReplica
from components.stores.store import AUTHORITY, CERTIFICATE, CONFIG, Recipe, Store, StoreSpec, Tls, preamble
from components.stores.tuning import PostgresTuning

PORT = 5432
_USER = "70:70"
"""postgres in the official alpine image."""


class Postgres(Store):
    """A primary. Clients: `host={spec.alias} port=5432 sslmode=verify-full`, with the CA of `tls`.

    password: of `spec.user`, a plain role that owns the database. It reaches the server only when that is
    made; another one later is refused, by the guard or at the start, until the server itself was told.
    """

    kind = "stores:Postgres"

    def __init__(
        self,
        name: str,
        spec: PostgresSpec,
        *,
        image: Image,
        network: AnyNetwork,
        password: pulumi.Input[str],
        tls: Tls,
        after: Sequence[Dependency] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        self.database, self.password, self.tls = spec, password, tls
        secrets = {owner.PASSWORD: password, CERTIFICATE: tls.certificate}
        super().__init__(
            name,
            spec,
            primary(spec, tls.authority),
            image=image,
            network=network,
            secrets=secrets,
            after=after,
            opts=opts,
        )


class PostgresReplica(StoreReplica):
    """A server that follows `primary` and answers reading queries; its alias must be in the certificate, too.

    replication_password: of the role `replicator`, which the job `{name}-access` makes in the primary.
    """

    kind = "stores:PostgresReplica"

    def __init__(
        self,
        name: str,
        spec: PostgresReplicaSpec,
        *,
        image: Image,
        of: Postgres,
        replication_password: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        if spec.tuning.max_connections < of.database.tuning.max_connections:
            raise ValueError(
                f"{name}: tuning.max_connections is {spec.tuning.max_connections}; "
                f"allowed: {of.database.tuning.max_connections} or more, as the primary has"
            )
        super().__init__(
            name,
            spec,
            replica(spec, of.database, of.tls.authority),
            image=image,
            of=of,
            tls=of.tls,
            access=access_spec(spec, of.database, of.tls.authority),
            passwords={owner.PASSWORD: of.password, files.REPLICATION_PASSWORD: replication_password},
            opts=opts,
        )


def primary(spec: PostgresSpec, authority: str) -> Recipe:
    """The recipe of a primary."""
    server = _server(spec.tuning, authority)
    return Recipe(
        **{**server, "files": {**server["files"], **owner.files(spec), **admit.files(spec)}},
        secrets=(SecretFile(name=owner.PASSWORD), SecretFile(name=CERTIFICATE)),
        env=(EnvVar(name="POSTGRES_DB", value=spec.database),),
        init=owner.init_scripts(spec),
        probe=files.probe(spec.user, spec.database),
        guard=files.guard(_preamble(spec), spec),
    )


def replica(spec: PostgresReplicaSpec, of: PostgresSpec, authority: str) -> Recipe:
    """The recipe of a replica."""
    slot = _slot(spec)
    texts = {
        "postgresql.conf": files.settings(spec.tuning, follows=files.follow(of.alias, slot)),
        "start.sh": files.start_replica(of.alias, slot),
    }
    following = (
        "SELECT pg_is_in_recovery() AND EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming')"
    )
    server = _server(spec.tuning, authority)
    return Recipe(
        **{**server, "files": {**server["files"], **texts}},
        secrets=_SECRETS,
        probe=files.probe(of.user, of.database, inside=following),
        guard=files.replica_guard(_preamble(spec)),
    )


def access_spec(spec: StoreSpec, of: PostgresSpec, authority: str) -> JobSpec:
    """The job that lets a replica into the primary."""
    script = files.allow_replica(of.alias, of.user, _slot(spec))
    texts = {AUTHORITY: authority, "access.sh": script}
    return JobSpec(
        identity=spec.identity,
        alias=f"{spec.alias}-access",
        entrypoint=("sh",),
        command=(f"{CONFIG}/access.sh",),
        config=(
            ConfigFiles(target=CONFIG, files=tuple(ConfigFile(name=n, text=t) for n, t in texts.items())),
        ),
        secrets=_SECRETS,
        hardening=Hardening(user=_USER),
    )


_SECRETS = (
    SecretFile(name=owner.PASSWORD),
    SecretFile(name=files.REPLICATION_PASSWORD),
    SecretFile(name=CERTIFICATE),
)


def _slot(spec: StoreSpec) -> str:
    return spec.alias.replace("-", "_")


def _preamble(spec: StoreSpec) -> str:
    return preamble(spec, owner.DATA, _USER)


def _server(tuning: PostgresTuning, authority: str) -> dict[str, Any]:
    """What a primary and a replica have in common."""
    return {
        "port": PORT,
        "data": owner.DATA,
        "user": _USER,
        "run": owner.RUN,
        "entrypoint": ("sh", f"{CONFIG}/start.sh"),
        "command": ("postgres", "-c", f"config_file={CONFIG}/postgresql.conf"),
        "files": {
            AUTHORITY: authority,
            "postgresql.conf": files.settings(tuning),
            "pg_hba.conf": files.hba(),
        },
    }
