"""The store: what is kept is what was put, in memory and in the file, whatever failed in between."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic import ValidationError

from emulator.store import SCHEMA, Store, Thing, UnknownSchemaError

MADE = datetime(2026, 11, 23, tzinfo=UTC)


class Pear(Thing, kind="test-pear"):
    weight: int = 0


class Plum(Thing, kind="test-plum"):
    weight: int = 0


def pear(name: str, weight: int = 0, region: str = "here") -> Pear:
    return Pear(id=name, region=region, created=MADE, weight=weight)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "state.sqlite")
    yield made
    made.close()


class BrokenError(Exception):
    """What a failing call raises."""


Step = tuple[type[Thing], str, int | None]


class Machine(RuleBasedStateMachine):
    """Puts, removals and failing transactions, against a plain dictionary."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.path = self.folder / f"{id(self)}.sqlite"
        for left in self.folder.glob(f"{self.path.name}*"):
            left.unlink()
        self.store = Store(self.path)
        self.model: dict[tuple[str, str], Thing] = {}
        self.drawn = ""
        self.heard: list[frozenset[str]] = []
        self.store.watch(self.heard.append)

    kinds = st.sampled_from([Pear, Plum])
    names = st.sampled_from("abcde")
    steps = st.lists(st.tuples(kinds, names, st.none() | st.integers(0, 9)), max_size=6)

    @rule(steps=steps, fails=st.booleans(), nested_fails=st.booleans(), at=st.integers(0, 6))
    def transaction(self, steps: list[Step], fails: bool, nested_fails: bool, at: int) -> None:
        """No weight: remove it. A transaction inside another may fail: then all of it goes."""
        after = dict(self.model)
        self.heard.clear()
        with suppress(BrokenError), self.store.transaction():
            for number, (cls, name, weight) in enumerate(steps):
                self.apply(after, cls, name, weight)
                if nested_fails and number == at:
                    with self.store.transaction():
                        raise BrokenError
            self.store.set_fact("drawn", str(len(steps)))
            if fails:
                raise BrokenError
        failed = fails or (nested_fails and at < len(steps))
        if not failed:
            self.model = after
            self.drawn = str(len(steps))
        touched = {cls.kind for cls, name, weight in steps if not failed}
        assert len(self.heard) <= 1
        assert set().union(*self.heard) <= touched

    def apply(
        self, after: dict[tuple[str, str], Thing], cls: type[Thing], name: str, weight: int | None
    ) -> None:
        if weight is not None:
            given = {"id": name, "region": "here", "created": MADE, "weight": weight}
            thing = cls.model_validate(given)
            self.store.put(thing)
            after[cls.kind, name] = thing
        elif found := self.store.get(cls, name):
            self.store.remove(found)
            del after[cls.kind, name]

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = Store(self.path)
        self.store.watch(self.heard.append)

    @invariant()
    def same(self) -> None:
        for cls in (Pear, Plum):
            kept = {thing.id: thing for thing in self.store.all(cls)}
            assert kept == {name: thing for (kind, name), thing in self.model.items() if kind == cls.kind}
        assert self.store.fact("drawn") == (self.drawn or None)

    def teardown(self) -> None:
        self.store.close()
        self.store = Store(self.path)
        self.same()
        self.store.close()


def test_it_is_a_dictionary_that_does_nothing_by_halves(tmp_path: Path) -> None:
    from hypothesis import HealthCheck, settings
    from hypothesis.stateful import run_state_machine_as_test

    Machine.folder = tmp_path
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=30, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_the_oldest_comes_first_before_and_after_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.sqlite")
    for name in "cab":
        store.put(pear(name))
    store.put(pear("a", 7))
    assert [one.id for one in store.all(Pear)] == ["c", "a", "b"]
    store.close()
    again = Store(tmp_path / "state.sqlite")
    assert [(one.id, one.weight) for one in again.all(Pear)] == [("c", 0), ("a", 7), ("b", 0)]
    again.close()


def test_by_region(store: Store) -> None:
    store.put(pear("a"))
    store.put(pear("b", region="there"))
    assert [one.id for one in store.all(Pear, "there")] == ["b"]
    assert [one.id for one in store.all(Pear)] == ["a", "b"]
    assert store.get(Plum, "a") is None


def test_what_failed_leaves_the_order_of_the_rest(store: Store, tmp_path: Path) -> None:
    for name in "abc":
        store.put(pear(name))
    with pytest.raises(BrokenError), store.transaction():
        store.remove(pear("b"))
        store.put(pear("d"))
        raise BrokenError
    assert [one.id for one in store.all(Pear)] == ["a", "b", "c"]


def test_a_commit_that_fails_is_rolled_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    base = store._base

    class Full:
        def __getattr__(self, name: str) -> object:
            return getattr(base, name)

        def execute(self, text: str, *more: object) -> object:
            if text == "COMMIT":
                raise sqlite3.OperationalError("database or disk is full")
            return base.execute(text, *more)  # type: ignore[arg-type]

    store.put(pear("a", 1))
    monkeypatch.setattr(store, "_base", Full())
    with pytest.raises(sqlite3.OperationalError):
        store.put(pear("a", 2))
    monkeypatch.undo()
    assert [one.weight for one in store.all(Pear)] == [1]
    store.put(pear("a", 3))
    assert [one.weight for one in store.all(Pear)] == [3]


def test_a_begin_that_fails_leaves_it_usable(store: Store, tmp_path: Path) -> None:
    store._base.execute("PRAGMA busy_timeout=10")
    other = sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError):
        store.put(pear("a"))
    other.execute("ROLLBACK")
    other.close()
    store.put(pear("a"))
    assert [one.id for one in store.all(Pear)] == ["a"]


def test_a_file_of_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    Store(path).close()
    base = sqlite3.connect(path)
    base.execute(f"PRAGMA user_version={SCHEMA + 1}")
    base.close()
    with pytest.raises(UnknownSchemaError, match=str(SCHEMA + 1)):
        Store(path)
    base = sqlite3.connect(path)
    assert base.execute("PRAGMA user_version").fetchone()[0] == SCHEMA + 1
    base.close()


def test_nobody_else_reads_the_keys(store: Store, tmp_path: Path) -> None:
    store.put(pear("a"))
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path.name


def test_threads_do_not_mix_their_transactions(store: Store) -> None:
    def add(start: int) -> None:
        for number in range(25):
            with suppress(BrokenError), store.transaction():
                store.put(pear(f"{start}-{number}"))
                if number % 5 == 0:
                    raise BrokenError

    threads = [threading.Thread(target=add, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = {one.id for one in store.all(Pear)}
    assert kept == {f"{start}-{number}" for start in range(4) for number in range(25) if number % 5}


def test_a_watcher_hears_of_commits_only(store: Store) -> None:
    heard: list[frozenset[str]] = []
    store.watch(heard.append)
    with suppress(BrokenError), store.transaction():
        store.put(pear("a"))
        raise BrokenError
    assert heard == []
    with store.transaction():
        store.put(pear("a"))
        store.put(Plum(id="p", region="", created=MADE))
        assert heard == []
    assert heard == [frozenset(("test-pear", "test-plum"))]
    store.set_fact("x", "y")
    assert len(heard) == 1


def test_another_state_is_another_thing_and_checked() -> None:
    one = pear("a", 1)
    assert one.but(weight=2).weight == 2
    assert one.weight == 1
    with pytest.raises(ValidationError):
        one.but(weight="heavy")
    with pytest.raises(ValidationError):
        one.but(colour="green")
    with pytest.raises(ValidationError):
        one.weight = 3
