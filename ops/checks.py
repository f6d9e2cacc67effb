"""`./berth test`: all that must hold before a change goes in. What cannot run fails; nothing is skipped."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

from ops import apt, base_image, engine
from ops.errors import UserError
from ops.places import ROOT
from ops.progress import say
from ops.project import StackFile

# Programs that tests start, and the Debian packages that bring them.
PROGRAMS = {
    "iptables": "iptables",
    "ip": "iproute2",
    "debootstrap": "debootstrap",
    "docker-registry": "docker-registry",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "chromium": "chromium",
    "certutil": "libnss3-tools",
}
LINT: dict[str, tuple[str, ...]] = {
    "ruff check": ("-m", "ruff", "check", "."),
    "ruff format": ("-m", "ruff", "format", "--check", "."),
    "mypy": ("-m", "mypy"),
    "import-linter": ("-c", "from importlinter.cli import lint_imports_command as run; run()"),
}
# What answers fastest comes first.
FAST = ("tests/unit", "tests/policy")
# Whole systems, composed under mocks, and the emulator of Alibaba Cloud: no engine, but more than a moment.
WHOLE = ("tests/systems", "tests/cloud")
SLOW = ("tests/docker", "tests/engine")
# Nothing is shared between fast tests. A process more than cores costs more than it gains, unless tests wait.
ALL_CORES = ("-n", "auto", "--dist", "worksteal")
TOGETHER = ("-n", "3", "--dist", "worksteal")
# The others wait for containers most of the time. What is in one file shares its stack and its images.
BESIDE = ("-n", "3", "--dist", "loadfile", "--durations", "30")


def run(arguments: Sequence[str]) -> int:
    """Lint, types, architecture, then every test. With arguments: only pytest, with them. The exit status."""
    failed = [] if arguments else lint()
    with_engine = not arguments or not _fast(arguments)
    started: engine.Engine | None = None
    try:
        if with_engine:
            provide_programs()
            started = engine.ensure()
            base_image.ensure(started, StackFile("dev"))
        # Every part runs, also after one that fails.
        parts = [_wanted(arguments)]
        if not arguments:
            parts = [
                (*ALL_CORES, "-m", "not slow", *FAST),
                (*TOGETHER, "-m", "slow", *FAST),
                (*TOGETHER, *WHOLE),
                (*BESIDE, *SLOW),
            ]
        passed = [pytest(part) for part in parts]
        if not all(passed):
            failed.append("pytest")
    finally:
        if started is not None:
            started.stop()
    if failed:
        say(f"failed: {', '.join(failed)}")
        return 1
    return 0


def lint() -> list[str]:
    """Runs each check; the names of those that failed."""
    failed = []
    for name, command in LINT.items():
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        say(f"{name}: {'ok' if done.returncode == 0 else 'FAILED'} ({time.monotonic() - began:.0f} s)")
        if done.returncode:
            say(done.stdout.rstrip())
            failed.append(name)
    return failed


def _wanted(arguments: Sequence[str]) -> Sequence[str]:
    """pytest's arguments for those of a person: fast tests together, unless an option says otherwise."""
    plain = not any(word.startswith("-") and word != "-m" for word in arguments)
    together = ALL_CORES if "not slow" in arguments else TOGETHER
    return (*together, *arguments) if plain and _fast(arguments) else arguments


def _fast(arguments: Sequence[str]) -> bool:
    """Whether the paths among the arguments need no engine."""
    paths = [word for word in arguments if "/" in word and not word.startswith("-")]
    return bool(paths) and all(path.startswith((*FAST, *WHOLE)) for path in paths)


def provide_programs() -> None:
    """Installs what the tests start, where that is allowed.

    Raises UserError naming what is missing elsewhere.
    """
    missing = {program: package for program, package in PROGRAMS.items() if not _which(program)}
    if not missing:
        return
    packages = sorted(set(missing.values()))
    if not apt.usable():
        raise UserError(
            f"the tests start programs that are not here: {', '.join(missing)}",
            fix=f"as root: apt-get install {' '.join(packages)}",
        )
    apt.install(*packages, why="the tests start them")
    if gone := [program for program in missing if not _which(program)]:
        raise UserError(
            f"still missing after the installation: {', '.join(gone)}", fix="install them by hand"
        )


def _which(program: str) -> bool:
    # /usr/sbin is not on every user's PATH.
    places = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/sbin", "/sbin"]
    return any(os.access(Path(place) / program, os.X_OK) for place in places if place)


def pytest(arguments: Sequence[str]) -> bool:
    """Runs pytest; False when something failed, or was skipped."""
    with tempfile.TemporaryDirectory(prefix="berth-test-") as folder:
        report = Path(folder) / "report.xml"
        code = subprocess.run(
            [sys.executable, "-m", "pytest", f"--junitxml={report}", *arguments], cwd=ROOT
        ).returncode
        skipped = skips(report)
    for test, reason in skipped:
        say(f"skipped, which counts as failed: {test}: {reason}")
    return code == 0 and not skipped


def skips(report: Path) -> list[tuple[str, str]]:
    """The skipped tests of a JUnit report and why."""
    if not report.exists():
        return []
    root = ElementTree.parse(report).getroot()  # noqa: S314 - written by pytest a moment ago
    return [
        (f"{case.get('classname')}::{case.get('name')}", mark.get("message") or "no reason given")
        for case in root.iter("testcase")
        for mark in case.iter("skipped")
    ]
