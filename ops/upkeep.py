"""The verbs of day two: logs, update, push, backup, restore. Imports are late, as in ops/cli.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ops.options import DEV, StackName, Yes
from ops.progress import say

app = typer.Typer()


@app.command()
def logs(
    services: Annotated[list[str] | None, typer.Argument(metavar="[SERVICE ...]")] = None,
    stack: StackName = DEV,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    tail: Annotated[int | None, typer.Option(min=0, help="Only the last lines of each container.")] = None,
    since: Annotated[str | None, typer.Option(help="Such as 10m, 2h or 2026-01-31T02:00:00Z.")] = None,
) -> None:
    """Show what the stack's containers print, by time; with names, only these services."""
    from datetime import UTC, datetime

    from ops import logs as printed
    from ops.stack import open_stack

    start = printed.moment(since, now=datetime.now(UTC)) if since else None
    opened = open_stack(stack, ready=False, secrets=False)
    try:
        printed.show(opened, services or (), follow=follow, tail=tail, since=start)
    except KeyboardInterrupt:
        if not follow:
            raise
        sys.stdout.flush()


@app.command()
def update(
    stack: StackName = DEV,
    yes: Yes = False,
    prune: Annotated[bool, typer.Option("--prune/--no-prune", help="Remove what is no longer used.")] = True,
) -> None:
    """Pull newer images where a tag has moved, bring the stack up with them, and remove its old local images.

    An image named with its digest stays. Of the images that were built here, the present and the last one of
    each name are kept, and all that any container uses; those of others are never touched.
    """
    from ops import images
    from ops.apply import apply
    from ops.stack import open_stack

    opened = open_stack(stack)
    before = opened.state()
    images.remember(opened, before)
    newer = images.pull(opened, before)
    flags = [word for urn in newer for word in ("--replace", urn)]
    exported = apply(opened, "update", yes=yes, to=sys.stdout, flags=flags)
    if prune and not images.prune(opened, exported):
        say("no image of an earlier deployment is to be removed")


@app.command()
def push(
    stack: StackName = DEV,
    tag: Annotated[str | None, typer.Option(help="Unset: the id of the commit that is checked out.")] = None,
) -> None:
    """Build this project's own images and push them to the stack's registry, under a tag that stays theirs.

    Then `./berth up --tag` deploys them. They are built on this machine, wherever the stack runs.
    """
    from ops import release
    from ops.stack import open_stack

    tag = tag or release.commit()
    opened = open_stack(stack, ready=False, tag=tag)
    for pushed in release.push(opened):
        sys.stdout.write(f"{pushed}\n")
    say(f"next: ./berth up -s {stack} --tag {tag}")


@app.command()
def backup(
    stores: Annotated[list[str] | None, typer.Argument(metavar="[STORE ...]")] = None,
    stack: StackName = DEV,
    to: Annotated[Path | None, typer.Option(help="The folder; unset, one in your data folder.")] = None,
) -> None:
    """Dump the databases of the stack (PostgreSQL, MySQL) into files, verified before they appear."""
    from ops import backup as work
    from ops.stack import open_stack

    opened = open_stack(stack, ready=False, secrets=False)
    for path in work.backup(opened, stores or (), to):
        sys.stdout.write(f"{path}\n")


@app.command()
def restore(
    store: Annotated[str, typer.Argument()],
    file: Annotated[Path, typer.Argument()],
    stack: StackName = DEV,
    yes: Yes = False,
) -> None:
    """Put a dump in the place of a store's database: verified first, with a copy of what it replaces.

    PostgreSQL takes it in one transaction; what was made since the dump under other names stays. MySQL's
    database is dropped and made again; where that fails, the copy is put back.
    """
    from ops import backup as work
    from ops.stack import open_stack

    opened = open_stack(stack, ready=False, secrets=False)
    with opened.alone("restore"):
        work.restore(opened, store, file, yes=yes)
