"""`./berth lock`: renews the lock files from pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ops.bootstrap import CLOUD_LOCK, DEV_LOCK, RUNTIME_LOCK
from ops.errors import UserError
from ops.places import ROOT
from ops.progress import step

_COMPILE = (
    "pip", "compile", "pyproject.toml", "--quiet", "--universal", "--python-version", "3.11",
    "--generate-hashes", "--no-emit-index-url", "--no-header",
)  # fmt: skip


def renew(*, upgrade: bool) -> None:
    """Compiles the lock files, each under the constraints of those before.

    upgrade: take newer versions.
    """
    uv = Path(sys.executable).with_name("uv")
    newer = ["--upgrade"] if upgrade else []
    for lock, extra in {
        RUNTIME_LOCK: newer,
        CLOUD_LOCK: ["--group", "cloud", "-c", RUNTIME_LOCK, *newer],
        DEV_LOCK: ["--group", "dev", "-c", RUNTIME_LOCK, "-c", CLOUD_LOCK, *newer],
    }.items():
        with step(f"Renewing {lock}"):
            done = subprocess.run(
                [uv, *_COMPILE, *extra, "-o", lock], cwd=ROOT, capture_output=True, text=True
            )
        if done.returncode:
            raise UserError(
                f"{lock} could not be renewed: {done.stderr.strip()}",
                fix="make the package index reachable, or correct pyproject.toml",
            )
