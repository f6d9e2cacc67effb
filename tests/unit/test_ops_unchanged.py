"""When an `up` would end as the last one did, and all that says it would not."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ops import places, recorded, unchanged
from stacks.reads import VARIABLE

STATE: dict[str, Any] = {
    "version": 3,
    "deployment": {"resources": [{"type": "docker:index/container:Container"}]},
}


@dataclass
class Bench:
    """A project with a stack that was brought up once."""

    folder: Path
    stack: Any
    state: dict[str, Any]

    @property
    def elsewhere(self) -> Path:
        """What a link of the project leads to."""
        return self.folder / "elsewhere"

    @property
    def cellar(self) -> Path:
        """What the program reads."""
        return self.folder / "cellar"

    @property
    def project(self) -> Path:
        return self.folder / "project"

    def up(self, *reads: Path, began: float | None = None) -> None:
        inputs = unchanged.inputs(self.stack)
        with unchanged.followed(self.stack) as (followed, said):
            assert followed.pulumi.environment[VARIABLE] == str(said)
            said.write_text("".join(f"{path}\n" for path in reads))
            unchanged.remember(
                self.stack, inputs, self.state, reads=said, began=time.time() + 1 if began is None else began
            )

    def due(self) -> bool:
        return unchanged.since(self.stack, unchanged.inputs(self.stack), self.state) is None


@dataclass(frozen=True)
class Pulumi:
    program: str
    environment: dict[str, str]


@dataclass(frozen=True)
class Stack:
    key: str
    pulumi: Pulumi
    engine: Any


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))
    monkeypatch.setattr(places, "ROOT", tmp_path / "project")
    for name in ("project/a/b", "project/.git", "elsewhere", "cellar", "pulumi/plugins"):
        (tmp_path / name).mkdir(parents=True)
    files = """
        project/__main__.py project/a/b/text project/large project/.git/index
        elsewhere/key.pem cellar/key.pem pulumi/cli
    """
    for name in files.split():
        (tmp_path / name).write_text(name)
    (tmp_path / "project/large").write_bytes(bytes(1 << 21))
    (tmp_path / "project/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "project/loop").symlink_to(".")
    (tmp_path / "project/a/self").symlink_to("self")
    (tmp_path / "project/all").symlink_to("/")
    pulumi = Pulumi(program=str(tmp_path / "pulumi/cli"), environment={"PULUMI_STACK": "dev"})
    stack = Stack(key="file-dev", pulumi=pulumi, engine=SimpleNamespace(host="unix:///var/run/docker.sock"))
    return Bench(folder=tmp_path, stack=stack, state=STATE)


def test_the_first_up_is_due(bench: Bench) -> None:
    assert bench.due()


def test_what_has_not_changed_is_not_due(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.up(bench.cellar / "key.pem", bench.cellar, bench.cellar / "absent")
    assert not bench.due()
    assert (places.data() / "unchanged/file-dev.json").stat().st_mode & 0o777 == 0o600
    (bench.project / ".git/index").write_text("a commit of the same files")
    (bench.project / "a/__pycache__").mkdir()
    bench.state = {**STATE, "deployment": {**STATE["deployment"], "manifest": {"time": "later"}}}
    monkeypatch.setenv("OLDPWD", "/")
    monkeypatch.setenv("SSH_CONNECTION", "another")
    assert not bench.due()


def _with_a_secret(text: str, *, custom: bool = True, **more: Any) -> dict[str, Any]:
    secret = {recorded.SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": text}
    resource = {"type": "docker:index/container:Container", "inputs": {"uploads": [{"content": secret}]}}
    resource["custom"] = custom
    return {"deployment": {"resources": [{**resource, **more}]}}


def test_another_order_is_no_change(bench: Bench) -> None:
    def resource(*urns: str) -> dict[str, Any]:
        kind = "docker:index/container:Container"
        return {
            "type": kind,
            "dependencies": [*urns],
            "propertyDependencies": {"mounts": [*urns], "name": None},
        }

    other = {"type": "docker:index/network:Network"}
    bench.state = {"deployment": {"resources": [resource("a", "b"), other]}}
    bench.up()
    bench.state = {"deployment": {"resources": [other, resource("b", "a")]}}
    assert not bench.due()
    bench.state = {"deployment": {"resources": [other, resource("b", "c")]}}
    assert bench.due()


def test_secrets_that_were_only_encrypted_anew_are_no_change(bench: Bench) -> None:
    bench.state = _with_a_secret("v1:a", modified="2026-01-01T00:00:00Z")
    bench.up()
    bench.state = _with_a_secret("v1:b", modified="2026-01-01T00:00:00Z")
    assert not bench.due()
    bench.state = _with_a_secret("v1:b", modified="2026-01-02T00:00:00Z")
    assert bench.due()
    # Of what does not say when it was changed, nobody knows.
    bench.state = _with_a_secret("v1:a")
    bench.up()
    bench.state = _with_a_secret("v1:b")
    assert bench.due()


def test_a_secret_of_what_no_plugin_makes_is_a_change_however_it_looks(bench: Bench) -> None:
    """Its `modified` stays when its outputs change."""
    bench.state = _with_a_secret("v1:a", custom=False, modified="2026-01-01T00:00:00Z")
    bench.up()
    bench.state = _with_a_secret("v1:b", custom=False, modified="2026-01-01T00:00:00Z")
    assert bench.due()


CHANGES: dict[str, Callable[[Bench], Any]] = {
    "a file": lambda it: (it.project / "a/b/text").write_text("other"),
    "a mode": lambda it: (it.project / "a/b/text").chmod(0o700),
    "a new file": lambda it: (it.project / "a/new").touch(),
    "a file that is gone": lambda it: (it.project / "__main__.py").unlink(),
    "a link": lambda it: ((it.project / "link").unlink(), (it.project / "link").symlink_to("/")),
    "a file below a link": lambda it: (it.elsewhere / "key.pem").write_text("renewed"),
    "a large file": lambda it: (it.project / "large").write_bytes(bytes(1 << 21)),
    "a variable": lambda it: it.stack.pulumi.environment.update(PULUMI_CONFIG="other"),
    "the tool": lambda it: (it.folder / "pulumi/cli").write_text("newer"),
    "a plugin": lambda it: (it.folder / "pulumi/plugins/resource-docker").mkdir(),
    "the engine": lambda it: setattr(it.stack.engine, "host", "ssh://root@other"),
    "the state": lambda it: it.state.update(deployment={}),
    "the mode of a file elsewhere": lambda it: (it.cellar / "key.pem").chmod(0o700),
    "a file elsewhere": lambda it: (it.cellar / "key.pem").write_text("renewed"),
    "a name in a folder elsewhere": lambda it: (it.cellar / "more").touch(),
    "a file that came to be": lambda it: (it.cellar / "absent").touch(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_each_change_makes_it_due(bench: Bench, change: Callable[[Bench], Any]) -> None:
    bench.state = dict(STATE)
    bench.up(bench.cellar / "key.pem", bench.cellar, bench.cellar / "absent")
    assert not bench.due()
    change(bench)
    assert bench.due()


def test_after_a_day_it_is_due(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.up()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + unchanged.AGE - 60)
    assert not bench.due()
    monkeypatch.setattr(time, "time", lambda: now + unchanged.AGE + 60)
    assert bench.due()
    monkeypatch.setattr(time, "time", lambda: now - 60)
    assert bench.due(), "a clock that was set back proves nothing"


def test_what_was_written_while_it_ran_proves_nothing(bench: Bench) -> None:
    bench.up(bench.cellar / "key.pem", began=time.time() - 60)
    assert bench.due()
    (bench.cellar / "key.pem").touch()
    os.utime(bench.project / "__main__.py")
    bench.up(began=time.time() - 60)
    assert bench.due(), "who knows which of a file's two contents the program had"


def test_what_cannot_be_remembered_fails_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.up()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with unchanged.followed(bench.stack) as (_, said):
        said.write_bytes(b"")
        unchanged.remember(
            bench.stack, unchanged.inputs(bench.stack), STATE, reads=said, began=time.time() + 1
        )
    assert bench.due()


def test_what_comes_and_goes_in_the_project_stops_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: [*listed(path), path / "swap"])
    bench.up()
    assert not bench.due()


def test_a_vast_project_is_run_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "_MOST", 3)
    bench.up()
    assert bench.due()


def test_another_stacks_outputs_may_change_at_any_time(bench: Bench) -> None:
    bench.state = {"deployment": {"resources": [{"type": "pulumi:pulumi:StackReference"}]}}
    bench.up()
    assert bench.due()


def test_a_program_that_does_not_tell_what_it_reads_is_run_again(bench: Bench) -> None:
    with unchanged.followed(bench.stack) as (_, said):
        unchanged.remember(bench.stack, unchanged.inputs(bench.stack), STATE, reads=said, began=time.time())
    assert bench.due()


def test_a_record_of_another_version_is_none(bench: Bench) -> None:
    bench.up()
    for text in ("{}", "[]", "{", '{"inputs": "a"}'):
        (places.data() / "unchanged/file-dev.json").write_text(text)
        assert bench.due()


PROGRAM = """
import os, sys, subprocess
from pathlib import Path
from stacks.reads import follow

