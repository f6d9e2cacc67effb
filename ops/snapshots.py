"""The backups of whole systems: asked for inside the container that keeps them, which knows all secrets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops import members, streams
from ops.destruction import ask
from ops.errors import UserError
from ops.progress import say, step

if TYPE_CHECKING:
    from ops.stack import Stack
    from stacks.outputs import StackOutputs

SERVICE = "backup"
"""What the service is called in every system."""


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """The service that keeps the backups of a system. name: as people call it."""

    name: str
    system: str
    container: str


def keepers(outputs: StackOutputs, wanted: Sequence[str] = ()) -> list[Keeper]:
    """The wanted ones, or all. Raises UserError for a name that is none."""
    found = {
        (system, parts.repository): parts.services[parts.repository].containers[0]
        for system, parts in outputs.systems.items()
        if parts.repository is not None
    }
    named = {
        key: Keeper(name=members.label(*key, found), system=key[0], container=container)
        for key, container in found.items()
    }
    return members.choose(wanted, named, what="backup")


def is_keeper(name: str) -> bool:
    """Whether a name on the command line means the backups of a system, not a store."""
    return name.rpartition("/")[2] == SERVICE


def take(stack: Stack, keeper: Keeper, *, full: bool, accept_empty: bool) -> str:
    """A snapshot now, checked and copied off-site; its id. Raises UserError when it failed."""
    flags = [*(["--full"] if full else []), *(["--accept-empty"] if accept_empty else [])]
    with step(f"Backing up {keeper.system}"):
        _do(stack, keeper, "now", *flags)
    newest = [one for one in listing(stack, keeper) if one["tags"] != ["before-restore"]][-1]
    say(f"{keeper.system}: snapshot {newest['id']} of {newest['time']}; ./berth restore {keeper.name} latest")
    return str(newest["id"])


def listing(stack: Stack, keeper: Keeper, *, off_site: bool = False) -> list[dict[str, Any]]:
    """The snapshots that are there, oldest first."""
    found: list[dict[str, Any]] = json.loads(
        _do(stack, keeper, "list", *(["--off-site"] if off_site else [])) or "[]"
    )
    return found


def restore(stack: Stack, name: str, snapshot: str, *, off_site: bool, yes: bool) -> None:
    """Puts a snapshot in the place of all files and databases of a system.

    It is verified first, and what it replaces is kept as a snapshot. Raises UserError: then nothing was
    changed, or it says what was.
    """
    found = keepers(stack.outputs(stack.export()), [name])
    if len(found) > 1:
        raise UserError(
            f"{name} means several systems", fix=f"name one of: {', '.join(k.name for k in found)}"
        )
    (keeper,) = found
    if not yes:
        say(f"This replaces all files and databases of {keeper.system} in stack {stack.name}.")
        say("What runs keeps running; what is there now is kept as a snapshot before anything is replaced.")
        if ask(f"Type the stack's name ({stack.name}) to go on: ") != stack.name:
            raise UserError(
                "the name was not confirmed; nothing was changed", fix=f"type `{stack.name}`, or --yes"
            )
    with step(f"Restoring {keeper.system} from snapshot {snapshot}"):
        done = _restored(_do(stack, keeper, "restore", snapshot, *(["--off-site"] if off_site else [])))
    say(
        f"{keeper.system} is as in snapshot {done['snapshot']} of {done['made']}; "
        f"what it was before: snapshot {done['before']}"
    )


def _restored(said: str) -> dict[str, str]:
    """The container's word on what it restored: its last line that says so. Raises UserError without one."""
    lines = (json.loads(line) for line in reversed(said.splitlines()) if line.startswith("{"))
    found: dict[str, str] | None = next((line for line in lines if line.get("message") == "restored"), None)
    if found is None:
        raise UserError("the restore did not say how it ended", fix="look into `./berth logs` of the backup")
    return found


def _do(stack: Stack, keeper: Keeper, *args: str) -> str:
    if stack.engine is None:
        raise UserError(f"stack {stack.name} has no Docker engine to ask", fix="./berth doctor")
    out = bytearray()
    with closing(stack.engine.client()) as client:
        try:
            streams.run(client, keeper.container, 'exec care-backup "$@"', *args, sink=out.extend)
        except streams.ScriptError as error:
            raise _told(keeper, str(error)) from None
    return out.decode()


def _told(keeper: Keeper, said: str) -> UserError:
    """The container's last word: one JSON object a line."""
    for line in reversed(said.splitlines()):
        try:
            found = json.loads(line)
            return UserError(f"{keeper.system}: {found['message']}", fix=found["fix"])
        except (ValueError, KeyError, TypeError):
            continue
    return UserError(f"{keeper.system}: {said}", fix=f"`docker logs {keeper.container}` has more")
