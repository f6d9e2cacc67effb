"""taifish's parts: settings, tables, files, figures, one task from claim to end, and old files."""

from __future__ import annotations

import csv
import gzip
import os
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from kombu.transport.redis import Channel
from kombu.transport.virtual import QoS as VirtualQoS
from taifish import analysis, exports, guard, logs, tables, work
from taifish.broker import FileCredentials, queue_options
from taifish.doing import do
from taifish.ledger import Claim
from taifish.queue import build
from taifish.settings import Settings, SettingsError, load

# --- guard --------------------------------------------------------------------------------------------------

IDLE = guard.Seen(waiting=0, taken=3, doing=0, silent=False)


@pytest.mark.parametrize(
    ("looks", "hangs_at"),
    [
        ([IDLE] * 50, None),
        ([replace(IDLE, waiting=2)] * 50, 65),
        ([replace(IDLE, silent=True)] * 50, 65),
        ([replace(IDLE, waiting=2, taken=n) for n in range(50)], None),
        ([replace(IDLE, waiting=2, doing=1)] * 50, 165),
        # The broker is away, or another worker takes what waits: counted from the start again.
        ([replace(IDLE, waiting=2)] * 11 + [None] + [replace(IDLE, waiting=2)] * 30, 125),
        ([replace(IDLE, waiting=2)] * 11 + [IDLE] + [replace(IDLE, waiting=2)] * 30, 120),
    ],
)
def test_who_hangs(looks: list[guard.Seen | None], hangs_at: int | None) -> None:
    stuck = guard.Stuck(longest=100)
    hung = [5 * turn for turn, seen in enumerate(looks) if stuck(5.0 * turn, seen)]
    # The first look only learns how many were taken, also after the broker was away.
    assert (hung[0] if hung else None) == hangs_at


class NoRedis:
    """A channel whose connection is gone."""

    do_restore = False

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        raise redis.ConnectionError("refused")
        yield


@pytest.mark.parametrize("end", ["ack", "reject"])
def test_what_cannot_be_acknowledged_takes_no_place(end: str) -> None:
    """Two of them and a worker with two places would take no task any more, and feel well."""
    places = Channel.QoS(NoRedis(), prefetch_count=2)
    for tag in ("one", "two"):
        VirtualQoS.append(places, "message", tag)
    assert not places.can_consume()
    for tag in ("one", "two"):
        with pytest.raises(redis.ConnectionError):
            getattr(places, end)(tag)
    assert places.can_consume()


# --- settings -----------------------------------------------------------------------------------------------


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    for name in ("database", "redis"):
        (tmp_path / name).write_text(f"{name}-word\n")
    for folder in ("logs", "uploads", "exports"):
        (tmp_path / folder).mkdir()
    return {
        "DATABASE_URL": "postgresql://taifish@postgres:5432/taifish?sslmode=verify-full",
        "DATABASE_PASSWORD_FILE": str(tmp_path / "database"),
        "REDIS_URL": "redis://redis:6379/0",
        "REDIS_PASSWORD_FILE": str(tmp_path / "redis"),
        "DATA": str(tmp_path),
    }


def test_defaults(environ: dict[str, str]) -> None:
    settings = load(environ)
    assert (settings.port, settings.processes, settings.attempts, settings.timezone) == (5000, 2, 5, "UTC")
    # A probe gives up after 10 s (systems.md, 2), `./berth up` after 5: the answer is there before.
    assert 2 < settings.health_seconds < 5 and load(environ | {"HEALTH_SECONDS": "7.5"}).health_seconds == 7.5
    assert (settings.database_password(), settings.redis_password()) == ("database-word", "redis-word")


