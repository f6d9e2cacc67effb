"""What `up` and `update` have in common: settle, ask, run, look."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

import typer

from ops import images, preview, status
from ops.errors import UserError
from ops.options import DEV

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
) -> dict[str, Any]:
    """Brings the stack up and waits until it answers; its state then. A terminal is asked, except for `dev`.

    verb: whose work it is, for the words. accepted: as in `Stack.repairs`. flags: more of them for Pulumi.
    Raises UserError when it was declined, failed, or does not answer.
    """
    with stack.alone(verb):
        plan = stack.settle(accepted=accepted)
        wanted = [*plan.flags, *flags]
        changes = preview.changes(stack, wanted, verb=verb, to=to)
        ask = changes and not yes and stack.name != DEV and sys.stdin.isatty()
        if ask and not typer.confirm(f"Apply these changes to stack {stack.name}?", err=True):
            raise UserError(
                "nothing was changed", fix=f"./berth {verb} -s {stack.name} --yes applies without asking"
            )
        plan.prepare(stack.engine)
        if changes:
            stack.run("up", "--yes", "--skip-preview", preview.QUIET, *wanted, verb=verb, to=to)
    exported = stack.export()
    images.remember(stack, exported)
    status.verify(stack, exported)
    return exported
