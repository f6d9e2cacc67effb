"""One backup, from the dumps to the off-site copy."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from care import sources, state
from care.causes import trouble
from care.repository import Done, Repository
from care.settings import Settings
from care.trouble import Trouble, of_system, say

WEEK = 7 * 86400


def back_up(settings: Settings, *, full: bool | None = None, accept_empty: bool = False) -> str:
    """Takes a snapshot, checks the repository, forgets what is old, copies it off-site; the snapshot's id.

    full: read every file and every stored byte again; None when the last time was a week ago. What was there
    before goes only when the new one is good. Raises Trouble, and remembers it for the health check.
    """
    known = state.read(settings)
    if full is None:
        full = time.time() - float(known.get("full_at", 0)) >= WEEK - 3600
    repository = Repository(settings)
    with _remembered(settings, "failed"):
        ensure(settings, repository)
        _room(settings, repository)
        snapshot, manifest = take(
            settings,
            repository,
            BACKUPS[0] if full else BACKUPS[1],
            before=None if accept_empty else _before(settings, repository, known),
            force=full,
        )
        repository.restic("check", *(["--read-data"] if full else []))
        now = time.time()
        state.write(
            settings,
            snapshot=snapshot,
            at=now,
            manifest=manifest,
            failed=None,
            **({"full_at": now} if full else {}),
        )
        # Not after the copy: a target that is down or full must not fill this disk, too.
        forget(settings, repository, prune=full)
    if settings.off_site:
        copy_off_site(settings, repository)
    return snapshot


def copy_off_site(settings: Settings, repository: Repository) -> None:
    """Copies what the other repository does not have yet. Raises Trouble as back_up does."""
    known = state.read(settings)
    with _remembered(settings, "off_site_failed"):
        _copy(
            settings,
            repository,
            full=known.get("full_at") == known.get("at"),
            again="off_site_failed" in known,
        )
        state.write(settings, off_site_at=time.time(), off_site_failed=None)


@contextmanager
def _remembered(settings: Settings, part: str) -> Iterator[None]:
    try:
        yield
    except (Trouble, OSError) as error:
        told = error if isinstance(error, Trouble) else of_system(error, settings.home)
        # First: the dumps may be what filled the disk.
        sources.clear(settings)
        state.write(settings, **{part: f"{told.cause}; fix: {told.fix}"})
        raise told from None
    finally:
        sources.clear(settings)


def ensure(settings: Settings, repository: Repository) -> None:
    """Makes the repository where there never was one. Raises Trouble for another system's, or a lost one."""
    label = settings.home / "owner"
    # An empty one is of a disk that was full.
    if label.exists() and (owner := label.read_text().strip()):
        _refuse_other(owner, settings, repository.place)
        if not repository.made():
            raise Trouble(
                f"{repository.place} at {repository.folder} is gone or lost its config; it was made before",
                fix=f"put it back, or remove {label} for a new one; --off-site is the other copy, if any",
            )
        for lock in (repository.folder / "locks").glob("*"):
            # Of a run that was killed: nobody else is here now.
            lock.unlink(missing_ok=True)
        return
    if repository.made():
        for snapshot in repository.snapshots():
            _refuse_other(snapshot["hostname"], settings, repository.place)
    else:
        if any(any((repository.folder / part).rglob("*")) for part in ("snapshots", "index")):
            raise Trouble(
                f"{repository.place} at {repository.folder} has lost its config, and still holds backups",
                fix="put its config back, or move the folder away for a new one; --off-site is a copy",
            )
        # Of an attempt that had no room.
        shutil.rmtree(repository.folder, ignore_errors=True)
        repository.make()
        say("made a new repository", owner=settings.owner)
    label.write_text(settings.owner + "\n")


def _room(settings: Settings, repository: Repository) -> None:
    """Where there is little, what is too old goes first. Raises Trouble when that is not enough."""
    if shutil.disk_usage(settings.home).free >= settings.minimum_free:
        return
    make_room(settings, repository)
    free = shutil.disk_usage(settings.home).free
    if free < settings.minimum_free:
        raise Trouble(
            f"{settings.home} has {free >> 20} MiB free, {settings.minimum_free >> 20} MiB are needed",
            fix="make room on that disk, or keep fewer days; the snapshots before are still good",
        )