def test_everything_missing_is_named_together() -> None:
    with pytest.raises(SettingsError) as caught:
        load({})
    for name in ("DATABASE_URL", "DATABASE_PASSWORD_FILE", "REDIS_URL", "REDIS_PASSWORD_FILE"):
        assert f"{name} is not set" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"DATABASE_URL": "mysql://x/y"}, "starts with postgresql://"),
        ({"DATABASE_URL": "postgresql://u:hunter2@h/d"}, "DATABASE_URL must not hold the password"),
        ({"DATABASE_URL": "postgresql://h/d?password=hunter2"}, "DATABASE_URL must not hold the password"),
        ({"DATABASE_URL": "postgresql://h:port/d"}, "DATABASE_URL is no address"),
        ({"REDIS_URL": "redis://:hunter2@h"}, "REDIS_URL must not hold the password"),
        ({"REDIS_PASSWORD": "hunter2"}, "REDIS_PASSWORD must not be in the environment"),
        ({"REDIS_PASSWORD_FILE": "/nothing"}, "No such file"),
        ({"REDIS_URL": "rediss://redis"}, "REDIS_CA_FILE is not set"),
        ({"PORT": "http"}, "PORT='http' must be a whole number from 1 to 65535"),
        ({"DATABASE_SECONDS": "0"}, "DATABASE_SECONDS='0' must be a number from 1 to 60"),
        ({"TASK_LEASE": "0"}, "TASK_LEASE='0' must be a number from 3"),
        ({"DRAIN": "nan"}, "DRAIN='nan'"),
        ({"HEALTH_SECONDS": "10"}, "HEALTH_SECONDS='10' must be a number from 0.1 to 9"),
        ({"TIMEZONE": "Mars/Base"}, "TIMEZONE='Mars/Base' is no time zone"),
    ],
)
def test_a_wrong_setting_is_named_and_no_secret_shown(
    environ: dict[str, str], changes: dict[str, str], part: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(environ | changes)
    assert part in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_the_queues_configuration_holds_no_password(environ: dict[str, str]) -> None:
    settings = load(environ)
    assert "redis-word" not in str(queue_options(settings)) + str(dict(build(settings).conf))
    assert FileCredentials(settings).get_credentials() == ("redis-word",)
    named = load(environ | {"REDIS_URL": "redis://fish@redis:6379/0"})
    assert FileCredentials(named).get_credentials() == ("fish", "redis-word")


def test_what_makes_delivery_reliable_is_set(environ: dict[str, str]) -> None:
    conf = build(load(environ)).conf
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost, conf.worker_prefetch_multiplier) == (
        True,
        True,
        1,
    )
    assert (
        conf.broker_transport_options["visibility_timeout"] > conf.task_time_limit > conf.task_soft_time_limit
    )
    assert str(conf.beat_schedule["nightly"]["schedule"]).startswith("<crontab: 0 2 ")


# --- tables -------------------------------------------------------------------------------------------------


def table(folder: Path, content: bytes) -> tuple[list[str], list[list[str]]]:
    (folder / "t").write_bytes(content)
    with tables.opened(folder / "t") as (header, rows):
        return header, list(rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_spreadsheets_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    content = "城市,人\n北京,李雷\n上海,韩梅梅\n"
    assert table(tmp_path, content.encode(encoding)) == (
        ["城市", "人"],
        [["北京", "李雷"], ["上海", "韩梅梅"]],
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_are_found(tmp_path: Path, delimiter: str) -> None:
    assert table(tmp_path, f"a{delimiter}b\n1{delimiter}2\n".encode()) == (["a", "b"], [["1", "2"]])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"\x89PNG\x00\x00", "this is no text"),
        (b"a,a\n", "line 1: column names"),
        (b"a,\n", "line 1: column names"),
        (b"a,b\n1,2\n3\n", "line 3: 1 cells, the header has 2"),
        (b'a,b\n1,"2\n', "line"),
    ],
)
def test_what_is_no_table_says_where(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(tables.UnfitError, match=reason):
        table(tmp_path, content)


@given(st.text(max_size=40000))
def test_utf8_is_recognised_wherever_the_head_is_cut(text: str) -> None:
    data = ("汉" * 30000 + text.replace("\0", "")).encode()
    assert tables.encoding(data[: 1 << 16]) == "utf-8-sig"


# --- exports ------------------------------------------------------------------------------------------------


def nothing() -> None:
    """No sign of life is needed."""


CELLS = (
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8", exclude_characters="\r"))
)


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=20))
def test_csv_reads_back(tmp_path_factory: pytest.TempPathFactory, rows: list[list[tables.Cell]]) -> None:
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    assert exports.write_csv(path, ["a", "b"], rows, nothing) == len(rows)
    with path.open(newline="", encoding="utf-8-sig") as file:
        found = list(csv.reader(file))
    assert found[0] == ["a", "b"]
    assert found[1:] == [["" if cell is None else str(exports.guarded(cell)) for cell in row] for row in rows]


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-cmd", "'-cmd"),
        ("+86 138 0013", "+86 138 0013"),
        ("-1.5", "-1.5"),
        ("text", "text"),
        (-1, -1),
        (None, None),
    ],
)
def test_formulas_become_text(cell: tables.Cell, safe: tables.Cell) -> None:
    assert exports.guarded(cell) == safe


