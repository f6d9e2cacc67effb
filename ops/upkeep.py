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
    stores: Annotated[list[str] | None, typer.Argument(metavar="[STORE|backup ...]")] = None,
    stack: StackName = DEV,
    to: Annotated[Path | None, typer.Option(help="The folder; unset, one in your data folder.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Only show the snapshots that are there.")] = False,
    off_site: Annotated[bool, typer.Option("--off-site", help="With --list: of the other copy.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Read every file and stored byte again.")] = False,
    accept_empty: Annotated[
        bool, typer.Option("--accept-empty", help="Although what a backup before had is gone.")
    ] = False,
) -> None:
    """Back up the stack: its databases (PostgreSQL, MySQL) into files, its systems into their snapshots.

    Files are verified before they appear. Systems have snapshots where `snapshots` is set; they hold all
    files and databases, and go off-site, too.
    """
    from ops import backup as work
    from ops import snapshots
    from ops.stack import open_stack

    opened = open_stack(stack, ready=False, secrets=False)
    outputs = opened.outputs(opened.export())
    asked = [name for name in stores or () if snapshots.is_keeper(name)]
    named = [name for name in stores or () if not snapshots.is_keeper(name)]
    keepers = snapshots.keepers(outputs, asked) if asked or not named else []
    if list_:
        for keeper in keepers:
            for one in snapshots.listing(opened, keeper, off_site=off_site):
                sys.stdout.write(f"{one['id']}  {one['time']}  {keeper.system}  {','.join(one['tags'])}\n")
        return
    # Without a name: what there is, and an error when that is nothing.
    if named or (not asked and (not keepers or work.stores_of(outputs))):
        for path in work.backup(opened, named, to):
            sys.stdout.write(f"{path}\n")
    for keeper in keepers:
        snapshots.take(opened, keeper, full=full, accept_empty=accept_empty)


@app.command()
def restore(
    store: Annotated[str, typer.Argument(metavar="STORE|backup")],
    file: Annotated[Path, typer.Argument(metavar="FILE|SNAPSHOT|latest")],
    stack: StackName = DEV,
    yes: Yes = False,
    off_site: Annotated[bool, typer.Option("--off-site", help="A snapshot of the other copy.")] = False,
) -> None:
    """Put a dump in the place of a store's database, or a snapshot (`backup`) in that of a system's data.

    Verified first, with a copy of what it replaces. PostgreSQL takes it in one transaction; what was made
    since the dump under other names stays. MySQL's database is dropped and made again; where that fails, the
    copy is put back. Files are exchanged one by one, each whole.
    """
    from ops import backup as work
    from ops import snapshots
    from ops.stack import open_stack

    opened = open_stack(stack, ready=False, secrets=False)
    with opened.alone("restore"):
        if snapshots.is_keeper(store):
            snapshots.restore(opened, store, str(file), off_site=off_site, yes=yes)
        else:
            work.restore(opened, store, file, yes=yes)
