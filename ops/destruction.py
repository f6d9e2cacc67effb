"""`./berth destroy`: containers and networks go, data stays unless its removal is confirmed by name."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from ops import engine
from ops.errors import UserError
from ops.progress import say
from ops.recorded import DataVolume, data_volumes, networks
from ops.stack import Stack

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container


def refuse_unasked(name: str, *, yes: bool, with_data: bool) -> None:
    """Raises UserError when nobody is there to confirm. `--with-data` takes its answer from a pipe, too."""
    if not (yes or with_data or sys.stdin.isatty()):
        raise UserError(f"destroying stack {name} was not confirmed", fix=f"./berth destroy -s {name} --yes")


def destroy(stack: Stack, *, yes: bool, with_data: bool) -> None:
    """Destroys the stack's resources.

    Raises UserError when it is not confirmed, or while containers of others are in the stack's networks.
    """
    exported = stack.export()
    _refuse_left_behind(stack, networks(exported))
    volumes = data_volumes(exported)
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
        say(f"kept: the data volume(s) {_names(volumes)}; the next up uses them again")
        if any(volume.folder is None for volume in volumes):
            say(f"  to remove them for good: ./berth destroy -s {stack.name} --with-data")
        _tell_folders(stack, volumes)


def _refuse_left_behind(stack: Stack, owned: Mapping[str, str]) -> None:
    """Raises UserError where others run in the stack's networks.

    They would lose what they talk to, and keep the networks from going with half of the stack gone.
    """
    from docker.errors import NotFound

    if stack.engine is None or not owned:
        return
    others: list[str] = []
    stacks: set[str] = set()
    try:
        with closing(stack.engine.client()) as client:
            for id, network in owned.items():
                with suppress(NotFound):
                    inside = client.api.inspect_network(id)["Containers"] or {}
                    for container in _there(client, inside):
                        if (whose := container.labels.get("berth.stack", "")) != stack.name:
                            where = f"stack {whose}, network {network}" if whose else f"network {network}"
                            others.append(f"{container.name} ({where})")
                            stacks |= {whose} if whose else set()
    except engine.failures() as error:
        raise UserError(f"{engine.in_words(error)}; nothing was destroyed", fix="./berth doctor") from None
    if others:
        first = [f"./berth destroy -s {name}" for name in sorted(stacks)] or ["stop them"]
        raise UserError(
            f"nothing was destroyed: stack {stack.name} owns what others run in: {', '.join(sorted(others))}",
            fix=f"first {', '.join(first)}; then ./berth destroy -s {stack.name}",
        )


def _there(client: DockerClient, ids: Iterable[str]) -> Iterator[Container]:
    """Those of the containers that have not gone meanwhile."""
    from docker.errors import NotFound

    for id in ids:
        with suppress(NotFound):
            yield client.containers.get(id)


def _names(volumes: Sequence[DataVolume]) -> str:
    return ", ".join(volume.name for volume in volumes)


def _confirm(name: str, volumes: Sequence[DataVolume]) -> None:
    keeps = f"; the data in {_names(volumes)} stays" if volumes else ""
    say(f"This removes every container and network of stack {name}{keeps}.")
    if ask("Go on? [y/N] ").lower() not in ("y", "yes"):
        raise UserError("nothing was changed", fix=f"./berth destroy -s {name} --yes does not ask")


def _confirm_by_name(name: str, volumes: Sequence[DataVolume]) -> None:
    gone = [volume for volume in volumes if volume.folder is None]
    folders = [volume.folder for volume in volumes if volume.folder]
    if gone or not folders:
        say(f"This removes stack {name} AND ITS DATA for good: {_names(gone) or 'it has no data volumes'}.")
    else:
        say(f"This removes stack {name}.")
    if folders:
        say(f"The data in folders of the host are yours and stay: {', '.join(folders)}.")
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


def _remove(stack: Stack, volumes: Sequence[DataVolume]) -> None:
    """Removes what the state only let go of (retained volumes), and says what is really gone."""
    from docker.errors import APIError, NotFound

    if not volumes:
        return
    if stack.engine is None:
        say(f"not removed: {_names(volumes)}: they were on the stack's own machine, or are on its data disk,")
        say("  which its cloud keeps, and asks money for, until you release it there")
        return
    client = stack.engine.client()
    try:
        for volume in volumes:
            try:
                client.volumes.get(volume.name).remove()
            except NotFound:
                pass
            except APIError as error:
                raise UserError(
                    f"volume {volume.name} was not removed: {error.explanation}",
                    fix=f"stop what uses it, then `docker volume rm {volume.name}`",
                ) from None
            if volume.folder is None:
                say(f"removed for good: volume {volume.name}")
    finally:
        client.close()
    _tell_folders(stack, volumes)


def _tell_folders(stack: Stack, volumes: Sequence[DataVolume]) -> None:
    """A folder was there for its owner, not for the stack: only the owner removes it."""
    folders = sorted({volume.folder for volume in volumes if volume.folder})
    if not folders:
        return
    host = stack.engine.host if stack.engine else ""
    where = "" if host.startswith("unix:") or not host else f" of {host}"
    say(f"kept: the data in the folders{where} {', '.join(folders)}: they are yours, the next up uses them")
    say(f"  to remove them for good, as root there: rm -rf -- {shlex.join(folders)}")
