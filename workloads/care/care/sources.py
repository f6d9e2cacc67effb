"""What a backup holds: folders, and consistent copies of the databases in and beside them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from care import embedded, servers
from care.settings import Settings
from care.trouble import Trouble

STAGED = ".berth-restore"
"""The folder in each volume where a restore gathers files; never backed up."""
MANIFEST = "manifest.json"
"""The file in the staging folder that says what a snapshot holds."""


@dataclass(frozen=True)
class Found:
    """What was gathered. exclude: paths that are in the staging folder instead, or of no use."""

    manifest: dict[str, Any]
    exclude: tuple[Path, ...]


def staging(settings: Settings) -> Path:
    """Where the dumps lie while they are backed up, and in the snapshots."""
    return settings.home / "staging"


def clear(settings: Settings) -> None:
    """Dumps are not encrypted: none stays."""
    shutil.rmtree(staging(settings), ignore_errors=True)


def gather(settings: Settings, *, damaged_too: bool = False) -> Found:
    """Dumps the databases into the staging folder, with a manifest of all.

    damaged_too: an SQLite file that is damaged is copied as it is. Raises Trouble when a part cannot be had.
    """
    clear(settings)
    root = staging(settings)
    root.mkdir(mode=0o700, parents=True)
    databases, folders, exclude = [], {}, list[Path]()
    for database in settings.databases:
        servers.dump(settings, database, root / database.file)
        databases.append(_entry(database.file, root, kind=database.kind, database=database.database))
    for number, folder in enumerate(settings.folders):
        count, size = 0, 0
        for path, info in files(Path(folder)):
            if embedded.is_database(path):
                inside = f"sqlite/{number}/{path.relative_to(folder)}"
                try:
                    embedded.copy(path, root / inside)
                except embedded.Damaged:
                    if not damaged_too:
                        raise
                    continue
                databases.append(_entry(inside, root, kind="sqlite", database=str(path)))
                exclude += [path, *embedded.beside(path)]
            count, size = count + 1, size + info.st_size
        folders[folder] = {"files": count, "bytes": size}
    manifest = {
        "berth": 1,
        "owner": settings.owner,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "databases": databases,
        "folders": folders,
    }
    (root / MANIFEST).write_text(json.dumps(manifest, indent=1))
    return Found(manifest, (*exclude, *(Path(folder) / STAGED for folder in settings.folders)))


def refuse_emptied(now: dict[str, Any], before: dict[str, Any] | None) -> None:
    """Raises Trouble when nothing is there, or a folder or database is gone that a backup before had."""
    lost = [
        f"{path} had {folder['files']} files"
        for path, folder in (before or {"folders": {}})["folders"].items()
        if folder["files"] and path in now["folders"] and not now["folders"][path]["files"]
    ]
    there = {one["database"] for one in now["databases"]}
    lost += [
        f"database {one['database']} was there"
        for one in (before or {"databases": []})["databases"]
        if one["database"] not in there and any(one["database"].startswith(path) for path in now["folders"])
    ]
    if lost:
        raise Trouble(
            f"what the last good backup has is gone: {'; '.join(lost)}",
            fix="./berth restore backup latest brings it back; if it is right so: "
            "./berth backup --accept-empty",
        )
    if not now["databases"] and not any(folder["files"] for folder in now["folders"].values()):
        raise Trouble(
            f"there is nothing to back up in {', '.join(now['folders']) or 'no folder'}",
            fix="look whether the volumes are the right ones; a new system has nothing until it is used",
        )


def files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The regular files below it. Raises Trouble for a folder that cannot be read; files may come and go."""

    def failed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError) or error.filename == str(folder):
            raise Trouble(
                f"{error.filename}: {error.strerror}",
                fix=f"all of {folder} must belong to user {os.getuid()}, who makes the backups",
            )

    for parent, folders, names in os.walk(folder, onerror=failed):
        if STAGED in folders:
            folders.remove(STAGED)
        for name in names:
            path = Path(parent, name)
            try:
                info = path.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(info.st_mode):
                yield path, info


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _entry(inside: str, root: Path, *, kind: str, database: str) -> dict[str, Any]:
    path = root / inside
    size = path.stat().st_size
    return {"file": inside, "kind": kind, "database": database, "bytes": size, "sha256": digest(path)}
