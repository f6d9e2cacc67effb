"""The two ways in which lists are answered piece by piece."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import Field

from emulator.api import errors
from emulator.api.call import Request

T = TypeVar("T")


class Numbered(Request):
    """Page by page: `PageNumber` from 1, `PageSize` up to what the service allows."""

    page_number: Annotated[int, Field(ge=1)] = 1
    page_size: Annotated[int, Field(ge=1, le=50)] = 10


class Tokened(Request):
    """From token to token: `NextToken` goes on where the last answer stopped."""

    next_token: str = ""
    max_results: Annotated[int, Field(ge=1, le=100)] | None = None


class Either(Numbered):
    """Lists that grew up with pages and learned tokens: with `MaxResults` or `NextToken`, tokens."""

    page_size: Annotated[int, Field(ge=1, le=100)] = 10
    next_token: str = ""
    max_results: Annotated[int, Field(ge=1, le=100)] | None = None


def numbered(request: Numbered, found: Sequence[T]) -> tuple[Sequence[T], dict[str, Any]]:
    """The page that was asked for, and what the answer says of it."""
    start = (request.page_number - 1) * request.page_size
    counts = {"TotalCount": len(found), "PageNumber": request.page_number, "PageSize": request.page_size}
    return found[start : start + request.page_size], counts


def tokened(
    token: str, most: int | None, found: Sequence[T], *, default: int = 10
) -> tuple[Sequence[T], dict[str, Any]]:
    """The piece after the token. Raises ApiError for a token that no answer had."""
    start = 0
    if token:
        try:
            start = int(base64.urlsafe_b64decode(token.encode()).decode())
        except (ValueError, binascii.Error):
            raise errors.invalid("NextToken") from None
        if start < 0:
            raise errors.invalid("NextToken")
    end = start + (most or default)
    following = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(found) else ""
    return found[start:end], {
        "NextToken": following,
        "MaxResults": most or default,
        "TotalCount": len(found),
    }


def either(request: Either, found: Sequence[T]) -> tuple[Sequence[T], dict[str, Any]]:
    """By token where the request has one or asks for `MaxResults`, else by page."""
    if request.next_token or request.max_results is not None:
        part, said = tokened(request.next_token, request.max_results, found)
        return part, said | {"PageNumber": 0, "PageSize": 0}
    part, said = numbered(request, found)
    return part, said | {"NextToken": ""}
