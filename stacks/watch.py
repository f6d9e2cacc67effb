"""The watch over a system, from its settings: the services `healthcheck` and `logrotate`."""

from __future__ import annotations

from collections.abc import Sequence

from components.care.checks import AnyCheck
from components.care.watch import HealthWatch, HealthWatchSpec, LogRotation, LogRotationSpec
from components.containers.container import Limits
from components.containers.image import Image
from components.containers.mounts import VolumeMount
from components.containers.network import AnyNetwork
from components.containers.service import Dependency, Healthy
from stacks.assembly import Assembly
from stacks.watch_settings import Watch


def watch(
    system: Assembly,
    settings: Watch,
    checks: Sequence[AnyCheck],
    *,
    image: Image,
    network: AnyNetwork,
    looks_at: Sequence[VolumeMount],
    user: str,
    authority: str | None = None,
    database_authority: str | None = None,
    after: Sequence[Dependency],
) -> None:
    """looks_at: volumes at the paths that the checks name. user: to whom files and logs belong.

    authority: of the door, for checks of its certificate. database_authority: of the database, likewise.
    """
    logs = system.volume("logs", "logs", system.data("logs"))
    limits = Limits(cpus=settings.cpus, memory=settings.memory)
    health = HealthWatch(
        f"{system.name}-healthcheck",
        HealthWatchSpec(
            identity=system.identity("healthcheck"),
            checks=tuple(checks),
            every=settings.every,
            authority=authority,
            database_authority=database_authority,
            user=user,
            limits=limits,
        ),
        logs=logs,
        looks_at=looks_at,
        image=image,
        network=network,
        after=after,
        opts=system.child(),
    )
    system.watched_by("healthcheck", health.service)
    rotation = LogRotation(
        f"{system.name}-logrotate",
        LogRotationSpec(
            identity=system.identity("logrotate"),
            hour=settings.hour,
            minute=settings.minute,
            time_zone=settings.time_zone,
            max_size=settings.max_size,
            keep_days=settings.keep_days,
            user=user,
            limits=limits,
        ),
        logs=[logs],
        image=image,
        network=network,
        # A new volume takes its mode from the image's folder for logs, which the first one covers with it.
        after=[Healthy(health.service)],
        opts=system.child(),
    )
    system.add("logrotate", rotation.service, None)
