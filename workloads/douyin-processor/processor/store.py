"""Jobs and results in one SQLite file that two processes on a host may share.

A job is done by whoever holds its lease. The lease's token is new for every attempt: a process that lost its
lease (stopped, paused, cut off) can no longer change the job.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    video_id   TEXT PRIMARY KEY,
    file       TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('queued', 'processing', 'done', 'failed')),
    attempts   INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0,
    token      TEXT,
    leased     REAL,
    error      TEXT,
    result     TEXT,
    created    REAL NOT NULL,
    updated    REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS jobs_open ON jobs (created) WHERE state IN ('queued', 'processing');
CREATE INDEX IF NOT EXISTS jobs_closed ON jobs (updated) WHERE state IN ('done', 'failed');
"""
RETRY_LIMIT = 60.0  # seconds between two attempts, at most


class State(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    PROCESSING = "processing"
    DONE = "done"
    FAILED = "failed"


class QueueFullError(Exception):
    """No more work is accepted now."""


class OtherFileError(Exception):
    """The id is taken by a job for another file."""


@dataclass(frozen=True, slots=True)
class Job:
    """One row, as readers see it."""

    video_id: str
    file: str
    state: State
    attempts: int
    error: str | None
    result: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do one job."""

    video_id: str
    file: str
    attempt: int
    token: str


class Store:
    """All access to the database. Methods block for milliseconds; call them from a thread."""

    def __init__(self, path: Path, *, attempts: int, lease: float, max_queue: int) -> None:
        self._attempts, self._lease, self._max_queue = attempts, lease, max_queue
        self._lock = threading.Lock()
        # FULL: an accepted job survives a power failure, not only a kill.
        self._db = sqlite3.connect(path, timeout=15, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        for pragma in ("busy_timeout = 15000", "journal_mode = WAL", "synchronous = FULL"):
            self._db.execute(f"PRAGMA {pragma}")
        with self._transaction():
            for statement in SCHEMA.split(";\n"):
                self._db.execute(statement)

    def close(self) -> None:
        """Ends the connection."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """IMMEDIATE: two processes that read and then write would otherwise deadlock."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def submit(self, video_id: str, file: str, *, force: bool = False) -> State:
        """Accepts a job, or leaves the one that is there. Raises QueueFullError, OtherFileError."""
        now = time.time()
        with self._transaction() as db:
            row = db.execute("SELECT file, state FROM jobs WHERE video_id = ?", (video_id,)).fetchone()
            if row and not force and row["state"] != State.FAILED:
                if row["file"] != file:
                    raise OtherFileError(row["file"])
                return State(row["state"])
            waiting = db.execute("SELECT count(*) FROM jobs WHERE state IN ('queued', 'processing')")
            if waiting.fetchone()[0] >= self._max_queue and not (
                row and row["state"] in ("queued", "processing")
            ):
                raise QueueFullError
            db.execute(
                "INSERT INTO jobs (video_id, file, state, created, updated) VALUES (?, ?, 'queued', ?, ?)"
                " ON CONFLICT (video_id) DO UPDATE SET file = excluded.file, state = 'queued', attempts = 0,"
                " not_before = 0, token = NULL, leased = NULL, error = NULL, result = NULL,"
                " created = excluded.created, updated = excluded.updated",
                (video_id, file, now, now),
            )
        return State.QUEUED

    def get(self, video_id: str) -> Job | None:
        """The job, or None."""
        with self._lock:
            row = self._db.execute("SELECT * FROM jobs WHERE video_id = ?", (video_id,)).fetchone()
        if row is None:
            return None
        result = json.loads(row["result"]) if row["result"] else None
        return Job(row["video_id"], row["file"], State(row["state"]), row["attempts"], row["error"], result)

    def counts(self) -> dict[State, int]:
        """Jobs by state."""
        with self._lock:
            rows = self._db.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall()
        return dict.fromkeys(State, 0) | {State(state): count for state, count in rows}

    def claim(self) -> Lease | None:
        """The oldest job that is due or whose holder shows no sign of life; None when there is none."""
        now, token = time.time(), uuid.uuid4().hex
        with self._transaction() as db:
            # A job that takes its process down with it must not do so for ever.
            db.execute(
                "UPDATE jobs SET state = 'failed', token = NULL, leased = NULL, updated = ?1,"
                " error = 'gave up: its process was lost in ' || attempts || ' attempts'"
                " WHERE state = 'processing' AND leased < ?1 AND attempts >= ?2",
                (now, self._attempts),
            )
            row = db.execute(
                "UPDATE jobs SET state = 'processing', attempts = attempts + 1, token = ?1, leased = ?2,"
                " updated = ?3 WHERE video_id = (SELECT video_id FROM jobs"
                " WHERE (state = 'queued' AND not_before <= ?3) OR (state = 'processing' AND leased < ?3)"
                " ORDER BY created LIMIT 1) RETURNING video_id, file, attempts",
                (token, now + self._lease, now),
            ).fetchone()
        return Lease(row["video_id"], row["file"], row["attempts"], token) if row else None

    def renew(self, lease: Lease) -> bool:
        """A sign of life. False when the lease is lost and the work is to be dropped."""
        return self._change(lease, "leased = ?", time.time() + self._lease)

    def finish(self, lease: Lease, result: dict[str, Any]) -> bool:
        """Stores the result. False when the lease was lost."""
        return self._change(
            lease,
            "state = 'done', token = NULL, leased = NULL, error = NULL, result = ?",
            json.dumps(result, allow_nan=False),
        )

    def fail(self, lease: Lease, error: str) -> bool:
        """Ends the job for good."""
        return self._change(lease, "state = 'failed', token = NULL, leased = NULL, error = ?", error)

    def retry(self, lease: Lease, error: str) -> bool:
        """Queues the job again after a growing pause, or ends it when its attempts are used up."""
        if lease.attempt >= self._attempts:
            return self.fail(lease, f"gave up after {lease.attempt} attempts: {error}")
        pause = min(RETRY_LIMIT, 2.0 ** (lease.attempt - 1))
        return self._change(
            lease,
            "state = 'queued', token = NULL, leased = NULL, error = ?, not_before = ?",
            error,
            time.time() + pause,
        )

    def release(self, lease: Lease) -> bool:
        """Gives the job back untouched, for the next process to take at once."""
        return self._change(lease, "state = 'queued', token = NULL, leased = NULL, attempts = attempts - 1")

    def _change(self, lease: Lease, assignments: str, *values: object) -> bool:
        with self._transaction() as db:
            changed = db.execute(
                f"UPDATE jobs SET {assignments}, updated = ? WHERE video_id = ? AND token = ?",  # noqa: S608
                (*values, time.time(), lease.video_id, lease.token),
            )
            return changed.rowcount == 1

    def prune(self, *, results: int, days: float) -> int:
        """Forgets ended jobs older than `days` and all but the newest `results`; returns how many."""
        with self._transaction() as db:
            removed = db.execute(
                "DELETE FROM jobs WHERE state IN ('done', 'failed') AND (updated < ? OR video_id IN"
                " (SELECT video_id FROM jobs WHERE state IN ('done', 'failed')"
                " ORDER BY updated DESC, video_id LIMIT -1 OFFSET ?))",
                (time.time() - days * 86400, results),
            )
            return removed.rowcount
