"""`./berth backup` and `./berth restore`: the databases of a stack as files, and back."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ops import dumps, members, places
from ops.destruction import ask
from ops.errors import UserError
from ops.progress import say, step

if TYPE_CHECKING:
    from docker import DockerClient

    from ops.stack import Stack
    from stacks.outputs import StackOutputs


def folder(stack: str) -> Path:
    """Where the backups of a stack lie unless told otherwise."""
    return places.data() / "backups" / stack


def stores_of(outputs: StackOutputs) -> bool:
    """Whether the stack has a database that can be dumped."""
    return any(kept.kind in dumps.SUFFIX for it in outputs.systems.values() for kept in it.stores.values())


def stores(outputs: StackOutputs, wanted: Sequence[str] = ()) -> list[dumps.Store]:
    """The wanted stores of a stack, or all. Raises UserError for an unknown name, and when it has none."""
    found = {
        (system, service): (parts.services[service].containers[0], kept)
        for system, parts in outputs.systems.items()
        for service, kept in parts.stores.items()
        if kept.kind in dumps.SUFFIX
    }
    if not found and not wanted:
        raise UserError(
            "the stack keeps no database that could be backed up",
            fix="name another stack (-s); volumes with files are copied by what wrote them",
        )
    named = {
        key: dumps.Store(
            name=members.label(*key, found),
            system=key[0],
            service=key[1],
            container=container,
            kind=kept.kind,
            database=kept.database,
            user=kept.user,
        )
        for key, (container, kept) in found.items()
    }
    return members.choose(wanted, named, what="store")


def backup(stack: Stack, wanted: Sequence[str], to: Path | None) -> list[Path]:
    """Dumps the stores into files of their own; those that are whole. Raises UserError when one fails."""
    with closing(_client(stack)) as client:
        return [
            _dump(client, store, to or folder(stack.name))
            for store in stores(stack.outputs(stack.export()), wanted)
        ]


def restore(stack: Stack, name: str, file: Path, *, yes: bool) -> None:
    """Puts a dump in the place of a store's database, after a copy of what it replaces.

    Raises UserError when it was not confirmed or the file is broken: nothing was changed then; and when the
    server did not take it: then it has what it had.
    """
    found = stores(stack.outputs(stack.export()), [name])
    if len(found) > 1:
        raise UserError(
            f"{name} means several stores", fix=f"name one of: {', '.join(store.name for store in found)}"
        )
    (store,) = found
    with closing(_client(stack)) as client:
        with step(f"Verifying {file.name}"):
            size = dumps.verify(client, store, file)
        if not yes:
            _confirm(stack.name, store, file)
        copy = _copy(client, store, stack.name)
        try:
            with step(f"Restoring {store.name} from {file.name}"):
                dumps.load(client, store, file, size)
        except (UserError, KeyboardInterrupt, OSError) as error:
            _back(client, store, copy, error)
    say(f"{store.name}: database {store.database} is as in {file}; what it was before: {copy}")


def _copy(client: DockerClient, store: dumps.Store, stack: str) -> Path:
    """Of what a restore replaces."""
    try:
        return _dump(client, store, folder(stack), "before-restore-")
    except UserError as error:
        raise UserError(
            f"no copy can be made of what {store.name} has now, and nothing was changed: {error.cause}",
            fix=f"{error.fix}; where its data are too damaged for that: docs/backups.md, 'A database too "
            "damaged to be copied'",
        ) from None


def _dump(client: DockerClient, store: dumps.Store, to: Path, prefix: str = "") -> Path:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = to / f"{prefix}{store.system}-{store.service}-{now}{dumps.SUFFIX[store.kind]}"
    with step(f"Backing up {store.name}"):
        size = dumps.dump(client, store, path)
    say(f"{store.name}: {path} ({size} bytes)")
    return path


def _back(client: DockerClient, store: dumps.Store, copy: Path, error: BaseException) -> None:
    """Says what went wrong; the server has what it had. MySQL has no transaction around a whole dump."""
    cause = error.cause if isinstance(error, UserError) else str(error) or "interrupted"
    if store.kind == "mysql":
        try:
            with step(f"Putting back what {store.name} had"):
                dumps.load(client, store, copy, dumps.verify(client, store, copy))
        except UserError as second:
            raise UserError(
                f"{store.name} may have lost data: {cause}, and putting back failed: {second.cause}",
                fix=f"what it had is in {copy}: ./berth restore {store.name} {copy}, once the server runs",
            ) from None
    if not isinstance(error, UserError):
        raise error
    raise UserError(f"{cause}; {store.name} has what it had (also in {copy})", fix=error.fix) from None


def _confirm(stack: str, store: dumps.Store, file: Path) -> None:
    say(f"This replaces database {store.database} of {store.name} in stack {stack} with {file}.")
    say("What runs keeps running; a copy of what is there now is made first.")
    if ask(f"Type the stack's name ({stack}) to go on: ") != stack:
        raise UserError(
            "the name was not confirmed; nothing was changed",
            fix=f"type `{stack}`, or: ./berth restore -s {stack} {store.name} {file} --yes",
        )


def _client(stack: Stack) -> DockerClient:
    if stack.engine is None:
        raise UserError(f"stack {stack.name} has no Docker engine to ask", fix="./berth doctor")
    return stack.engine.client()
