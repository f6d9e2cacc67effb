"""What is known of a host's NVIDIA driver without asking anybody: this machine's is in /proc."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from components.host_spec import AnyHostSpec, LocalHost
from stacks.engine_context import context

DRIVER: Final = Path("/proc/driver/nvidia/version")
_MODULE = re.compile(r"Kernel Module\s+(?:for \S+\s+)?([0-9.]+)")


def is_here(host: AnyHostSpec) -> bool:
    """Whether the engine is on this machine: reached at a socket, not over TCP or SSH."""
    if not isinstance(host, LocalHost):
        return False
    _, named = context() or ("", "unix://")
    return (host.address or os.environ.get("DOCKER_HOST") or named).startswith("unix://")


def driver(file: Path = DRIVER) -> str | None:
    """The version of this machine's driver; None without one."""
    try:
        return version(file.read_text(encoding="utf-8"))
    except OSError:
        return None


def version(text: str) -> str | None:
    """The driver's version in what the kernel says of it."""
    found = _MODULE.search(text)
    return found[1] if found else None
