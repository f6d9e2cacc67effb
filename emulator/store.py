"""What exists in the cloud, in one SQLite file: it survives the process; a call that fails leaves nothing.

Everything is held in memory, too, as immutable objects: a read costs nothing, a write goes through.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

SCHEMA: Final = 1
"""Raised when a stored object changes its shape: a file of another version is refused, not guessed at."""


class Thing(BaseModel):
    """One object of the cloud. Another state of it is another object: `thing.but(status="Available")`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]

    id: str
    region: str
    """Empty for what belongs to the account: users, roles, policies, buckets."""
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))

    def __init_subclass__(cls, *, kind: str | None = None, **named: Any) -> None:
        super().__init_subclass__(**named)
        if kind is not None:
            cls.kind = kind
            _KINDS[kind] = cls

    def but(self, **changed: Any) -> Self:
        """The same thing with other values, checked as new ones are."""
        return type(self).model_validate({**dict(self), **changed})


T = TypeVar("T", bound=Thing)
_KINDS: Final[dict[str, type[Thing]]] = {}


def kinds() -> dict[str, type[Thing]]:
    """All classes of things, by their kind."""
    return dict(_KINDS)


class UnknownSchemaError(Exception):
    """The state was written by another version."""


class Store:
    """All things, by kind and id. One writer at a time; readers see what is committed, or what they wrote."""

    def __init__(self, path: Path) -> None:
        """path: the file; made where it is not. Raises UnknownSchemaError for a file of another version."""
        self._lock = threading.RLock()
        self._depth = 0
        self._undo: list[tuple[str, str, Thing | None]] = []
        self._order: dict[str, list[str]] = {}  # ids of a kind, as they stood before one was removed
        self._things: dict[str, dict[str, Thing]] = {}
        self._watchers: list[Callable[[frozenset[str]], None]] = []
        self._base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        path.chmod(0o600)  # it holds the secrets of access keys
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=NORMAL")
        version = self._base.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA):
            raise UnknownSchemaError(f"{path} holds schema {version}; this version reads {SCHEMA}")
        self._base.execute(f"PRAGMA user_version={SCHEMA}")
        self._base.execute(
            "CREATE TABLE IF NOT EXISTS things (kind TEXT, id TEXT, body TEXT NOT NULL, "
            "PRIMARY KEY (kind, id))"
        )
        self._base.execute("CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        for kind, body in self._base.execute("SELECT kind, body FROM things ORDER BY rowid"):
            thing = _KINDS[kind].model_validate_json(body)
            self._things.setdefault(kind, {})[thing.id] = thing

    def close(self) -> None:
        with self._lock:
            self._base.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what happens inside, or nothing. One in another is a part of it."""
        with self._lock:
            if self._depth == 0:
                self._base.execute("BEGIN IMMEDIATE")
                self._undo = []
                self._order = {}
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._roll_back()
                raise
            self._depth -= 1
            if self._depth:
                return
            try:
                self._base.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                raise
            changed = frozenset(kind for kind, _, _ in self._undo)
        if changed:
            for watcher in self._watchers:
                watcher(changed)

    def _roll_back(self) -> None:
        if self._base.in_transaction:
            self._base.execute("ROLLBACK")
        for kind, id_, before in reversed(self._undo):
            if before is None:
                self._things[kind].pop(id_, None)
            else:
                self._things[kind][id_] = before
        for kind, ids in self._order.items():
            held = self._things[kind]
            self._things[kind] = {id_: held[id_] for id_ in ids if id_ in held}
        self._undo = []

    def watch(self, watcher: Callable[[frozenset[str]], None]) -> None:
        """Call `watcher` with the kinds that changed, after each commit."""
        self._watchers.append(watcher)

    def put(self, thing: T) -> T:
        """Keep the thing, in place of the one with its kind and id."""
        with self.transaction():
            held = self._things.setdefault(thing.kind, {})
            self._undo.append((thing.kind, thing.id, held.get(thing.id)))
            self._base.execute(
                "INSERT INTO things VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
                (thing.kind, thing.id, thing.model_dump_json()),
            )
            held[thing.id] = thing
        return thing

    def remove(self, thing: Thing) -> None:
        with self.transaction():
            held = self._things.get(thing.kind, {})
            if thing.id in held:
                self._order.setdefault(thing.kind, list(held))
                self._undo.append((thing.kind, thing.id, held[thing.id]))
                self._base.execute("DELETE FROM things WHERE kind = ? AND id = ?", (thing.kind, thing.id))
                del held[thing.id]

    def get(self, cls: type[T], id_: str) -> T | None:
        with self._lock:
            found = self._things.get(cls.kind, {}).get(id_)
        return found if isinstance(found, cls) else None

    def all(self, cls: type[T], region: str | None = None) -> list[T]:
        """All of a kind, in a region or everywhere, the oldest first."""
        with self._lock:
            held = list(self._things.get(cls.kind, {}).values())
        return [one for one in held if isinstance(one, cls) and region in (None, one.region)]

    def fact(self, name: str) -> str | None:
        """A value of the whole cloud: its seed, its account."""
        with self._lock:
            found = self._base.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return found[0] if found else None

    def set_fact(self, name: str, value: str) -> None:
        with self.transaction():
            self._base.execute(
                "INSERT INTO facts VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                (name, value),
            )