def take(
    settings: Settings,
    repository: Repository,
    tag: str,
    *,
    before: dict[str, Any] | None,
    force: bool = False,
    damaged_too: bool = False,
) -> tuple[str, dict[str, Any]]:
    """One snapshot and its manifest. before: the manifest of what must not have vanished."""
    began = time.monotonic()
    found = sources.gather(settings, damaged_too=damaged_too)
    if not damaged_too:
        sources.refuse_emptied(found.manifest, before)
    plain = (re.sub(r"([\\*?\[])", r"\\\1", str(path)) for path in found.exclude)
    excluded = [f"--exclude={path}" for path in plain]
    done = repository.restic(
        "backup", "--json", "--host", settings.owner, "--tag", tag, *excluded,
        *(["--force"] if force else []), *settings.folders, str(sources.staging(settings)), check=False,
    )  # fmt: skip
    summary = _summary(done)
    if done.code == 3 and summary and (unread := _unread(done)):
        # Not whole: it must not be taken for a backup.
        repository.drop(summary["snapshot_id"])
        raise Trouble(f"could not be read: {unread}", fix="all files must belong to the user of the backup")
    if done.code not in (0, 3) or not summary:
        raise trouble(repository.place, done.said)
    say(
        "snapshot taken",
        snapshot=summary["snapshot_id"][:8],
        tag=tag,
        files=summary["total_files_processed"],
        bytes=summary["total_bytes_processed"],
        added=summary["data_added"],
        seconds=round(time.monotonic() - began, 1),
    )
    return summary["snapshot_id"], found.manifest


def forget(settings: Settings, repository: Repository, *, prune: bool) -> None:
    """Drops snapshots that are older than the newest by more than the days to keep."""
    repository.restic("forget", *_too_old(settings))
    if prune:
        # Not as a flag of forget: that prunes only when it has just dropped a snapshot.
        repository.restic("prune")


def make_room(settings: Settings, repository: Repository) -> None:
    """Before there is a new backup: drops what is too old by the newest one, which stays, and its bytes."""
    # Counted from a copy before a restore, the newest backup itself could be too old.
    repository.restic("forget", *_too_old(settings), *(word for tag in BACKUPS for word in ("--tag", tag)))
    # Only whole packs that nobody refers to: to rewrite others takes room that is not there.
    repository.restic("prune", "--max-repack-size", "0")


def _too_old(settings: Settings) -> tuple[str, ...]:
    return "--host", settings.owner, "--group-by", "host", "--keep-within", f"{settings.keep_days}d"


def off_site(settings: Settings) -> Repository:
    """The second repository, reachable now and ours."""
    repository = Repository(settings, off_site=True)
    repository.reachable()
    return repository


def _copy(settings: Settings, repository: Repository, *, full: bool, again: bool) -> None:
    other = off_site(settings)
    if other.made():
        for snapshot in other.snapshots():
            _refuse_other(snapshot["hostname"], settings, other.place)
        other.restic("unlock")
        if again:
            # It may have been full, also of the pieces of the copy that was cut off.
            make_room(settings, other)
    else:
        other.make(like=repository)
    began = time.monotonic()
    # The newest first: one before it that is too large does not keep it back.
    other.restic("copy", *repository.as_source(), resolve(settings, repository, "latest"))
    other.restic("copy", *repository.as_source(), "--host", settings.owner)
    if full:
        other.restic("check")
    forget(settings, other, prune=full)
    say("copied off-site", to=other.url, seconds=round(time.monotonic() - began, 1))


