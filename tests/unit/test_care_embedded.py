"""SQLite files that others write meanwhile."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from care import embedded
from care.trouble import Trouble

# Between its transactions there is no time worth speaking of.
GREEDY = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
while True:
    database.execute("BEGIN")
    for _ in range(10):
        database.execute("INSERT INTO rows SELECT count(*) FROM rows")
        time.sleep(0.002)
    database.execute("COMMIT")
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a database with 8000 pages and more."""
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE rows(n INTEGER)")
        database.execute("CREATE TABLE large(bytes BLOB)")
        database.executemany("INSERT INTO large VALUES (randomblob(4000))", [()] * 8000)
        database.commit()
    return path


@contextmanager
def written(path: Path) -> Iterator[None]:
    writer = subprocess.Popen([sys.executable, "-c", GREEDY, path])
    try:
        while count(path) < 20:
            assert writer.poll() is None
            time.sleep(0.05)
        yield
    finally:
        writer.kill()
        writer.wait()


def count(path: Path) -> int:
    with closing(sqlite3.connect(path, timeout=30)) as database:
        return int(database.execute("SELECT count(*) FROM rows").fetchone()[0])


@pytest.mark.timeout(120)
def test_a_copy_is_whole_and_comes_back_under_a_writer_who_never_rests(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copies/app.db"
    with written(path):
        embedded.copy(path, copy)
        at_copy = count(copy)
        while count(path) < at_copy + 100:
            time.sleep(0.05)
        embedded.put(copy, path)
        assert at_copy % 10 == 0
        assert at_copy <= count(path) < at_copy + 100
        while count(path) == at_copy:  # the writer goes on in what came back
            time.sleep(0.05)
    embedded.verify(path, called=path)


def test_a_file_that_is_never_let_go_is_named(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "PATIENCE", 1)
    copy = tmp_path / "copy.db"
    embedded.copy(path, copy)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(Trouble, match=r"app\.db is locked: .*1 seconds"):
            embedded.put(copy, path)


def test_a_file_that_is_held_is_not_called_damaged(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "PATIENCE", 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("PRAGMA journal_mode=DELETE")
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Trouble, match=r"app\.db is locked: .*fix: stop the program") as told:
            embedded.copy(path, tmp_path / "copy.db")
    assert not isinstance(told.value, embedded.Damaged)


@pytest.mark.parametrize(
    ("code", "said", "damaged"),
    [
        (sqlite3.SQLITE_BUSY, "is locked", False),
        (sqlite3.SQLITE_FULL, "is full: .*fix: make room", False),
        (sqlite3.SQLITE_IOERR | 10 << 8, "cannot be read or copied: .*fix: look at the disk", False),
        (sqlite3.SQLITE_CORRUPT, "is damaged: .*fix: ./berth restore", True),
        (sqlite3.SQLITE_NOTADB, "is damaged: .*fix: ./berth restore", True),
    ],
)
def test_only_damage_is_called_damage(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str, damaged: bool
) -> None:
    error = sqlite3.DatabaseError("in SQLite's words")
    error.sqlite_errorcode = code

    def fails(*_: object) -> sqlite3.Connection:
        raise error

    monkeypatch.setattr(embedded, "_open", fails)
    with pytest.raises(Trouble, match=said) as told:
        embedded.copy(path, tmp_path / "copy.db")
    assert isinstance(told.value, embedded.Damaged) == damaged


def test_a_damaged_file_is_called_so(path: Path, tmp_path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"x" * 4096 * 8)
    with pytest.raises(embedded.Damaged, match=r"app\.db is damaged"):
        embedded.copy(path, tmp_path / "copy.db")
