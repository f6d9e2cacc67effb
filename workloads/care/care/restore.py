"""A snapshot in the place of what is there: verified first, with a copy of what it replaces."""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from care import embedded, servers, sources, state, work
from care.repository import Repository
from care.settings import Settings
from care.trouble import Trouble, of_system, say

_ROOM = 64 << 20
"""Bytes that a restore leaves free."""


def restore(settings: Settings, snapshot: str, *, off_site: bool = False) -> str:
    """The snapshot that keeps what was there before.

    All of the snapshot is read, compared with its digests and laid beside the data before anything is
    replaced. Raises Trouble: then nothing was changed, or it says what was.
    """
    source = work.off_site(settings) if off_site else Repository(settings)
    if not source.made():
        raise Trouble(
            f"{source.place} does not exist", fix="./berth backup, or --off-site for the other copy"
        )
    repository, dumps = Repository(settings), settings.home / "restored"
    folders: list[Path] = []
    try:
        staged = dumps / sources.staging(settings).relative_to("/")
        snapshot = _gathered(settings, source, snapshot, dumps)
        manifest = work.read_manifest(settings, source, snapshot, staged)
        folders = _folders(settings, snapshot, manifest)
        for folder in folders:  # what a restore that was killed left behind is room
            shutil.rmtree(folder / sources.STAGED, ignore_errors=True)
        fetched = [(folder, int(manifest["folders"][str(folder)]["bytes"])) for folder in folders]
        if short := lacking(fetched):
            raise _no_room(short)
        work.ensure(settings, repository)
        copied = time.time()
        # One reads what is there, the other what was: neither waits for the other, where both find room.
        with ThreadPoolExecutor(1) as beside:
            copying = beside.submit(
                work.take, settings, repository, work.BEFORE_RESTORE, before=None, damaged_too=True
            )
            # What goes wrong with it ends the fetching, too: it is told now, not hours later.
            copying.add_done_callback(lambda one: source.interrupt() if one.exception() else None)
            try:
                if lacking([*fetched, (settings.home, _copy_at_most(settings, manifest))]):
                    _copied(copying, settings.home)
                    sources.clear(settings)
                    if short := lacking(fetched):
                        raise _no_room(short)
                for folder in folders:
                    _fetch(source, snapshot, folder, folder / sources.STAGED)
                copy, _ = _copied(copying, settings.home)
            except BaseException:
                was_first = copying.done()
                repository.interrupt()
                if was_first:
                    _copied(copying, settings.home)
                raise
        sources.clear(settings)
        _verify(settings, manifest, staged)
        changed: list[str] = []
        try:
            _load(settings, manifest, staged, changed)
            for folder in folders:
                _swap(folder, since=copied, spare=_embedded(manifest, folder))
                changed.append(str(folder))
        except (Trouble, OSError) as error:
            done = ", ".join(changed) or "nothing"
            raise Trouble(
                f"{error.cause if isinstance(error, Trouble) else error}; "
                f"{done} is as in the snapshot, the rest as it was before",
                fix=f"correct it and restore again; what was there before is in snapshot {copy[:8]}",
            ) from None
    finally:
        sources.clear(settings)
        for path in [dumps, *(folder / sources.STAGED for folder in folders)]:
            shutil.rmtree(path, ignore_errors=True)
    # From now on it is this that must not vanish; on a new host, what lets backups begin.
    state.write(settings, manifest=manifest)
    say("restored", snapshot=snapshot[:8], made=manifest["made"], before=copy[:8])
    return copy


def _folders(settings: Settings, snapshot: str, manifest: dict[str, Any]) -> list[Path]:
    """The snapshot's. Raises Trouble where it does not fit this system."""
    folders = [Path(folder) for folder in manifest["folders"]]
    if unknown := [str(folder) for folder in folders if str(folder) not in settings.folders]:
        raise Trouble(
            f"snapshot {snapshot[:8]} has {', '.join(unknown)}, this system does not; nothing was changed",
            fix="restore it with the version of the stack that made it",
        )
    held = {entry["file"] for entry in manifest["databases"]}
    if missing := [f"{one.database} on {one.host}" for one in settings.databases if one.file not in held]:
        raise Trouble(
            f"snapshot {snapshot[:8]} has no dump of {', '.join(missing)}, which this system has: "
            "it would not fit the files; nothing was changed",
            fix="restore one that has it (./berth backup --list), or this one with the version of the stack "
            "that made it",
        )
    return folders


@dataclass(frozen=True)
class Short:
    """A disk that has too little room. place: on it. needed, free: bytes."""

    place: Path
    needed: int
    free: int


def lacking(wanted: Iterable[tuple[Path, int]]) -> Short | None:
    """The first disk that has no room for all that is to be written to it; None where there is room.

    wanted: places and the bytes that go there.
    """
    needed: dict[int, int] = {}
    for place, size in wanted:
        disk = place.stat().st_dev
        needed[disk] = needed.get(disk, 0) + size
        free = shutil.disk_usage(place).free
        if free < needed[disk] + _ROOM:
            return Short(place, needed[disk], free)
    return None