def test_a_sheet_holds_texts_as_texts(tmp_path: Path) -> None:
    rows: list[list[tables.Cell]] = [["=1+1", 2], ["http://x", 2**60], [None, True]]
    assert exports.write_xlsx(tmp_path / "x.xlsx", ["a", "b"], rows, nothing) == 3
    with zipfile.ZipFile(tmp_path / "x.xlsx") as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    assert "=1+1" in sheet
    assert str(2**60) in sheet
    assert [path.name for path in tmp_path.iterdir()] == ["x.xlsx"]


def test_a_sheets_limits_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(tables.UnfitError, match="row 1: a cell of 32768 characters"):
        exports.write_xlsx(tmp_path / "x", ["a"], [["x" * 32768]], nothing)
    monkeypatch.setattr(exports, "SHEET_ROWS", 3)
    with pytest.raises(tables.UnfitError, match="more than 2 rows"):
        exports.write_xlsx(tmp_path / "x", ["a"], [[1]] * 3, nothing)


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), exports.appearing(tmp_path / "x", 1) as part:
        part.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with exports.appearing(tmp_path / "x", 2) as part:
        part.write_text("whole")
        assert not (tmp_path / "x").exists()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x", "whole")]


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_in_tables_come_back_exactly(number: float) -> None:
    assert work.value(str(number)) == number


@pytest.mark.parametrize("text", ["007", "1e5", "nan", "inf", "-inf", " 1", "1_000", "", "+5"])
def test_what_only_resembles_a_number_stays_text(text: str) -> None:
    assert work.value(text) == text


# --- analysis -----------------------------------------------------------------------------------------------


def test_figures_of_each_kind_of_column() -> None:
    rows = [["1", "1.5", "x", ""], ["3", "", "1", " "], ["2", "2.5", "long", ""]]
    found = analysis.analyse(["i", "f", "t", "e"], rows, nothing)
    assert found["rows"] == 3
    assert found["columns"] == [
        {"name": "i", "kind": "integer", "filled": 3, "min": 1, "max": 3, "mean": 2},
        {"name": "f", "kind": "number", "filled": 2, "min": 1.5, "max": 2.5, "mean": 2},
        {"name": "t", "kind": "text", "filled": 3, "longest": 4},
        {"name": "e", "kind": "empty", "filled": 0},
    ]


# --- one task -----------------------------------------------------------------------------------------------


class OneTask:
    """A ledger of one task that notes how it ended."""

    lease = 0.2

    def __init__(self, kind: str, request: dict[str, Any], *, keep: bool = True) -> None:
        self.claim_ = Claim(uuid.uuid4(), kind, request, 1)
        self.keep, self.ends = keep, list[tuple[Any, ...]]()
        self.renewed = 0

    def claim(self, _id: uuid.UUID, _worker: str) -> Claim:
        return self.claim_

    def renew(self, _claim: Claim) -> bool:
        self.renewed += 1
        return self.keep

    def finish(self, _claim: Claim, result: dict[str, Any], file: str | None) -> bool:
        self.ends.append(("done", result, file))
        return self.keep

    def fail(self, _claim: Claim, error: str) -> bool:
        self.ends.append(("failed", error))
        return True

    def retry(self, _claim: Claim, error: str) -> bool:
        self.ends.append(("retry", error))
        return True


