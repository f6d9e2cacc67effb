"""The backup of a system, from its settings: all volumes and databases that the assembly has by then."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from components.care.backup import Backup, BackupSpec, Folder
from components.containers.container import Limits
from components.containers.network import AnyNetwork
from components.containers.service import Dependency
from components.containers.volume import EngineStorage, Storage
from stacks.assembly import Assembly
from stacks.backup_settings import Snapshots


def snapshots(
    system: Assembly,
    settings: Snapshots | None,
    *,
    network: AnyNetwork,
    storage: Storage = EngineStorage(),  # noqa: B008  (frozen)
    leave_out: Collection[str] = (),
    user: str = "10001:10001",
    after: Sequence[Dependency] = (),
) -> None:
    """The service `backup`, where the settings want it; called last.

    storage: of the repository. leave_out: names of volumes that nobody would miss. user: to whom the files
    in all others belong.
    """
    if settings is None:
        return
    spec = BackupSpec(
        identity=system.identity("backup"),
        user=user,
        limits=Limits(cpus=settings.cpus, memory=settings.memory),
        **settings.model_dump(exclude={"image", "cpus", "memory", "off_site"}),
        off_site=settings.off_site,
    )
    folders = [
        Folder(name=name, volume=volume) for name, volume in system.files.items() if name not in leave_out
    ]
    repository = system.volume("backup", "snapshots", system.data("snapshots", storage))
    made = Backup(
        f"{system.name}-backup",
        spec,
        folders=folders,
        databases=system.databases,
        backups=repository,
        secrets={name: system.secret(it.name) for name, it in settings.logins(system.name).items()},
        image=system.image("care", settings.image),
        network=network,
        after=after,
        opts=system.child(),
    )
    system.keep_in("backup", made.service)
