"""What `up` and `update` have in common: settle, ask, run, look."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

import typer

from ops import images, preview, status, unchanged
from ops.errors import UserError
from ops.options import DEV
from ops.progress import say
from ops.repair import Plan

if TYPE_CHECKING:
    from ops.stack import Stack


def apply(
    stack: Stack,
    verb: str,
    *,
    yes: bool,
    to: TextIO,
    accepted: Sequence[str] = (),
    flags: Sequence[str] = (),
    again: bool = False,
) -> dict[str, Any]:
    """Brings the stack up and waits until it answers; its state then. A terminal is asked, except for `dev`.

    verb: whose work it is, for the words. accepted: as in `Stack.repairs`. flags: more of them for Pulumi.
    again: run also where nothing has changed. Raises UserError when it was declined, failed, or does not
    answer.
    """
    with stack.alone(verb):
        began, inputs = time.time(), unchanged.inputs(stack)
        state, plan = stack.settle(accepted=accepted)
        if not (again or flags) and plan == Plan() and (last := unchanged.since(stack, inputs, state)):
            moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(last))
            say(f"nothing has changed since the up of {moment}; --again runs it all the same")
            status.verify(stack, state)
            return state
        with unchanged.followed(stack) as (followed, reads):
            exported = _run(followed, verb, plan, yes=yes, to=to, flags=flags)
            unchanged.remember(stack, inputs, exported, reads=reads, began=began)
    return exported


def _run(
    stack: Stack, verb: str, plan: Plan, *, yes: bool, to: TextIO, flags: Sequence[str]
) -> dict[str, Any]:
    wanted = [*plan.flags, *flags]
    changes = preview.foresee(stack, wanted, verb=verb, to=to).changes
    ask(stack, verb, unless=yes or not changes)
    exported = carry_out(stack, verb, plan, wanted if changes else None, to=to)
    status.verify(stack, exported)
    return exported


def ask(stack: Stack, verb: str, *, unless: bool) -> None:
    """Asks in a terminal whether what was shown is wanted, except for `dev`. Raises UserError where not."""
    if unless or stack.name == DEV or not sys.stdin.isatty():
        return
    if not typer.confirm(f"Apply these changes to stack {stack.name}?", err=True):
        raise UserError(
            "nothing was changed", fix=f"./berth {verb} -s {stack.name} --yes applies without asking"
        )


def carry_out(
    stack: Stack, verb: str, plan: Plan, flags: Sequence[str] | None, *, to: TextIO
) -> dict[str, Any]:
    """Does what was foreseen with these flags; None: what the plan prepares alone. The state then."""
    plan.prepare(stack.engine)
    if flags is not None:
        stack.run("up", "--yes", "--skip-preview", preview.QUIET, *flags, verb=verb, to=to)
    exported = stack.export()
    images.remember(stack, exported)
    return exported
