"""What is backed up, where to, and when: the file that the stack renders."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from care.trouble import Trouble


@dataclass(frozen=True, kw_only=True)
class Database:
    """A server's database; its password lies in the secret of this name."""

    kind: Literal["postgres", "mysql"]
    host: str
    port: int
    database: str
    user: str
    password: str
    authority: str

    @property
    def file(self) -> str:
        """The dump's name."""
        return f"{self.host}-{self.database}.{'dump' if self.kind == 'postgres' else 'sql'}"


@dataclass(frozen=True, kw_only=True)
class OffSite:
    """A second repository. url: as restic takes it. host, port: what must be reachable.

    lookup: how S3 names buckets. authority: the file with the CA of an S3 server, where it has its own.
    """

    kind: Literal["s3", "sftp"]
    url: str
    host: str
    port: int
    lookup: str = "auto"
    region: str = ""
    authority: str = ""
    user: str = ""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """owner: `stack/system`, to whom all snapshots belong. full_day: 0 is Monday."""

    owner: str
    folders: tuple[str, ...] = ()
    databases: tuple[Database, ...] = ()
    off_site: OffSite | None = None
    hour: int = 2
    minute: int = 0
    full_day: int = 6
    keep_days: int = 28
    minimum_free: int = 256 << 20
    home: Path = field(default=Path("/backup"))
    secrets: Path = field(default=Path("/run/secrets"))
    tmp: Path = field(default=Path("/tmp"))  # noqa: S108  (a tmpfs of the container)

    def secret(self, name: str) -> str:
        """The text of a secret."""
        path = self.secrets / name
        try:
            return path.read_text().rstrip("\n")
        except OSError as error:
            raise Trouble(f"{path}: {error.strerror}", fix="the stack must give this secret") from None


def load(path: str = "") -> Settings:
    """Raises Trouble for a file that cannot be."""
    path = path or os.environ.get("CARE_BACKUP", "/etc/care/backup.json")
    try:
        given: dict[str, Any] = json.loads(Path(path).read_text())
        off_site = given.pop("off_site", None)
        paths: dict[str, Any] = {
            name: Path(given[name]) for name in ("home", "secrets", "tmp") if name in given
        }
        return Settings(
            **{
                **given,
                "folders": tuple(given.get("folders", ())),
                "databases": tuple(Database(**one) for one in given.get("databases", ())),
                "off_site": OffSite(**off_site) if off_site else None,
                **paths,
            }
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Trouble(f"{path} is no settings file: {error}", fix="render it with ./berth up") from None
