"""RAM 2015-05-01: its registry of actions, its names and its pages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeVar

from pydantic import BeforeValidator, Field

from emulator.api.call import Request, Says, Tag
from emulator.api.dispatch import Service
from emulator.api.errors import ApiError
from emulator.api.paging import tokened
from emulator.cloud import Cloud

RAM: Final = Service("ram", "2015-05-01", regional=False)

T = TypeVar("T")


def invalid_chars(name: str) -> Says:
    return Says(f"InvalidParameter.{name}.InvalidChars", f'The parameter - "{name}" contains invalid chars.')


def too_long(name: str) -> Says:
    return Says(f"InvalidParameter.{name}.Length", f'The parameter - "{name}" beyond the length limit.')


def _loaded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("no JSON") from None


Tags = Annotated[tuple[Tag, ...], BeforeValidator(_loaded), Field(max_length=20)]
"""`Tag.1.Key=...`, or all of them as JSON in one parameter, as the official provider sends them."""
Names = Annotated[tuple[str, ...], BeforeValidator(_loaded), Field(max_length=50)]

RoleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,64}$"), invalid_chars("RoleName")]
PolicyName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,128}$"), invalid_chars("PolicyName")]
UserName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$"), invalid_chars("UserName")]
PolicyType = Annotated[
    str,
    Field(pattern="^(System|Custom)$"),
    Says("InvalidParameter.PolicyType", 'The parameter - "PolicyType" is incorrect.'),
]


class Marked(Request):
    """Lists from marker to marker, as RAM has them."""

    marker: str = ""
    max_items: Annotated[int, Field(ge=1, le=1000)] = 100


def marked(given: Marked, found: Sequence[T]) -> tuple[Sequence[T], dict[str, Any]]:
    """The piece after the marker, and what the answer says of it."""
    part, said = tokened(given.marker, given.max_items, found)
    more = said["NextToken"]
    return part, {"IsTruncated": bool(more)} | ({"Marker": more} if more else {})


def not_there(what: str, message: str) -> ApiError:
    return ApiError(404, f"EntityNotExist.{what}", message)


def already(what: str, message: str) -> ApiError:
    return ApiError(409, f"EntityAlreadyExists.{what}", message)


def in_use(what: str, message: str) -> ApiError:
    return ApiError(409, f"DeleteConflict.{what}", message)


def limit(what: str, message: str) -> ApiError:
    return ApiError(409, f"LimitExceeded.{what}", message)


def number(cloud: Cloud, first: str) -> str:
    """An id of 18 digits, as users and roles have: the first says which of them."""
    digest = hashlib.sha256(cloud.new_id("ram-").encode()).hexdigest()
    return first + f"{int(digest, 16) % 10**17:017d}"