def perform(settings: Settings, task: OneTask) -> str:
    return do(settings, task, task.claim_.id, "w")  # type: ignore[arg-type]


def test_an_export_ends_with_its_file(environ: dict[str, str]) -> None:
    settings = load(environ)
    task = OneTask("export", {"rows": [{"a": 1}], "format": "csv", "name": "n"})
    assert perform(settings, task) == "done"
    ((_, result, file),) = task.ends
    assert (result["rows"], file) == (1, f"exports/{task.claim_.id}.csv")
    assert (settings.data / file).read_text(encoding="utf-8-sig") == "a\n1\n"


def test_what_another_attempt_cannot_mend_fails_at_once(environ: dict[str, str]) -> None:
    gone = OneTask("export", {"upload": str(uuid.uuid4()), "format": "csv", "name": "n"})
    assert perform(load(environ), gone) == "failed"
    assert "no longer kept" in gone.ends[0][1]
    newer = OneTask("dance", {})
    assert perform(load(environ), newer) == "failed"
    assert newer.ends == [("failed", "unknown to this version: 'dance'")]


def test_trouble_is_tried_again(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> work.Done:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(work.KINDS, "export", full)
    task = OneTask("export", {})
    assert perform(load(environ), task) == "retry"
    assert task.ends == [("retry", "OSError: [Errno 28] No space left on device")]


def test_a_lost_claim_ends_the_work_without_a_trace(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(_settings: Settings, _ledger: Any, _claim: Claim, tick: work.Tick) -> work.Done:
        for _ in range(500):
            tick()
            time.sleep(0.01)
        raise AssertionError("never told")

    monkeypatch.setitem(work.KINDS, "export", slow)
    task = OneTask("export", {}, keep=False)
    assert perform(load(environ), task) == "lost"
    assert (task.ends, task.renewed) == ([], 1)


# --- old files ----------------------------------------------------------------------------------------------


def test_logs_of_past_days_are_packed_and_old_ones_removed(tmp_path: Path) -> None:
    today = f"app-{datetime.now(UTC):%Y-%m-%d}.jsonl"
    for name in (today, "app-2020-01-01.jsonl"):
        (tmp_path / name).write_text(f"{name}\n")
    old = tmp_path / "app-2019-01-01.jsonl.gz"
    old.write_bytes(b"")
    os.utime(old, (0, 0))
    assert work.rotate(tmp_path, 30) == {"logs_packed": 1, "logs_removed": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app-2020-01-01.jsonl.gz", today]
    assert gzip.decompress((tmp_path / "app-2020-01-01.jsonl.gz").read_bytes()) == b"app-2020-01-01.jsonl\n"


def test_the_night_removes_what_is_old_and_what_nobody_knows(environ: dict[str, str]) -> None:
    settings = load(environ)

    class Expiring(OneTask):
        def expire(self, days: int) -> list[str]:
            assert days == 30
            return ["exports/told.csv", "uploads/gone"]

    names = {"told.csv": 0.0, "young.csv": 1, "orphan.csv": 40, ".x.csv.1.part": 2, ".y.csv.1.part": 0.1}
    for name, age in names.items():
        path = settings.folder("exports") / name
        path.write_text("x")
        os.utime(path, (time.time() - age * 86400,) * 2)
    task = Expiring("cleanup", {})
    assert perform(settings, task) == "done"
    assert task.ends[0][1] == {"removed": 3, "logs_packed": 0, "logs_removed": 0}
    left = sorted(path.name for path in settings.folder("exports").iterdir())
    assert left == [".y.csv.1.part", "young.csv"]


def test_a_log_file_that_cannot_be_written_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logs, "_folder", tmp_path / "missing")
    logs.log("one")
    logs.log("two")
    out = capsys.readouterr().out
    assert out.count("log-file-trouble") == 1
    assert '"event": "two"' in out
