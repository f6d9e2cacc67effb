"""SQLite files: copied and put back through SQLite itself, so that a program may write meanwhile."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from care.trouble import Trouble

_SUFFIXES = {".db", ".sqlite", ".sqlite3"}
_MAGIC = b"SQLite format 3\0"
BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a file; of no use without it."""
PATIENCE = 60
"""Seconds for which others may hold a file."""

_HELD = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNREAD = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY)


class Damaged(Trouble):
    """What is in the file is no whole database."""


def is_database(path: Path) -> bool:
    """Whether the file is one, by its name and its first bytes."""
    if path.suffix not in _SUFFIXES:
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def copy(path: Path, to: Path) -> None:
    """A whole copy of what is committed now. Raises Trouble for a damaged file."""
    to.parent.mkdir(parents=True, exist_ok=True)
    to.unlink(missing_ok=True)
    try:
        with closing(_open(path)) as source, closing(sqlite3.connect(to)) as target:
            # At once: whoever writes between two parts of it makes it begin anew.
            source.backup(target, progress=_until(time.monotonic() + PATIENCE))
            # A file of its own: the copy needs no write-ahead log beside it.
            target.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise _told(path, error, disk=to.parent) from None
    verify(to, called=path)


def verify(path: Path, *, called: Path) -> None:
    """Raises Trouble unless SQLite finds it whole."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            said = [row[0] for row in database.execute("PRAGMA integrity_check(3)")]
    except sqlite3.Error as error:
        raise _told(called, error, disk=path.parent) from None
    if said != ["ok"]:
        raise _broken(called, "; ".join(said))


def put(copy: Path, path: Path) -> None:
    """The copy's contents in the place of the file's, in one transaction; who has it open goes on.

    A file that is no database any more is replaced instead.
    """
    try:
        with closing(sqlite3.connect(copy)) as source, closing(_open(path)) as target:
            mode = target.execute("PRAGMA journal_mode").fetchone()[0]
            # SQLite itself looks for a gap between two writes ten times a second, and without an end.
            target.execute("PRAGMA busy_timeout=0")
            source.backup(target, sleep=0.001, progress=_until(time.monotonic() + PATIENCE))
            target.execute(f"PRAGMA busy_timeout={PATIENCE}000")
            target.execute(f"PRAGMA journal_mode={mode}")
    except sqlite3.DatabaseError as error:
        if path.exists() and _code(error) in (*_HELD, sqlite3.SQLITE_FULL):
            raise _told(path, error, disk=path.parent) from None
        _replace(copy, path)


def _replace(copy: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(copy.read_bytes())
    for suffix in BESIDE:
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    part.replace(path)


def _open(path: Path) -> sqlite3.Connection:
    # Not mode=ro: a reader of a write-ahead log writes its index.
    return sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=PATIENCE)


def _until(deadline: float) -> Callable[[int, int, int], None]:
    def look(status: int, _remaining: int, _total: int) -> None:
        if status != sqlite3.SQLITE_DONE and time.monotonic() > deadline:
            error = sqlite3.OperationalError(f"locked for {PATIENCE} seconds")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error

    return look


def beside(path: Path) -> Iterator[Path]:
    """The files that SQLite may keep beside it."""
    return (path.with_name(path.name + suffix) for suffix in BESIDE)


def _code(error: sqlite3.Error) -> int:
    # The upper bytes say more than is of use here; an error of Python's own module has none.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _told(path: Path, error: sqlite3.Error, *, disk: Path) -> Trouble:
    """disk: the folder that is written to."""
    code = _code(error)
    if code in _HELD:
        return Trouble(f"{path} is locked: {error}", fix="stop the program that holds it, and again")
    if code == sqlite3.SQLITE_FULL:
        return Trouble(f"{path}: {disk} is full: {error}", fix="make room on that disk, and again")
    if code in _UNREAD:
        return Trouble(
            f"{path} cannot be read or copied: {error}",
            fix="look at the disk; the file and its folder must belong to the user of the backup",
        )
    return _broken(path, str(error))


def _broken(path: Path, reason: str) -> Trouble:
    return Damaged(
        f"SQLite database {path} is damaged: {reason}",
        fix="./berth restore backup latest puts the last good one back; the damaged one is kept",
    )
