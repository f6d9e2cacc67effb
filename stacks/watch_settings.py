"""What a stack file may say of the two that look after a system: its health, line by line, and its logs."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from components.care.clock import Hour, Minute, TimeZone
from components.stores.sizes import Size
from components.units import Duration
from stacks.system import ServiceSettings


class Watch(ServiceSettings):
    """Health in `health.log` and logs that do not fill the disk, both in the volume `logs`."""

    workload: ClassVar[str | None] = "care"
    every: Duration = Duration("1m")
    """Between two lines of health."""
    hour: Hour = 3
    minute: Minute = 0
    time_zone: TimeZone = "Asia/Shanghai"
    """Of hour and minute, when logs are cut; one that is too large is cut at once."""
    max_size: Size = Size("100MiB")
    keep_days: Annotated[int, Field(ge=1, le=3660)] = 28
    """Older archives go."""
