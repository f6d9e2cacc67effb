"""Two that look after a system: its health in a line a minute, and its logs, cut before they fill a disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import pulumi
from pydantic import Field, field_validator

from components.base import Component, Identity
from components.care.checks import AnyCheck
from components.care.clock import Hour, Minute, TimeZone
from components.containers.container import ConfigFile, ConfigFiles, EnvVar, Hardening, Limits
from components.containers.health import CommandProbe, HealthCheck
from components.containers.image import Image
from components.containers.mounts import VolumeMount
from components.containers.network import AnyNetwork
from components.containers.service import Dependency, Service, ServiceSpec, StopFirst
from components.containers.volume import Volume
from components.spec import Spec
from components.stores.sizes import Size
from components.units import Cpus, DnsName, Duration, Memory

_HERE = "/etc/care"
AUTHORITY_FILE = f"{_HERE}/authority.pem"
DATABASE_AUTHORITY_FILE = f"{_HERE}/database.pem"
_LOGS = "/logs"
User = Annotated[str, Field(pattern=r"^[0-9]+:[0-9]+$")]


class HealthWatchSpec(Spec):
    """What is looked at, and how often."""

    identity: Identity
    alias: DnsName = "healthcheck"
    checks: Annotated[tuple[AnyCheck, ...], Field(min_length=1)]
    every: Duration = Duration("1m")
    authority: str | None = None
    """The PEM text of the CA of the system's door, at AUTHORITY_FILE for certificate checks."""
    database_authority: str | None = None
    """The PEM text of the CA of a database, at DATABASE_AUTHORITY_FILE for postgres checks."""
    user: User = "10001:10001"
    """Who may read the files that are looked at."""
    limits: Limits = Limits(cpus=Cpus("0.25"), memory=Memory("128MiB"))

    @field_validator("checks")
    @classmethod
    def _labels_differ(cls, checks: tuple[AnyCheck, ...]) -> tuple[AnyCheck, ...]:
        labels = [check.label for check in checks]
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"label {twice[0]} is given twice; allowed: each once")
        return checks


class HealthWatch(Component):
    """A `Service` named `{name}`, from the image `care`.

    It appends a line of JSON to health.log in the volume `logs` for each round, and is unhealthy while
    anything is UNHEALTHY. In it, `care-health once [--json]` exits 0, 1 or 2 for HEALTHY, WARNING, UNHEALTHY.
    looks_at: further volumes, for read-only mounts at the paths that the checks name.
    """

    kind = "care:HealthWatch"

    def __init__(
        self,
        name: str,
        spec: HealthWatchSpec,
        *,
        logs: Volume,
        looks_at: Sequence[VolumeMount] = (),
        image: Image,
        network: AnyNetwork,
        after: Sequence[Dependency] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=opts)
        self.spec = spec
        self.service = Service(
            name,
            health_spec(spec),
            image=image,
            network=network,
            volumes=[VolumeMount(volume=logs, target=_LOGS), *looks_at],
            after=after,
            opts=self.child(),
        )
        self.register_outputs({"containers": self.service.container_names})


class LogRotationSpec(Spec):
    """`*.log` in the folders: all once a day, and at once what is larger than max_size."""

    identity: Identity
    alias: DnsName = "logrotate"
    hour: Hour = 3
    minute: Minute = 0
    time_zone: TimeZone = "UTC"
    max_size: Size = Size("100MiB")
    keep_days: Annotated[int, Field(ge=1, le=3660)] = 28
    """Archives that are older go."""
    every: Duration = Duration("10s")
    """How often sizes and writers are looked at."""
    user: User = "10001:10001"
    """To whom the logs belong."""
    limits: Limits = Limits(cpus=Cpus("0.25"), memory=Memory("96MiB"))


class LogRotation(Component):
    """A `Service` named `{name}`, from the image `care`.

    The beginning of a file goes into `{file}.{time}.gz` beside it; its writer need not know, and loses
    nothing. Unhealthy while a program keeps a deleted log open.
    """

    kind = "care:LogRotation"

    def __init__(
        self,
        name: str,
        spec: LogRotationSpec,
        *,
        logs: Sequence[Volume],
        image: Image,
        network: AnyNetwork,
        after: Sequence[Dependency] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=opts)
        self.spec = spec
        mounts = [
            VolumeMount(volume=volume, target=folder)
            for volume, folder in zip(logs, _folders(len(logs)), strict=True)
        ]
        self.service = Service(
            name,
            rotation_spec(spec, [mount.target for mount in mounts]),
            image=image,
            network=network,
            volumes=mounts,
            after=after,
            opts=self.child(),
        )
        self.register_outputs({"containers": self.service.container_names})


def _folders(count: int) -> list[str]:
    return [f"{_LOGS}/{number}" for number in range(1, count + 1)]


def health_spec(spec: HealthWatchSpec) -> ServiceSpec:
    """The container of a health watch."""
    texts = {
        "health.json": json.dumps(
            {
                "every": float(spec.every.seconds),
                "log": f"{_LOGS}/health.log",
                "checks": [check.plain() for check in spec.checks],
            },
            indent=1,
        )
    }
    if spec.authority:
        texts["authority.pem"] = spec.authority
    if spec.database_authority:
        texts["database.pem"] = spec.database_authority
    return _service(spec, "care-health", texts)


def rotation_spec(spec: LogRotationSpec, folders: Sequence[str]) -> ServiceSpec:
    """The container of a log rotation."""
    settings = {
        "folders": list(folders),
        "hour": spec.hour,
        "minute": spec.minute,
        "max_size": spec.max_size.bytes,
        "keep_days": spec.keep_days,
        "every": float(spec.every.seconds),
    }
    texts = {"logrotate.json": json.dumps(settings, indent=1)}
    return _service(spec, "care-logrotate", texts, env=(EnvVar(name="TZ", value=spec.time_zone),))


def _service(
    spec: HealthWatchSpec | LogRotationSpec, program: str, texts: dict[str, str], **more: Any
) -> ServiceSpec:
    return ServiceSpec(
        identity=spec.identity,
        alias=spec.alias,
        command=(program, "serve"),
        config=(
            ConfigFiles(target=_HERE, files=tuple(ConfigFile(name=n, text=t) for n, t in texts.items())),
        ),
        hardening=Hardening(user=spec.user),
        limits=spec.limits,
        rollout=StopFirst(),
        health=HealthCheck(
            probe=CommandProbe(kind="command", argv=(program, "alive")),
            interval=Duration("10s"),
            timeout=Duration("60s"),
            retries=2,
        ),
        **more,
    )
