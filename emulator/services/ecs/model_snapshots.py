"""Snapshots of disks, as they are kept."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from emulator.tags import Tagged


class Snapshot(Tagged, kind="snapshot"):
    """What was on a disk at a moment. Its bytes are a file beside those of the disks."""

    name: str = ""
    description: str = ""
    disk: str
    size: int
    """GiB of the disk, then."""
    encrypted: bool = False
    kms_key: str = ""
    category: Literal["standard", "flash"] = "standard"
    retention_days: int = 0
    """Until it goes by itself; 0: it stays."""
    automatic: bool = False
    """Made by a policy of its disk."""
    resource_group: str
    status: Literal["progressing", "accomplished"]
    since: datetime
    changed: datetime
    trouble: str = ""
