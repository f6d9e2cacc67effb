"""Times as the APIs write them: UTC, to the minute or to the second."""

from __future__ import annotations

from datetime import datetime


def minutes_utc(time: datetime) -> str:
    """2026-11-23T07:05Z, as ECS writes it."""
    return time.strftime("%Y-%m-%dT%H:%MZ")


def seconds_utc(time: datetime) -> str:
    """2026-11-23T07:05:31Z, as the other services write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
