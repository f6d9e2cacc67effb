"""Texts that may stand in an nginx configuration; what cannot be written there safely is refused by name."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field


def _plain(text: str) -> str:
    # nginx knows no way to write a dollar sign that is not a variable.
    if "$" in text or not text.isprintable():
        raise ValueError("allowed: printable text without $ on one line")
    return text


UrlPath = Annotated[
    str,
    Field(
        pattern=r"^/[A-Za-z0-9._~@:+,=/-]*$",
        description="a path of a URL, not percent-encoded, like /api/",
    ),
]
HostName = Annotated[
    str,
    Field(
        pattern=r"^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$",
        max_length=253,
        description="a host name, or all names below one: *.example.com",
    ),
]
HeaderName = Annotated[
    str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$", max_length=100, description="name of a header")
]
PlainText = Annotated[str, AfterValidator(_plain)]
ByteSize = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,9}[kmg]?$", description="a size, like 512k or 20m")]
