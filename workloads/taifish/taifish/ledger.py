"""Every task, its state and its result, in PostgreSQL. The broker only says that there is something to do.

A message may be lost, doubled or late; a task is not, because a row is claimed by one attempt at a time, and
only the attempt that still holds its claim can end it.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

SELECT = "SELECT id, kind, state, attempts, result, error, file, created, started, finished{} FROM tasks"
REPEAT = 120  # seconds until a task that still waits is announced once more


class KeyTakenError(ValueError):
    """The idempotency key stands for another request."""


@dataclass(frozen=True)
class Task:
    """What may be told about a task."""

    id: uuid.UUID
    kind: str
    state: str
    attempts: int
    result: Any
    error: str | None
    file: str | None
    created: datetime
    started: datetime | None
    finished: datetime | None


@dataclass(frozen=True)
class Claim:
    """The right to do a task, until the lease ends."""

    id: uuid.UUID
    kind: str
    request: dict[str, Any]
    attempt: int


def digest(kind: str, request: dict[str, Any]) -> str:
    """Equal for equal requests."""
    return hashlib.sha256(json.dumps([kind, request]).encode()).hexdigest()


class Ledger:
    """Reads and changes the table."""

    def __init__(self, engine: sa.Engine, *, lease: float, attempts: int) -> None:
        self.engine, self.lease, self.attempts = engine, lease, attempts

    def submit(
        self, kind: str, request: dict[str, Any], key: str | None = None, id: uuid.UUID | None = None
    ) -> Task:
        """Stores a task. The same key again gives the same task; raises KeyTakenError for another request."""
        id = id or uuid.uuid4()
        values = {
            "id": id,
            "key": key or str(id),
            "kind": kind,
            "request": json.dumps(request),
            "digest": digest(kind, request),
        }
        with self.engine.begin() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO tasks (id, key, kind, request, digest, due)"
                    " VALUES (:id, :key, :kind, :request, :digest, now() + interval '20 seconds')"
                    " ON CONFLICT (key) DO NOTHING"
                ),
                values,
            )
            row = connection.execute(sa.text(SELECT.format(", digest") + " WHERE key = :key"), values).one()
        if row.digest != values["digest"]:
            raise KeyTakenError(f"the idempotency key {key!r} stands for another request")
        return Task(*row[:-1])

    def get(self, id: uuid.UUID) -> Task | None:
        with self.engine.connect() as connection:
            row = connection.execute(sa.text(SELECT.format("") + " WHERE id = :id"), {"id": id}).one_or_none()
        return None if row is None else Task(*row)

    def latest(self, limit: int) -> list[Task]:
        """Newest first."""
        with self.engine.connect() as connection:
            rows = connection.execute(
                sa.text(SELECT.format("") + " ORDER BY created DESC, id LIMIT :limit"), {"limit": limit}
            )
            return [Task(*row) for row in rows]

    def counts(self) -> dict[tuple[str, str], int]:
        """Tasks by kind and state."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT kind, state, count(*) FROM tasks GROUP BY kind, state"))
            return {(kind, state): count for kind, state, count in rows}

    def claim(self, id: uuid.UUID, worker: str) -> Claim | None:
        """The right to do the task now; None when it is done, being done, given up or unknown."""
        with self.engine.begin() as connection:
            row = connection.execute(
                sa.text(
                    "UPDATE tasks SET state = 'running', attempts = attempts + 1, worker = :worker,"
                    " lease_until = now() + make_interval(secs => :lease), started = now(), error = NULL"
                    " WHERE id = :id AND attempts < :attempts"
                    " AND (state = 'queued' OR (state = 'running' AND lease_until < now()))"
                    " RETURNING id, kind, request, attempts"
                ),
                {"id": id, "worker": worker, "lease": self.lease, "attempts": self.attempts},
            ).one_or_none()
        return None if row is None else Claim(*row)

    def renew(self, claim: Claim) -> bool:
        """Lengthens the lease; False when the claim is lost."""
        return self._change(
            claim, "lease_until = now() + make_interval(secs => :lease)", {"lease": self.lease}
        )

    def finish(self, claim: Claim, result: dict[str, Any], file: str | None = None) -> bool:
        """Keeps the result; False when the claim is lost, and then nothing changed."""
        return self._change(
            claim,
            "state = 'done', result = :result, file = :file, finished = now(), lease_until = NULL",
            {"result": json.dumps(result), "file": file},
        )

    def fail(self, claim: Claim, error: str) -> bool:
        """Another attempt would end the same way."""
        return self._change(
            claim, "state = 'failed', error = :error, finished = now(), lease_until = NULL", {"error": error}
        )

    def retry(self, claim: Claim, error: str) -> bool:
        """Waits 2, 4, 8 ... 60 s before it is announced again; failed after the last attempt."""
        if claim.attempt >= self.attempts:
            return self.fail(claim, f"given up after {claim.attempt} attempts: {error}")
        return self._change(
            claim,
            "state = 'queued', error = :error, lease_until = NULL,"
            " due = now() + make_interval(secs => :wait)",
            {"error": error, "wait": min(60, 2**claim.attempt)},
        )

    def sweep(self, announce: Callable[[uuid.UUID], None], limit: int = 500) -> tuple[int, int]:
        """Announces tasks whose worker or message was lost, and gives up on those that keep losing theirs.

        How many were announced and given up. Nothing is changed when `announce` raises.
        """
        with self.engine.begin() as connection:
            given_up = connection.execute(
                sa.text(
                    "UPDATE tasks SET state = 'failed', finished = now(), lease_until = NULL,"
                    " error = 'given up after ' || attempts || ' attempts: the worker vanished each time'"
                    " WHERE state = 'running' AND lease_until < now() AND attempts >= :attempts"
                ),
                {"attempts": self.attempts},
            ).rowcount
            rows = connection.execute(
                sa.text(
                    "UPDATE tasks SET state = 'queued', lease_until = NULL,"
                    " due = now() + make_interval(secs => :repeat) WHERE id IN ("
                    "  SELECT id FROM tasks WHERE (state = 'queued' AND due < now())"
                    "  OR (state = 'running' AND lease_until < now())"
                    "  ORDER BY due LIMIT :limit FOR UPDATE SKIP LOCKED)"
                    " RETURNING id"
                ),
                {"repeat": REPEAT, "limit": limit},
            ).all()
            for row in rows:
                announce(row.id)
        return len(rows), given_up

    def expire(self, days: int) -> list[str]:
        """Files of tasks that ended more than `days` ago; from now on nobody is told of them.

        Tasks themselves are forgotten after three times as long.
        """
        with self.engine.begin() as connection:
            connection.execute(
                sa.text(
                    "DELETE FROM tasks WHERE state IN ('done', 'failed')"
                    " AND file IS NULL AND finished < now() - make_interval(days => :days)"
                ),
                {"days": 3 * days},
            )
            rows = connection.execute(
                sa.text(
                    "WITH old AS (SELECT id, file FROM tasks WHERE file IS NOT NULL"
                    "  AND finished < now() - make_interval(days => :days) FOR UPDATE)"
                    " UPDATE tasks SET file = NULL FROM old WHERE tasks.id = old.id RETURNING old.file"
                ),
                {"days": days},
            )
            return [row.file for row in rows]

    def _change(self, claim: Claim, change: str, values: dict[str, Any]) -> bool:
        """Only while the claim holds; `change` is text of this file, never a client's."""
        held = "WHERE id = :id AND state = 'running' AND attempts = :attempt"
        values = {"id": claim.id, "attempt": claim.attempt, **values}
        with self.engine.begin() as connection:
            return connection.execute(sa.text(f"UPDATE tasks SET {change} {held}"), values).rowcount == 1  # noqa: S608