project, elsewhere = Path(sys.argv[1]), Path(sys.argv[2])
follow(project)
(project / "mine").read_text()
(project / "link").read_text()
for _ in range(2):
    (elsewhere / "key.pem").read_bytes()
try:
    open(elsewhere / "absent")
except FileNotFoundError:
    pass
os.listdir(elsewhere)
list(os.scandir(bytes(elsewhere / "b")))
(elsewhere / "written").write_text("x")
(project / ".git/HEAD").read_text()
sys.path.append(str(elsewhere))
import helper, json.tool, sqlite3
os.listdir(sys.base_prefix)
os._exit(0)
"""


def test_a_program_tells_what_it_reads_outside_the_project(tmp_path: Path) -> None:
    project, elsewhere, said = tmp_path / "project", tmp_path / "elsewhere", tmp_path / "said"
    project.mkdir()
    (elsewhere / "b").mkdir(parents=True)
    (project / "mine").touch()
    (elsewhere / "key.pem").touch()
    (project / "link").symlink_to(elsewhere / "linked")
    (elsewhere / "linked").touch()
    (project / ".git").mkdir()
    (project / ".git/HEAD").touch()
    (elsewhere / "helper.py").touch()
    py_compile.compile(str(elsewhere / "helper.py"))
    environment = {**os.environ, VARIABLE: str(said), "PYTHONPATH": str(places.ROOT)}
    command = [sys.executable, "-c", PROGRAM, str(project), str(elsewhere)]
    subprocess.run(command, env=environment, check=True)
    everything = said.read_text().splitlines()
    assert sys.base_prefix in everything and not [line for line in everything if "site-packages" in line]
    lines = [line for line in everything if line.startswith(str(tmp_path))]
    read = (project / "link", elsewhere / "key.pem", elsewhere / "absent", elsewhere, elsewhere / "b")
    then = (project / ".git/HEAD", elsewhere / "helper.py")
    assert lines == [str(path) for path in (*read, *then)]
    said.unlink()
    del environment[VARIABLE]
    subprocess.run(command, env=environment, check=True)
    assert not said.exists(), "nobody asked"
