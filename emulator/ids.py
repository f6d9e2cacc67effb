"""Ids as Alibaba Cloud forms them: a prefix, then letters and digits. From a seed they repeat."""

from __future__ import annotations

import random
import uuid
from typing import Final

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"


class Ids:
    """A source of ids, account-wide: an id is never given twice.

    seed: with one, the same calls get the same ids; without, nobody can guess the next.
    """

    def __init__(self, seed: int | None = None, *, drawn: int = 0) -> None:
        """drawn: how many were drawn before, by the process that this one goes on for."""
        self._random = random.Random(seed) if seed is not None else random.SystemRandom()  # noqa: S311 - no secret
        self.drawn = 0
        if seed is not None:
            for _ in range(drawn):
                self._draw()
        self.drawn = drawn

    def new(self, prefix: str) -> str:
        """`vpc-` gives `vpc-bp1...`: 20 characters behind the prefix, the first three of the cell."""
        return f"{prefix}bp1{self._draw()}"

    def request(self) -> str:
        """A request id. Never from the seed: two runs have different ones, as two requests do."""
        return str(uuid.uuid4()).upper()

    def _draw(self) -> str:
        self.drawn += 1
        return "".join(self._random.choices(_LETTERS, k=17))
