"""The engine's output: as lines without a terminal, live in one, and kept for the explanation in both."""

from __future__ import annotations

import io
import os
import pty
from pathlib import Path

import pytest

from ops.errors import UserError
from ops.pulumi import Pulumi

FAILS = """#!/bin/sh
if [ -t 0 ] && [ -t 1 ]; then echo live; else echo lines; fi
echo "arguments: $*"
printf 'web creating (1s)\\rweb creating (2s)\\n'
echo 'error: port 8010 is taken'
exit 255
"""


@pytest.fixture
def engine(tmp_path: Path) -> Pulumi:
    program = tmp_path / "pulumi"
    program.write_text(FAILS)
    program.chmod(0o755)
    return Pulumi(program=str(program), environment={}, stack="dev")


def test_without_a_terminal_it_is_lines(engine: Pulumi) -> None:
    shown = io.StringIO()
    with pytest.raises(UserError, match="port 8010 is taken"):
        engine.stream("up", "--yes", to=shown)
    assert "lines\n" in shown.getvalue()
    assert "arguments: up --yes --color never --non-interactive\n" in shown.getvalue()


def test_without_a_terminal_a_look_that_found_nothing_is_no_line(engine: Pulumi) -> None:
    changed = " ~  docker:index:Container web refresh (0.5s) [diff: ~ports]"
    lines = [
        " ~  pulumi:pulumi:Stack berth-dev refreshing (0s) ",
        " ~  docker:index:Container web refreshing ",
        " ~  docker:index:Container web refresh (0.53s) ",
        " ~  docker:index:Container web refresh (1m2s)",
        changed,
        " ~  docker:index:Container refresh updating (0s) ",
    ]
    script = "".join(f"echo '{line}'\n" for line in lines)
    Path(engine.program).write_text(f"#!/bin/sh\n{script}")
    shown = io.StringIO()
    assert engine.stream("up", "--yes", to=shown).splitlines() == lines
    assert shown.getvalue().splitlines() == [changed, lines[-1]]


def test_in_a_terminal_it_is_live(engine: Pulumi) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen, os.fdopen(theirs, "w") as target:
        with pytest.raises(UserError, match="port 8010 is taken"):
            engine.stream("up", "--yes", to=target)
        shown = screen.read(65536).decode()
    assert "live" in shown and "--non-interactive" not in shown
    assert "web creating (1s)\rweb creating (2s)" in shown
