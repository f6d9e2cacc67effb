"""`./berth health`. Imports are late, as in ops/cli.py."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from ops.errors import UserError
from ops.options import DEV, Json, StackName

app = typer.Typer()

_UNKNOWN = 3  # as ops.condition.UNKNOWN, without its import
_answered: list[int] = []  # the answer's exit status, once there is one


def status(code: object, arguments: Sequence[str]) -> int | None:
    """The exit status for what ended with `code`, where it looks like an answer of health and is none.

    arguments: the command line. None: it is as it should be.
    """
    verb = next((word for word in arguments if not word.startswith("-")), None)
    return _UNKNOWN if verb == "health" and code in (1, 2) and not _answered else None


class Verdict(TyperCommand):
    """A command whose exit statuses 0, 1 and 2 are answers: every error ends it with 3, whatever it is."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            if error.code != 130:  # Ctrl-C has a status of its own
                error.code = _UNKNOWN
            raise
        except (typer.Exit, typer.Abort):
            raise
        except Exception:  # a defect, or a full disk: seen whole, and no answer
            traceback.print_exc()
            raise typer.Exit(_UNKNOWN) from None


@app.command(cls=Verdict)
def health(
    systems: Annotated[list[str] | None, typer.Argument(metavar="[SYSTEM ...]")] = None,
    stack: StackName = DEV,
    json_: Json = False,
    alert: Annotated[
        bool, typer.Option("--alert", help="Where it is not HEALTHY, tell the webhooks of `berth:alerts`.")
    ] = False,
) -> None:
    """Look at the stack, or at these systems of it, from all sides; say what is not well, and what to do.

    Exits 0 for HEALTHY, 1 for WARNING, 2 for UNHEALTHY, and 3 with an error when it could not look.
    """
    from ops import alerts, checkup, condition
    from ops.progress import say
    from ops.stack import open_stack

    opened = open_stack(stack, ready=False, secrets=alert)
    hooks = alerts.webhooks(opened) if alert else []
    found = checkup.read(opened, systems or ())
    code = int(found.state)
    try:
        if json_:
            sys.stdout.write(json.dumps(condition.document(found), indent=2) + "\n")
        else:
            condition.show(found)
        sys.stdout.flush()
    except OSError as error:
        # Nobody reads any more, or the disk is full: who is to be told is told all the same.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        say(f"error: the answer cannot be written: {error.strerror}")
        code = _UNKNOWN
    if found.state > condition.State.HEALTHY:
        alerts.send(hooks, found)
    _answered.append(code)
    raise typer.Exit(code)
