"""`./berth logs`, `backup` and `restore` where they need no engine: names, times, order, dumps of SQL."""

from __future__ import annotations

import gzip
import io
import queue
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from ops import backup, dumps, logs, members, stack
from ops.backup import stores
from ops.cli import app
from ops.errors import UserError
from stacks.outputs import ServiceOutputs, StackOutputs, StoreOutputs, SystemOutputs

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STORE = dumps.Store(
    name="mysql", system="s", service="mysql", container="c", kind="mysql", database="things", user="owner"
)


def service(*containers: str) -> ServiceOutputs:
    return ServiceOutputs(containers=list(containers), alias="a", port=1)


OUTPUTS = StackOutputs(
    systems={
        "celery": SystemOutputs(
            services={"nginx": service("n1"), "app": service("a1", "a2"), "postgres": service("p1")},
            stores={"postgres": StoreOutputs(kind="postgres", database="taifish", user="taifish")},
        ),
        "cloud-api": SystemOutputs(
            services={"nginx": service("n2"), "mysql": service("m1")},
            stores={"mysql": StoreOutputs(kind="mysql", database="editor", user="editor")},
        ),
    }
)


def test_each_replica_has_a_name_that_means_it_alone() -> None:
    found = {source.label: source.container for source in logs.sources(OUTPUTS, [])}
    assert found == {
        "celery/nginx": "n1",
        "app-1": "a1",
        "app-2": "a2",
        "postgres": "p1",
        "cloud-api/nginx": "n2",
        "mysql": "m1",
    }
    assert [source.container for source in logs.sources(OUTPUTS, ["mysql", "nginx"])] == ["n1", "n2", "m1"]
    assert [source.container for source in logs.sources(OUTPUTS, ["cloud-api/nginx"])] == ["n2"]


def test_an_unknown_name_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(UserError, match="web is no service of this stack") as refused:
        logs.sources(OUTPUTS, ["app", "web"])
    assert "celery/nginx, app, postgres, cloud-api/nginx, mysql" in refused.value.fix
    with pytest.raises(UserError, match="app is no store"):
        stores(OUTPUTS, ["app"])
    assert [(store.name, store.database) for store in stores(OUTPUTS)] == [
        ("postgres", "taifish"),
        ("mysql", "editor"),
    ]
    with pytest.raises(UserError, match="keeps no database"):
        stores(StackOutputs(systems={}))
    with pytest.raises(UserError) as refused:
        members.choose(["a"], {}, what="store")
    assert "the stack has none" in refused.value.fix


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("30s", NOW - timedelta(seconds=30)),
        ("10m", NOW - timedelta(minutes=10)),
        ("2d", NOW - timedelta(days=2)),
        ("2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_since_is_a_length_or_a_time(text: str, found: datetime) -> None:
    assert logs.moment(text, now=NOW) == found


def test_any_other_since_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    said = CliRunner().invoke(app, ["logs", "--since", "yesterday"])
    assert isinstance(said.exception, UserError) and "10m" in said.exception.fix


@given(st.lists(st.sampled_from(["2026-01-01T00:00:00Z a b", "2026-01-01T00:00:01Z "])), st.data())
def test_lines_are_whole_however_the_stream_is_cut(lines: list[str], data: st.DataObject) -> None:
    raw = "".join(f"{line}\r\n" for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)))))
    chunks = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert [f"{line.at} {line.text}" for line in logs.split("a", chunks)] == lines


def test_followed_lines_come_in_the_order_of_their_times() -> None:
    came: queue.Queue[logs.Line | logs.Source] = queue.Queue()
    for at, label in (("3", "a"), ("1", "b"), ("2", "a"), ("4", "b")):
        came.put(logs.Line(at=at, label=label, text=""))
    for label in "ab":
        came.put(logs.Source(label=label, container=label))
    assert [line.at for line in logs.settled(came, 2)] == ["1", "2", "3", "4"]


def test_ctrl_c_ends_a_follow_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_args: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stack, "open_stack", lambda *_args, **_options: None)
    monkeypatch.setattr(logs, "show", interrupted)
    assert CliRunner().invoke(app, ["logs", "-f"]).exit_code == 0
    assert CliRunner().invoke(app, ["logs"]).exit_code != 0


def sql(*lines: str) -> bytes:
    # Without its time: every test process must give its cases the same names.
    return gzip.compress("\n".join(lines).encode(), mtime=0)


WHOLE = (
    "-- Current Database: `things`",
    "INSERT INTO t VALUES ('x');",
    "-- Dump completed on 2026-01-01",
    "",
)


def test_a_whole_dump_is_measured(tmp_path: Path) -> None:
    file = tmp_path / "whole.sql.gz"
    long = "INSERT INTO t VALUES ('" + "-- Current Database: `other` " * 20_000 + "');"
    for lines in (WHOLE, (WHOLE[0], long, *WHOLE[2:])):
        file.write_bytes(sql(*lines))
        assert dumps.verify(None, STORE, file) == len("\n".join(lines))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (sql(), "it is empty"),
        (sql(*WHOLE)[:-12], "no whole dump"),
        (sql(*WHOLE[:2]), "its end is missing"),
        (sql(*WHOLE, "DROP TABLE t;"), "its end is missing"),
        (sql(*WHOLE[1:]), "of database none that it names"),
        (sql("-- Current Database: `mysql`", *WHOLE), "of database mysql, things"),
        (b"PGDMP...", "it is an archive of PostgreSQL"),
        (b"SELECT 1;", "it is no dump"),
    ],
)
def test_a_broken_dump_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "broken.sql.gz"
    file.write_bytes(content)
    with pytest.raises(UserError, match=why):
        dumps.verify(None, STORE, file)  # type: ignore[arg-type]


