"""Debian and Ubuntu packages, installed quietly; their output is shown only when it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ops.errors import UserError
from ops.progress import say, step


def usable() -> bool:
    """Whether packages can be installed here: apt, and root."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None and Path("/etc/debian_version").exists()


def install(*packages: str, why: str) -> None:
    """Installs packages. Raises UserError with apt's own words when it fails."""
    names = " ".join(packages)
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]
    with step(f"Installing {names} with apt ({why})"):
        # An outdated list is the usual cause of a failed install, a failed update alone does not matter.
        _run([*apt, "update"])
        done = _run([*apt, "install", "--no-install-recommends", *packages])
    if done.returncode:
        say(done.stdout.rstrip())
        raise UserError(
            f"apt could not install {names} (exit code {done.returncode}; its output is above)",
            fix=f"make `apt-get install {names}` work, then run the same command again",
        )


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # RUNLEVEL: without systemd, packages would start their daemons, which nobody asked for.
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"},
    )
