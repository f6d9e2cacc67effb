"""The tables, and how an older database becomes a newer one. Steps are only ever added."""

from __future__ import annotations

import sqlalchemy as sa

LOCK = 0x7461_6966_6973_68  # "taifish": two migrations at once wait for each other

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE tasks (
        id uuid PRIMARY KEY,
        key text NOT NULL UNIQUE,
        kind text NOT NULL,
        request json NOT NULL,
        digest text NOT NULL,
        state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
        attempts integer NOT NULL DEFAULT 0,
        worker text,
        lease_until timestamptz,
        due timestamptz NOT NULL,
        result json,
        error text,
        file text,
        created timestamptz NOT NULL DEFAULT now(),
        started timestamptz,
        finished timestamptz
    );
    CREATE INDEX tasks_open ON tasks (state, due) WHERE state IN ('queued', 'running');
    CREATE INDEX tasks_created ON tasks (created DESC);
    CREATE TABLE beat (name text PRIMARY KEY, last_run timestamptz NOT NULL);
    """,
)
VERSION = len(STEPS)


class SchemaError(RuntimeError):
    """The database's tables do not fit this program."""


def migrate(engine: sa.Engine) -> tuple[int, int]:
    """Brings the schema up to VERSION in one transaction; from and to. A newer schema is left as it is."""
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        connection.execute(
            sa.text(
                "CREATE TABLE IF NOT EXISTS taifish_schema"
                " (version integer PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())"
            )
        )
        found = _version(connection)
        for number, step in enumerate(STEPS[found:], start=found + 1):
            connection.exec_driver_sql(step)
            connection.execute(
                sa.text("INSERT INTO taifish_schema (version) VALUES (:number)"), {"number": number}
            )
        return found, max(found, VERSION)


def check(connection: sa.Connection) -> None:
    """Raises SchemaError when the tables are older than this program needs; asks the database for real."""
    if connection.scalar(sa.text("SELECT to_regclass('taifish_schema')")) is None:
        raise SchemaError("the database has no tables yet: run taifish-migrate")
    found = _version(connection)
    if found < VERSION:
        raise SchemaError(
            f"the database's tables have version {found}, {VERSION} is needed: run taifish-migrate"
        )


def _version(connection: sa.Connection) -> int:
    return int(connection.scalar(sa.text("SELECT coalesce(max(version), 0) FROM taifish_schema")) or 0)