def _no_room(short: Short) -> Trouble:
    return Trouble(
        f"{short.place} has {short.free >> 20} MiB free; the snapshot's {short.needed >> 20} MiB must lie "
        "beside what is there until they are verified; nothing was changed",
        fix="make room on that disk",
    )


def _copy_at_most(settings: Settings, manifest: dict[str, Any]) -> int:
    """Bytes that the copy of what is there may take: all of it new to the repository, and its dumps beside.

    How large the dumps will be is not known before; those of the snapshot stand for them, twice: in the
    staging folder and in the repository.
    """
    there = sum(info.st_size for folder in settings.folders for _, info in sources.files(Path(folder)))
    return there + 2 * sum(int(one["bytes"]) for one in manifest["databases"])


def _gathered(settings: Settings, source: Repository, snapshot: str, to: Path) -> str:
    """Lays the manifest and the dumps of the snapshot there; its id."""
    if snapshot == "latest":
        # restic finds the newest by itself, a start less. Where it does not, `resolve` knows or says why.
        ours = "--host", settings.owner, *(word for tag in work.BACKUPS for word in ("--tag", tag))
        _empty(to)
        include = "--include", str(sources.staging(settings))
        done = source.restic("restore", "latest", *ours, *include, "--target", str(to), check=False)
        if done.code == 0 and (found := re.search(r"restoring .*?napshot ([0-9a-f]{8,})", done.out)):
            return found[1]
    snapshot = work.resolve(settings, source, snapshot)
    _fetch(source, snapshot, sources.staging(settings), to)
    return snapshot


def _copied(copying: Future[tuple[str, dict[str, Any]]], home: Path) -> tuple[str, dict[str, Any]]:
    """The snapshot of what is there."""
    try:
        return copying.result()
    except (OSError, Trouble) as error:
        trouble = of_system(error, home) if isinstance(error, OSError) else error
    raise Trouble(f"{trouble.cause}; nothing was changed", fix=trouble.fix) from None


def _fetch(source: Repository, snapshot: str, folder: Path, to: Path) -> None:
    """restic compares each piece with its SHA-256."""
    _empty(to)
    try:
        source.restic("restore", snapshot, "--include", str(folder), "--target", str(to))
    except Trouble as error:
        raise Trouble(f"{error.cause}; nothing was changed", fix=error.fix) from None


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)


def _verify(settings: Settings, manifest: dict[str, Any], staged: Path) -> None:
    """The dumps: their digests, and that they are whole."""
    known = {one.file: one for one in settings.databases}
    for entry in manifest["databases"]:
        path = staged / entry["file"]
        if not path.is_file() or sources.digest(path) != entry["sha256"]:
            raise Trouble(
                f"the dump of {entry['database']} is not what was backed up; nothing was changed",
                fix="restore an earlier snapshot, or the off-site copy (--off-site)",
            )
        if entry["kind"] == "sqlite":
            embedded.verify(path, called=Path(entry["database"]))
        elif entry["file"] in known:
            servers.verify(known[entry["file"]], path)
        else:
            raise Trouble(
                f"the snapshot has database {entry['database']} ({entry['kind']}), this system does not; "
                "nothing was changed",
                fix="restore it with the version of the stack that made it",
            )


def _load(settings: Settings, manifest: dict[str, Any], staged: Path, changed: list[str]) -> None:
    known = {one.file: one for one in settings.databases}
    for entry in manifest["databases"]:
        path = staged / entry["file"]
        if entry["kind"] == "sqlite":
            embedded.put(path, Path(entry["database"]))
        else:
            servers.load(settings, known[entry["file"]], path)
        changed.append(str(entry["database"]))


def _swap(folder: Path, *, since: float, spare: set[Path]) -> None:
    """Each file is there whole, old or new, at every moment; what is newer than the copy stays."""
    staged = folder / sources.STAGED / folder.relative_to("/")
    wanted: set[Path] = set()
    for path, info in _tree(staged):
        target = folder / path.relative_to(staged)
        wanted.add(target)
        if stat.S_ISDIR(info.st_mode):
            if target.is_symlink() or (target.exists() and not target.is_dir()):
                target.unlink()
            target.mkdir(parents=True, exist_ok=True)
            target.chmod(stat.S_IMODE(info.st_mode))
        else:
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            path.replace(target)
    for path, info in list(_tree(folder)):
        if (
            path not in wanted
            and path not in spare
            and not stat.S_ISDIR(info.st_mode)
            and info.st_ctime < since
        ):
            path.unlink(missing_ok=True)


def _embedded(manifest: dict[str, Any], folder: Path) -> set[Path]:
    """The SQLite files in it, and what SQLite keeps beside them: put back already."""
    paths = [Path(one["database"]) for one in manifest["databases"] if one["kind"] == "sqlite"]
    return {one for path in paths if path.is_relative_to(folder) for one in (path, *embedded.beside(path))}


def _tree(root: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Folders before what is in them; not the gathered files."""
    for parent, folders, names in os.walk(root):
        if sources.STAGED in folders:
            folders.remove(sources.STAGED)
        for name in [*folders, *names]:
            path = Path(parent, name)
            try:
                yield path, path.lstat()
            except FileNotFoundError:
                continue