def _before(settings: Settings, repository: Repository, known: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest of what must not have vanished; None for a system that never had a backup.

    Raises Trouble on a new host while the off-site copy has one, or cannot be asked: what is here now may be
    an emptier system, and would become the newest backup of both.
    """
    if known.get("manifest"):
        found: dict[str, Any] = known["manifest"]
        return found
    there = [] if repository.empty() else repository.snapshots()
    if any(BEFORE_RESTORE not in (one.get("tags") or ()) for one in there):
        return manifest_of(settings, repository, resolve(settings, repository, "latest"))
    if not settings.off_site:
        return None
    ways = (
        "./berth restore backup latest --off-site brings it back; if what is here is right so: "
        "./berth backup --accept-empty"
    )
    try:
        other = off_site(settings)
        copies = other.snapshots() if other.made() else []
    except Trouble as error:
        raise Trouble(
            f"this host has no backup yet, and whether there is one off-site cannot be asked: {error.cause}",
            fix=f"{error.fix}; {ways}",
        ) from None
    for one in copies:
        _refuse_other(str(one["hostname"]), settings, other.place)
    if copies:
        raise Trouble(
            f"this host has no backup yet, but {other.place} has {len(copies)} snapshots of this system",
            fix=ways,
        )
    return None


BEFORE_RESTORE = "before-restore"
"""The tag of what a restore replaced."""
BACKUPS = "full", "daily"
"""The tags of backups."""


def resolve(settings: Settings, repository: Repository, wanted: str) -> str:
    """The id of a snapshot. wanted: (the beginning of) an id, or `latest`: the newest backup.

    Raises Trouble when there is none, or it is another system's.
    """
    there = repository.snapshots()
    found = [
        one
        for one in there
        if (
            BEFORE_RESTORE not in (one.get("tags") or ())
            if wanted == "latest"
            else one["id"].startswith(wanted)
        )
    ]
    if not found or (wanted != "latest" and len(found) > 1):
        raise Trouble(
            f"{repository.place} has {'several snapshots' if found else 'no snapshot'} {wanted}",
            fix="./berth backup --list has those that are there",
        )
    _refuse_other(str(found[-1]["hostname"]), settings, f"snapshot {found[-1]['short_id']}")
    return str(found[-1]["id"])


def manifest_of(settings: Settings, repository: Repository, snapshot: str) -> dict[str, Any]:
    """What a snapshot says that it holds. Raises Trouble when it is none of this system's."""
    done = repository.restic("dump", snapshot, str(sources.staging(settings) / sources.MANIFEST), check=False)
    if done.code:
        if "not found in snapshot" in done.said:
            raise _none_of_ours(repository, snapshot)
        raise trouble(repository.place, done.said)
    return _manifest(settings, snapshot, done.out)


def read_manifest(settings: Settings, repository: Repository, snapshot: str, staged: Path) -> dict[str, Any]:
    """The same of a snapshot whose staging folder has been fetched. Raises Trouble as well."""
    try:
        return _manifest(settings, snapshot, (staged / sources.MANIFEST).read_text())
    except FileNotFoundError:
        raise _none_of_ours(repository, snapshot) from None


def _manifest(settings: Settings, snapshot: str, text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    _refuse_other(str(found["owner"]), settings, f"snapshot {snapshot}")
    return found


def _none_of_ours(repository: Repository, snapshot: str) -> Trouble:
    return Trouble(
        f"snapshot {snapshot[:8]} of {repository.place} is none of berth's: it has no manifest",
        fix="./berth backup --list has those that can be restored",
    )


def _refuse_other(owner: str, settings: Settings, place: str) -> None:
    if owner != settings.owner:
        raise Trouble(
            f"{place} belongs to {owner}, this is {settings.owner}",
            fix="give each system a volume, bucket or path of its own; restore it where it came from",
        )


def _summary(done: Done) -> dict[str, Any] | None:
    for line in reversed(done.out.splitlines()):
        if '"message_type":"summary"' in line:
            found: dict[str, Any] = json.loads(line)
            return found
    return None


def _unread(done: Done) -> str:
    """What restic could not read, but for files that went away meanwhile."""
    lines = [line for line in done.said.splitlines() if '"error"' in line or "error:" in line.lower()]
    return " / ".join(line for line in lines if "no such file or directory" not in line)[:500]
