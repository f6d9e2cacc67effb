"""The pack as a process: it ends with the one that started it, however that one ends."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Starts the pack as a language host does, in a group of its own, and is then killed as nothing can catch it.
PARENT = """
import os, signal, subprocess, sys
command = [sys.executable, "-u", *sys.argv[2:]]
pack = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, process_group=0)
print(pack.pid, flush=True)
if sys.argv[1] == "serving":
    print(pack.stdout.readline().decode().strip(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["starting", "serving"])
@pytest.mark.parametrize(
    "command", [["-m", "pulumi.policy", "127.0.0.1:0", "policies"], ["policies"]], ids=["sdk", "direct"]
)
def test_it_ends_with_a_parent_that_was_killed(when: str, command: list[str]) -> None:
    parent = subprocess.run(
        [sys.executable, "-c", PARENT, when, *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    pid, *port = parent.stdout.split()
    assert not port or port[0].isdigit()
    pack = Path("/proc", pid)
    deadline = time.monotonic() + 10
    while pack.exists() and "Z (zombie)" not in (pack / "status").read_text():
        if time.monotonic() > deadline:
            subprocess.run(["kill", "-9", pid], check=True)
            raise AssertionError(f"the pack is still there: {command}, {when}")
        time.sleep(0.1)
