"""Policies of automatic snapshots and the disks that have them, as they are kept."""

from __future__ import annotations

from emulator.store import Thing
from emulator.tags import Tagged


class AutoSnapshotPolicy(Tagged, kind="auto-snapshot-policy"):
    name: str = ""
    weekdays: tuple[int, ...]
    """1 is Monday."""
    hours: tuple[int, ...]
    """Of the day, 0 to 23, at UTC+8."""
    retention: int
    """Days; -1: for good."""
    resource_group: str
    copies: bool = False
    """Into other regions. Kept and answered; no copy is made here."""
    copy_regions: tuple[str, ...] = ()
    copy_retention: int = -1
    copy_encrypted: bool = False
    copy_key: str = ""


class AutoSnapshotAssociation(Thing, kind="auto-snapshot-association"):
    """A disk that has a policy. Its id is the disk's."""

    policy: str
