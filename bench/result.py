"""One measured line: what was compared, the ratio or the number, and the goal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

Measure = TypeVar("Measure")


@dataclass(frozen=True)
class Result:
    """`value` and `goal` are in `unit` ("x" for a ratio); `detail` is its origin. No goal: just told."""

    what: str
    value: float
    unit: str
    goal: float | None
    detail: str

    @property
    def met(self) -> bool:
        """Whether the goal, if there is one, is reached."""
        return self.goal is None or self.value <= self.goal

    def row(self) -> tuple[str, str, str, str, str]:
        """What, measured, goal, verdict, detail."""
        goal = "" if self.goal is None else f"<= {self.goal:g} {self.unit}"
        verdict = "" if self.goal is None else ("met" if self.met else "missed")
        return self.what, f"{self.value:.2f} {self.unit}", goal, verdict, self.detail


def turns(sides: Sequence[Callable[[], Measure]], rounds: int) -> list[list[Measure]]:
    """What each side gave in so many rounds, taken in turns: a busy moment hits all sides alike."""
    taken: list[list[Measure]] = [[] for _ in sides]
    for _ in range(rounds):
        for measures, side in zip(taken, sides, strict=True):
            measures.append(side())
    return taken


def alternate(sides: Sequence[Callable[[], float]], rounds: int) -> list[float]:
    """The median of each side, taken in turns."""
    return [median(times) for times in turns(sides, rounds)]


def markdown(results: Sequence[Result]) -> str:
    """The results as a table."""
    rows = [("What", "Measured", "Goal", "", "From"), ("---",) * 5, *(result.row() for result in results)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
