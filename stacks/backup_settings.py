"""What a stack file may say of the nightly dump of a database."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components.care.clock import Hour, Minute, TimeZone
from components.spec import Spec


class NightlyDump(Spec):
    """When a database is dumped, and for how long the dumps are kept."""

    hour: Hour = 2
    minute: Minute = 0
    time_zone: TimeZone = "Asia/Shanghai"
    """Of hour and minute."""
    keep_days: Annotated[int, Field(ge=1, le=3660)] = 28
    """Older dumps go, once a newer one is good."""
