"""Quantities of databases that Docker's own units do not fit."""

from __future__ import annotations

from components.units import Memory

_KIB = 1024
_UNITS = ((1024**3, "G"), (1024**2, "M"), (_KIB, "k"))


class Size(Memory):
    """A size inside a server, which may be smaller than any container."""

    allowed = "a whole size with its unit, like 64KiB, 4MiB or 1GiB"

    def check(self) -> None:
        """Everything that fits the pattern is meant."""

    def written(self, suffix: str = "") -> str:
        """As config files have it: the largest whole unit, as in `4M`, and the suffix (`B`, `b`)."""
        return written(self.bytes, suffix)


def written(count: int, suffix: str = "") -> str:
    """A number of bytes (whole KiB) in the largest unit that divides it."""
    for size, letter in _UNITS:
        if count % size == 0:
            return f"{count // size}{letter}{suffix}"
    raise ValueError(f"{count} bytes; allowed: whole KiB")


def mebibytes(count: int) -> str:
    """For messages: rounded up to whole MiB."""
    return f"{-(-count // 1024**2)}MiB"
