"""Tables as people bring them: CSV in the encodings of spreadsheets, or JSON objects. Pure."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Cell = str | int | float | bool | None
LIMIT = 1 << 20  # characters in one cell

csv.field_size_limit(LIMIT)


class UnfitError(ValueError):
    """The content cannot become what was asked for; another attempt would end the same way."""


def columns(rows: Iterable[dict[str, Any]]) -> list[str]:
    """All keys, in the order in which they first appear."""
    return list(dict.fromkeys(key for row in rows for key in row))


def problem(rows: Any) -> str | None:
    """Why this is not a list of flat objects; None when it is."""
    if not isinstance(rows, list) or not rows:
        return "rows must be a list of at least one object"
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or not row:
            return f"rows[{number}] must be an object with at least one field"
        for key, value in row.items():
            if not isinstance(value, str | int | float | bool | None):
                return f"rows[{number}].{key} must be a text, a number, a truth value or null"
            if isinstance(value, str) and len(value) > LIMIT:
                return f"rows[{number}].{key} is longer than {LIMIT} characters"
    return None


def encoding(head: bytes) -> str:
    """UTF-8 with or without mark, UTF-16 with mark, else GB 18030, which Chinese spreadsheets write."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in head:
        raise UnfitError("this is no text: it holds zero bytes")
    for cut in range(4):  # the head may end inside a character
        try:
            head[: len(head) - cut].decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
        return "utf-8-sig"
    return "gb18030"


@contextmanager
def opened(path: Path) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """Header and rows of a CSV file, read as they are asked for. Raises UnfitError naming the line."""
    with path.open("rb") as raw:
        head = raw.read(1 << 16)
    if not head.strip():
        raise UnfitError("the file is empty")
    with path.open(newline="", encoding=encoding(head)) as file:
        try:
            sample = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=sample.count)
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = next(reader)
        except (csv.Error, UnicodeError) as error:
            raise UnfitError(f"line 1: {error}") from error
        if len(set(header)) < len(header) or not all(header):
            raise UnfitError("line 1: column names must be present and different")
        yield header, _rows(reader, len(header))


def _rows(reader: Any, width: int) -> Iterator[list[str]]:
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except (csv.Error, UnicodeError) as error:
            raise UnfitError(f"line {reader.line_num + 1}: {error}") from error
        if not row:
            continue
        if len(row) != width:
            raise UnfitError(f"line {reader.line_num}: {len(row)} cells, the header has {width}")
        yield row
