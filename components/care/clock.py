"""Words for the time of day. Free of pulumi, so that settings load without the SDK."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Hour = Annotated[int, Field(ge=0, le=23)]
Minute = Annotated[int, Field(ge=0, le=59)]
TimeZone = Annotated[
    str,
    Field(
        pattern=r"^(UTC|[A-Z][A-Za-z]+(/[A-Z][A-Za-z_-]+){1,2})$",
        description="UTC, or a name such as Asia/Shanghai",
    ),
]
