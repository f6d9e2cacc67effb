"""Writes a table as a file. A file appears under its name when it is complete, or not at all."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import xlsxwriter

from .tables import Cell, UnfitError

TYPES = {"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
SHEET_ROWS, SHEET_COLUMNS, SHEET_TEXT = 1 << 20, 1 << 14, 32767  # Excel's own limits
EVERY = 256  # rows between two signs of life


@contextmanager
def appearing(path: Path, attempt: int) -> Iterator[Path]:
    """A name to write to. Attempts do not share it, so that a lost one cannot spoil its successor's file."""
    part = path.with_name(f".{path.name}.{attempt}.part")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        part.unlink(missing_ok=True)


def guarded(cell: Cell) -> Cell:
    """Text that a spreadsheet would run as a formula becomes plain text; numbers and their texts stay."""
    if not isinstance(cell, str) or not cell.startswith(("=", "@", "+", "-", "\t", "\r")):
        return cell
    if cell[0] in "+-" and cell[1:].replace(" ", "").replace(".", "", 1).isdigit():
        return cell
    return f"'{cell}"


def write_csv(path: Path, header: list[str], rows: Iterable[list[Cell]], tick: Callable[[], None]) -> int:
    """How many rows. With the mark that lets spreadsheets recognise UTF-8."""
    count = 0
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file)
        writer.writerow([guarded(name) for name in header])
        for row in rows:
            writer.writerow([guarded(cell) for cell in row])
            count += 1
            if count % EVERY == 0:
                tick()
    return count


def write_xlsx(path: Path, header: list[str], rows: Iterable[list[Cell]], tick: Callable[[], None]) -> int:
    """How many rows. Memory does not grow with them. Raises UnfitError beyond Excel's limits."""
    if len(header) > SHEET_COLUMNS:
        raise UnfitError(f"{len(header)} columns; a sheet has {SHEET_COLUMNS}")
    options = {
        "constant_memory": True,
        "tmpdir": str(path.parent),
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "nan_inf_to_errors": True,
    }
    count = 0
    with xlsxwriter.Workbook(path, options) as book:
        sheet = book.add_worksheet("export")
        sheet.write_row(0, 0, header, book.add_format({"bold": True}))
        sheet.freeze_panes(1, 0)
        for row in rows:
            count += 1
            if count >= SHEET_ROWS:
                raise UnfitError(f"more than {SHEET_ROWS - 1} rows; a sheet has no more, a CSV file has")
            for column, cell in enumerate(row):
                if isinstance(cell, str) and len(cell) > SHEET_TEXT:
                    raise UnfitError(
                        f"row {count}: a cell of {len(cell)} characters; a sheet's have {SHEET_TEXT}"
                    )
                # Beyond 2**53 a sheet would round: such numbers stay exact as text.
                exact = str(cell) if isinstance(cell, int) and abs(cell) > 1 << 53 else cell
                sheet.write(count, column, exact)
            if count % EVERY == 0:
                tick()
    return count


WRITERS = {"csv": write_csv, "xlsx": write_xlsx}
