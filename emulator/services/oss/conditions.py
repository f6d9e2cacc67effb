"""What a request makes its answer depend on: the state of an object, and the piece of it that is wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from emulator.services.oss import errors
from emulator.services.oss.errors import OssError
from emulator.services.oss.model import Object

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


def _time(text: str) -> datetime | None:
    """None for what is no date: such a condition does not count, says RFC 9110."""
    try:
        time = parsedate_to_datetime(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def unchanged(one: Object, headers: Mapping[str, str], before: str = "") -> bool:
    """Whether the answer is 304. Raises OssError for a condition that does not hold.

    before: how the headers' names begin, x-oss-copy-source- for the source of a copy.
    """
    modified = one.created.replace(microsecond=0)
    match = headers.get(f"{before}if-match")
    if match is not None and not _names(match, one.etag):
        raise errors.precondition("If-Match")
    since = _time(headers.get(f"{before}if-unmodified-since", ""))
    if since is not None and match is None and modified > since:
        raise errors.precondition("If-Unmodified-Since")
    none_match = headers.get(f"{before}if-none-match")
    if none_match is not None:
        return _names(none_match, one.etag)
    since = _time(headers.get(f"{before}if-modified-since", ""))
    return since is not None and modified <= since


def _names(condition: str, etag: str) -> bool:
    return any(part.strip().strip('"').upper() in ("*", etag) for part in condition.split(","))


def piece(one: Object, headers: Mapping[str, str]) -> tuple[int, int] | None:
    """Where the wanted piece begins and how long it is; None for all.

    A range that cannot be had stands for all, unless x-oss-range-behavior is standard: OSS is so.
    """
    text = headers.get("range", "")
    strict = headers.get("x-oss-range-behavior") == "standard"
    found = _RANGE.fullmatch(text)
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start, end = max(0, one.size - int(last)), one.size - 1
    else:
        start, end = int(first), int(last) if last else one.size - 1
        if end >= one.size and not strict:
            return None if start >= one.size or last else (start, one.size - start)
        end = min(end, one.size - 1)
    if start > end or start >= one.size:
        if strict:
            raise OssError(416, "InvalidRange", "The requested range cannot be satisfied", Range=text)
        return None
    return start, end - start + 1
