"""Encrypted, deduplicated backups of a system: folders and databases, every night, with a copy off-site."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import pulumi
from pydantic import Field

from components.base import Component, Identity
from components.care.clock import Hour, Minute, TimeZone
from components.care.targets import S3Target, SftpTarget, Target
from components.containers.container import ConfigFile, ConfigFiles, EnvVar, Hardening, Limits, SecretFile
from components.containers.health import CommandProbe, HealthCheck
from components.containers.image import Image
from components.containers.mounts import VolumeMount
from components.containers.network import AnyNetwork
from components.containers.service import Dependency, Service, ServiceSpec, StopFirst
from components.containers.volume import Volume
from components.spec import Spec
from components.stores.mysql import Mysql
from components.stores.mysql_settings import MysqlSpec
from components.stores.postgres import Postgres
from components.stores.postgres_settings import PostgresSpec
from components.stores.sizes import Size
from components.units import Cpus, DnsName, Duration, Memory

PASSWORD = "repository_password"  # noqa: S105  (the name of a secret)
_HERE = "/etc/care"


class BackupSpec(Spec):
    """When a system is backed up, where to, and for how long it is kept."""

    identity: Identity
    alias: DnsName = "backup"
    hour: Hour = 2
    minute: Minute = 0
    time_zone: TimeZone = "UTC"
    full_day: Annotated[int, Field(ge=0, le=6)] = 6
    """When every file and every stored byte is read again; 0 is Monday."""
    keep_days: Annotated[int, Field(ge=1, le=3660)] = 28
    off_site: Target | None = None
    minimum_free: Size = Size("256MiB")
    """Refused on a disk with less room."""
    user: Annotated[str, Field(pattern=r"^[0-9]+:[0-9]+$")] = "10001:10001"
    """To whom all that is backed up belongs: no capability is needed to read it, or to put it back."""
    limits: Limits = Limits(cpus=Cpus("1"), memory=Memory("512MiB"))

    @property
    def owner(self) -> str:
        """To whom the snapshots belong."""
        return f"{self.identity.stack}/{self.identity.system}"


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A volume in a backup. name: it lies at /data/{name} there, and in every snapshot."""

    name: str
    volume: Volume


class Backup(Component):
    """A `Service` named `{name}`, from the image `care`.

    backups: the volume of the repository. It backs up at once when the newest backup is a day old. Unhealthy
    from a failed backup or off-site copy on until a good one, and when the newest is older than 26 hours.
    secrets: `repository_password`, and those that the target names.
    """

    kind = "care:Backup"

    def __init__(
        self,
        name: str,
        spec: BackupSpec,
        *,
        folders: Sequence[Folder] = (),
        databases: Sequence[Postgres | Mysql] = (),
        backups: Volume,
        secrets: Mapping[str, pulumi.Input[str]],
        image: Image,
        network: AnyNetwork,
        after: Sequence[Dependency] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=opts)
        self.spec = spec
        passwords: dict[str, pulumi.Input[str]] = {
            f"{one.spec.alias}_password": one.password if isinstance(one, Postgres) else one.root_password
            for one in databases
        }
        described = [(_described(one), one.tls.authority) for one in databases]
        self.service = Service(
            name,
            service_spec(spec, [folder.name for folder in folders], described),
            image=image,
            network=network,
            volumes=[
                VolumeMount(volume=backups, target="/backup"),
                *(VolumeMount(volume=folder.volume, target=f"/data/{folder.name}") for folder in folders),
            ],
            secrets={**secrets, **passwords},
            after=after,
            opts=self.child(),
        )
        self.register_outputs({"containers": self.service.container_names})


def _described(of: Postgres | Mysql) -> dict[str, object]:
    spec = of.spec
    assert isinstance(spec, PostgresSpec | MysqlSpec)
    postgres = isinstance(spec, PostgresSpec)
    return {
        "kind": "postgres" if postgres else "mysql",
        "host": spec.alias,
        "port": of.port,
        "database": spec.database,
        # A dump of MySQL has routines and events, which only root sees all of.
        "user": spec.user if postgres else "root",
        "password": f"{spec.alias}_password",
        "authority": f"{_HERE}/{spec.alias}.pem",
    }


def service_spec(
    spec: BackupSpec, folders: Sequence[str], databases: Sequence[tuple[Mapping[str, object], str]]
) -> ServiceSpec:
    """The container. databases: each as the image reads it, with its authority."""
    target = spec.off_site
    off_site = dict(target.plain()) if target else None
    texts = {f"{one['host']}.pem": authority for one, authority in databases}
    if isinstance(target, S3Target) and target.authority and off_site:
        texts["target.pem"] = target.authority
        off_site["authority"] = f"{_HERE}/target.pem"
    if isinstance(target, SftpTarget):
        texts["known_hosts"] = target.known_host
    texts["backup.json"] = json.dumps(
        {
            "owner": spec.owner,
            "folders": [f"/data/{name}" for name in folders],
            "databases": [dict(one) for one, _ in databases],
            "off_site": off_site,
            "hour": spec.hour,
            "minute": spec.minute,
            "full_day": spec.full_day,
            "keep_days": spec.keep_days,
            "minimum_free": spec.minimum_free.bytes,
        },
        indent=1,
    )
    names = [PASSWORD, *(target.secrets if target else ()), *(str(one["password"]) for one, _ in databases)]
    return ServiceSpec(
        identity=spec.identity,
        alias=spec.alias,
        command=("care-backup", "serve"),
        env=(EnvVar(name="TZ", value=spec.time_zone),),
        config=(
            ConfigFiles(target=_HERE, files=tuple(ConfigFile(name=n, text=t) for n, t in texts.items())),
        ),
        secrets=tuple(SecretFile(name=name) for name in names),
        hardening=Hardening(user=spec.user),
        limits=spec.limits,
        # Two would hold one repository.
        rollout=StopFirst(),
        stop_grace=Duration("30s"),
        health=HealthCheck(
            probe=CommandProbe(kind="command", argv=("care-backup", "health")),
            interval=Duration("20s"),
            # A busy machine takes its time for a program; what is wrong stays wrong.
            timeout=Duration("60s"),
            start_period=Duration("5s"),
            retries=2,
        ),
    )
