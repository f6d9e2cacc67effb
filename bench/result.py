"""One measured line: what was compared, the ratio or the number, and the goal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


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


def alternate(sides: Sequence[Callable[[], float]], rounds: int) -> list[float]:
    """The median of each side over so many rounds, taken in turns: a busy moment hits all sides alike."""
    taken: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for times, side in zip(taken, sides, strict=True):
            times.append(side())
    return [median(times) for times in taken]


def markdown(results: Sequence[Result]) -> str:
    """The results as a table."""
    rows = [("What", "Measured", "Goal", "", "From"), ("---",) * 5, *(result.row() for result in results)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
