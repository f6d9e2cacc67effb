"""What a stack file may say of backups: the nightly dump of a database, and snapshots of a whole system."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from components.care.clock import Hour, Minute, TimeZone
from components.care.targets import Target
from components.spec import Spec
from components.stores.sizes import Size
from components.units import Cpus, Memory
from stacks.secrets import SecretRequest
from stacks.system import ServiceSettings


class NightlyDump(Spec):
    """When a database is dumped, and for how long the dumps are kept."""

    hour: Hour = 2
    minute: Minute = 0
    time_zone: TimeZone = "Asia/Shanghai"
    """Of hour and minute."""
    keep_days: Annotated[int, Field(ge=1, le=3660)] = 28
    """Older dumps go, once a newer one is good."""


# What logs in to a target, and what it is called in a message.
_LOGINS = {
    "repository_password": ("backup_password", "the password of the backups; keep it elsewhere, too", 16),
    "access_key": ("backup_access_key", "the access key of the off-site copy", 8),
    "secret_key": ("backup_secret_key", "the secret key of the off-site copy", 8),
    "sftp_key": ("backup_sftp_key", "the private SSH key of the off-site copy", 100),
}


class Snapshots(ServiceSettings):
    """Every night: all files and databases of the system, encrypted and deduplicated, each night whole."""

    workload: ClassVar[str | None] = "care"
    hour: Hour = 2
    minute: Minute = 0
    time_zone: TimeZone = "Asia/Shanghai"
    """Of hour and minute."""
    full_day: Annotated[int, Field(ge=0, le=6)] = 6
    """When every file and every stored byte is read again: 0 is Monday, 6 is Sunday."""
    keep_days: Annotated[int, Field(ge=1, le=3660)] = 28
    """Older snapshots go, once a newer one is good."""
    off_site: Target | None = None
    """Where a copy goes after each backup: `kind` s3, oss or sftp."""
    minimum_free: Size = Size("256MiB")
    """No backup with less room for it."""
    cpus: Cpus = Cpus("1")
    memory: Memory = Memory("512MiB")

    def secrets(self, system: str) -> Iterator[SecretRequest]:
        """What opens the repository, and the target of the copy."""
        yield from self.logins(system).values()

    def logins(self, system: str) -> dict[str, SecretRequest]:
        """Name in the container to secret of the stack."""
        prefix = system.replace("-", "_")
        names = ("repository_password", *(self.off_site.secrets if self.off_site else ()))
        return {
            name: SecretRequest(f"{prefix}_{called}", purpose, length)
            for name, (called, purpose, length) in ((name, _LOGINS[name]) for name in names)
        }
