"""Signs of life where there is no terminal."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from ops import progress
from ops.progress import signs_of_life, step
from ops.pulumi import Pulumi

SHIPPED, TICK = progress.TICK, 0.05


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "TICK", TICK)


def test_nobody_waits_longer_than_15_seconds_for_a_sign() -> None:
    assert SHIPPED <= 15


def test_a_long_step_says_how_long_it_has_been_at_it(capsys: pytest.CaptureFixture[str]) -> None:
    with step("building"):
        time.sleep(TICK * 4)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "building ..." and lines[-1] == "building: done in 0 s"
    assert 2 <= lines.count("  still at it: building (0 s)") <= 4


def test_a_step_that_talks_needs_no_sign(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough for a machine that is busy elsewhere between two words.
    monkeypatch.setattr(progress, "TICK", 2.0)
    with signs_of_life("update") as seen:
        for _ in range(25):
            time.sleep(0.1)
            seen()
    assert capsys.readouterr().err == ""


def pulumi(tmp_path: Path, script: str) -> Pulumi:
    program = tmp_path / "pulumi"
    program.write_text(f"#!{sys.executable}\nimport time\n{script}\n")
    program.chmod(0o755)
    return Pulumi(program=str(program), environment={}, stack="dev")


def test_a_run_that_is_silent_shows_that_it_lives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "made" in pulumi(tmp_path, "time.sleep(0.4); print('made')").stream("up")
    shown = capsys.readouterr()
    assert shown.out == "made\n" and "still at it: pulumi up of stack dev" in shown.err


def test_a_captured_run_shows_that_it_lives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pulumi(tmp_path, "time.sleep(0.4); print('{}')").capture("stack", "export") == "{}\n"
    shown = capsys.readouterr()
    assert shown.out == "" and "still at it: pulumi stack export of stack dev" in shown.err