@pytest.mark.parametrize("failure", [UserError("the dump failed", fix="f"), KeyboardInterrupt(), None])
def test_only_a_whole_dump_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException | None
) -> None:
    def run(_client: Any, _container: str, _script: str, *_args: str, sink: Any, **_streamed: Any) -> None:
        sink("\n".join(WHOLE).encode())
        if failure:
            raise failure

    monkeypatch.setattr(dumps.streams, "run", run)
    path = tmp_path / "new" / "a.sql.gz"
    if failure:
        with pytest.raises(type(failure)):
            dumps.dump(None, STORE, path)  # type: ignore[arg-type]
        assert not list(path.parent.iterdir())
    else:
        assert dumps.dump(None, STORE, path) == path.stat().st_size  # type: ignore[arg-type]
        assert path.stat().st_mode & 0o777 == 0o600 and list(path.parent.iterdir()) == [path]


class Restored:
    """A stack whose server is only told what to do."""

    name, engine = "dev", SimpleNamespace(client=lambda: SimpleNamespace(close=lambda: None))

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *outcomes: BaseException | None) -> None:
        self.done: list[str] = []
        left = list(outcomes)

        def load(_client: Any, _store: dumps.Store, path: Path, _size: int) -> None:
            self.done.append(f"load {path.name.partition('-20')[0]}")
            if failure := left.pop(0):
                raise failure

        def verify(_client: Any, _store: dumps.Store, path: Path) -> int:
            self.done.append(f"verify {path.name.partition('-20')[0]}")
            return 1

        def dump(_client: Any, _store: dumps.Store, path: Path) -> int:
            self.done.append("copy")
            return 1

        for name, replaced in {"load": load, "verify": verify, "dump": dump}.items():
            monkeypatch.setattr(dumps, name, replaced)

    def export(self) -> dict[str, Any]:
        return {}

    def outputs(self, _exported: dict[str, Any]) -> StackOutputs:
        return OUTPUTS

    def restore(self, store: str, *, yes: bool = True) -> None:
        backup.restore(self, store, Path("given"), yes=yes)  # type: ignore[arg-type]


def test_a_restore_verifies_asks_and_copies_first(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Restored(monkeypatch, None)
    monkeypatch.setattr(backup, "ask", lambda _question: "production")
    with pytest.raises(UserError, match="nothing was changed"):
        stack.restore("mysql", yes=False)
    assert stack.done == ["verify given"]
    monkeypatch.setattr(backup, "ask", lambda _question: "dev")
    stack.restore("mysql", yes=False)
    assert stack.done[1:] == ["verify given", "copy", "load given"]


@pytest.mark.parametrize("failure", [UserError("refused", fix="f"), KeyboardInterrupt()])
def test_a_restore_that_ends_early_is_taken_back(
    monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    stack = Restored(monkeypatch, failure, None)
    with pytest.raises(type(failure)):
        stack.restore("mysql")
    kept = "before-restore-cloud-api-mysql"
    assert stack.done[2:] == ["load given", f"verify {kept}", f"load {kept}"]
    stack = Restored(monkeypatch, failure)
    with pytest.raises(type(failure)):
        stack.restore("postgres")  # its transaction has done so
    assert stack.done[2:] == ["load given"]
    stack = Restored(monkeypatch, failure, UserError("no server", fix="f"))
    with pytest.raises(UserError, match="putting back failed: no server") as told:
        stack.restore("mysql")
    assert kept in told.value.fix


def test_a_restore_leaves_extensions_alone() -> None:
    listed = b"""; Archive created at 2026-01-01
2; 3079 16400 EXTENSION - pg_trgm\x20
3500; 0 0 COMMENT - EXTENSION pg_trgm\x20
215; 1259 16385 TABLE public made things
3497; 0 16385 TABLE DATA public made things
"""
    kept = b"".join(line for line in listed.splitlines(keepends=True) if b"pg_trgm" not in line)
    assert dumps.without_extensions(listed) == kept


def test_no_password_is_in_a_script() -> None:
    for script in (*dumps._DUMP.values(), *dumps._LOAD.values()):
        assert "PGPASSWORD" not in script and "MYSQL_PWD" not in script and "--password" not in script


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("out", [io.StringIO, Terminal])
def test_colours_are_for_a_terminal_only(monkeypatch: pytest.MonkeyPatch, out: type[io.StringIO]) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout", shown := out())
    write = logs.printer(["app-1", "db"])
    write(logs.Line(at="", label="db", text="[bold]as it is[/bold] " + "long " * 40))
    write(logs.Line(at="", label="app-1", text="\x1b]0;a title\x07\x1b[2Jtext"))
    text = shown.getvalue()
    assert "[bold]as it is[/bold] long long" in text and text.count("\n") == 2
    assert ("\x1b[" in text.partition("\n")[0]) == (out is Terminal)
    if out is Terminal:
        assert "\x1b]" not in text and "\x1b[2J" not in text
    else:
        assert text.startswith("db    | [bold]")
