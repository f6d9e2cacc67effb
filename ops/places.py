"""Where berth keeps things: the project's folder, and the user's folders after the XDG rules."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(os.environ.get("BERTH_ROOT") or Path(__file__).resolve().parent.parent)


def _home(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    # The XDG specification has relative values ignored.
    base = Path(value) if value.startswith("/") else Path.home() / default
    return base / "berth"


def cache() -> Path:
    """What can be made again: base image archives, the built CLI."""
    return _home("XDG_CACHE_HOME", ".cache")


def data() -> Path:
    """What must not be lost: the state of local stacks, locks, logs of what berth started."""
    return _home("XDG_DATA_HOME", ".local/share")


def config() -> Path:
    """The generated passphrase."""
    return _home("XDG_CONFIG_HOME", ".config")
