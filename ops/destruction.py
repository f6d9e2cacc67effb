"""`./berth destroy`: containers and networks go, data stays unless its removal is confirmed by name."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ops.errors import UserError
from ops.progress import say
from ops.recorded import data_volumes
from ops.stack import Stack


def refuse_unasked(name: str, *, yes: bool, with_data: bool) -> None:
    """Raises UserError when nobody is there to confirm. `--with-data` takes its answer from a pipe, too."""
    if not (yes or with_data or sys.stdin.isatty()):
        raise UserError(f"destroying stack {name} was not confirmed", fix=f"./berth destroy -s {name} --yes")


def destroy(stack: Stack, *, yes: bool, with_data: bool) -> None:
    """Destroys the stack's resources. Raises UserError when it is not confirmed."""
    volumes = [volume.name for volume in data_volumes(stack.export())]
    if with_data:
        _confirm_by_name(stack.name, volumes)
        stack.pulumi.capture("state", "unprotect", "--all", "--yes", "--stack", stack.name)
        stack.run("destroy", "--yes")
        _remove(stack, volumes)
        return
    if not yes:
        _confirm(stack.name, volumes)
    stack.run("destroy", "--yes", "--exclude-protected")
    if volumes:
        say(f"kept: the data volume(s) {', '.join(volumes)}; the next up uses them again")
        say(f"  to remove them for good: ./berth destroy -s {stack.name} --with-data")


def _confirm(name: str, volumes: Sequence[str]) -> None:
    keeps = f"; the data in {', '.join(volumes)} stays" if volumes else ""
    say(f"This removes every container and network of stack {name}{keeps}.")
    if ask("Go on? [y/N] ").lower() not in ("y", "yes"):
        raise UserError("nothing was changed", fix=f"./berth destroy -s {name} --yes does not ask")


def _confirm_by_name(name: str, volumes: Sequence[str]) -> None:
    say(f"This removes stack {name} AND ITS DATA for good: {', '.join(volumes) or 'it has no data volumes'}.")
    if ask(f"Type the stack's name ({name}) to go on: ") != name:
        raise UserError(
            "the name was not confirmed; nothing was changed",
            fix=f"type `{name}`, or pipe it in a script: echo {name} | ./berth destroy -s {name} --with-data",
        )


def ask(question: str) -> str:
    """The answer, from a terminal or a pipe."""
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _remove(stack: Stack, volumes: Sequence[str]) -> None:
    """Removes what the state only let go of (retained volumes), and says what is really gone."""
    from docker.errors import APIError, NotFound

    if stack.engine is None or not volumes:
        return
    client = stack.engine.client()
    try:
        for name in volumes:
            try:
                client.volumes.get(name).remove()
            except NotFound:
                pass
            except APIError as error:
                raise UserError(
                    f"volume {name} was not removed: {error.explanation}",
                    fix=f"stop what uses it, then `docker volume rm {name}`",
                ) from None
            say(f"removed for good: volume {name}")
    finally:
        client.close()
