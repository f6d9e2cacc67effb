"""What is in a table. Pure; one pass, memory does not grow with the rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass
class Column:
    """Running figures of one column."""

    name: str
    filled: int = 0
    numbers: int = 0
    whole: int = 0
    total: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    longest: int = 0

    def add(self, cell: str) -> None:
        """One more cell; blank ones count as not filled."""
        text = cell.strip()
        if not text:
            return
        self.filled += 1
        self.longest = max(self.longest, len(text))
        try:
            value = float(text)
        except ValueError:
            return
        if not math.isfinite(value):
            return
        self.numbers += 1
        self.whole += value.is_integer()
        self.total += value
        self.least, self.most = min(self.least, value), max(self.most, value)

    def summary(self) -> dict[str, Any]:
        """Numbers have minimum, maximum and mean; texts their longest length."""
        if not self.filled:
            return {"name": self.name, "kind": "empty", "filled": 0}
        if self.numbers < self.filled:
            return {"name": self.name, "kind": "text", "filled": self.filled, "longest": self.longest}
        return {
            "name": self.name,
            "kind": "integer" if self.whole == self.numbers else "number",
            "filled": self.filled,
            "min": self.least,
            "max": self.most,
            "mean": self.total / self.numbers if math.isfinite(self.total) else None,
        }


def analyse(header: list[str], rows: Iterable[list[str]], tick: Callable[[], None]) -> dict[str, Any]:
    """Rows and a summary of each column."""
    columns = [Column(name) for name in header]
    count = 0
    for row in rows:
        for column, cell in zip(columns, row, strict=True):
            column.add(cell)
        count += 1
        if count % 256 == 0:
            tick()
    return {"rows": count, "columns": [column.summary() for column in columns]}
