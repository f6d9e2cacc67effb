"""The preview of the gateway beside what the engine and Pulumi's own classes take without berth."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import Final

from bench import plain
from bench.gateway import gateway
from bench.programs import EMPTY, ONE
from bench.result import Result, turns
from bench.workspace import ROOT, Run, Workspace, workspace

_GOAL: Final = 1.3
_EMPTY, _ONE, _PLAIN, _OURS = (
    "an empty program",
    "one plain container",
    "the gateway's resources without berth",
    "the gateway",
)


def preview(rounds: int = 5) -> list[Result]:
    """First previews, policies on all sides or on none.

    An empty program is the engine's floor; the resources without berth are the price of Pulumi itself.
    """
    with ExitStack() as stack:
        ours = stack.enter_context(gateway())
        sides = {
            _EMPTY: stack.enter_context(workspace(EMPTY)),
            _ONE: stack.enter_context(workspace(ONE)),
            _PLAIN: stack.enter_context(workspace(_without_berth(ours))),
            _OURS: ours,
        }
        (sides[_PLAIN].folder / "workloads").symlink_to(ROOT / "workloads")
        _same(sides[_PLAIN], ours)
        return [
            result for policies in (True, False) for result in _compared(sides, rounds, policies=policies)
        ]


def _compared(sides: dict[str, Workspace], rounds: int, *, policies: bool) -> list[Result]:
    runs = turns([partial(side.run, "preview", policies=policies) for side in sides.values()], rounds)
    taken = dict(zip(sides, runs, strict=True))
    where = "with policies" if policies else "without policies"
    return [
        _ratio(taken, side, against, where, goal)
        for side, against, goal in (
            (_OURS, _EMPTY, _GOAL),
            (_ONE, _EMPTY, None),
            (_PLAIN, _EMPTY, None),
            (_OURS, _PLAIN, None),
        )
    ]


def _ratio(taken: dict[str, list[Run]], side: str, against: str, where: str, goal: float | None) -> Result:
    (clock, cpu), (base_clock, base_cpu) = _medians(taken[side]), _medians(taken[against])
    detail = (
        f"{clock:.2f} s against {base_clock:.2f} s; "
        f"CPU {cpu:.2f} s against {base_cpu:.2f} s, {cpu / base_cpu:.2f} x; median of {len(taken[side])}"
    )
    return Result(f"preview of {side} against {against}, {where}", clock / base_clock, "x", goal, detail)


def _medians(runs: Sequence[Run]) -> tuple[float, float]:
    return median(run.seconds for run in runs), median(run.cpu for run in runs)


def _without_berth(ours: Workspace) -> str:
    return plain.program(_plan(ours))


def _plan(side: Workspace) -> list[dict[str, object]]:
    return plain.plan(side.run("preview", "--json").output)


def _same(one: Workspace, other: Workspace) -> None:
    """Raise RuntimeError unless both make the same resources."""
    mine, theirs = plain.registered(_plan(one)), plain.registered(_plan(other))
    if mine != theirs:
        differing = next(pair for pair in zip(mine, theirs, strict=False) if pair[0] != pair[1])
        raise RuntimeError("the program without berth makes other resources:\n{}\n{}".format(*differing))
