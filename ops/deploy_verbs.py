"""`./berth deploy ...`. Imports are late, as in ops/cli.py."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.options import DEV, Json, StackName, Yes
from ops.progress import say

if TYPE_CHECKING:
    from ops.deployment import Deployment
    from ops.stack import Stack

app = typer.Typer(
    help="Deploy with a record: checked, backed up, looked at from outside, rolled back where it fails.",
    no_args_is_help=True,
)

SkipTests = Annotated[
    bool,
    typer.Option(
        "--skip-tests",
        help="Leave out the look from outside (what `status` checks). Policies and health checks stay.",
    ),
]
NoBackup = Annotated[
    bool, typer.Option("--no-backup", help="Take no backup of databases and systems before.")
]
SkipBuild = Annotated[
    bool, typer.Option("--skip-build", help="Refuse by name what the engine has no image of, and build none.")
]
NewerSchema = Annotated[
    bool,
    typer.Option(
        "--accept-newer-schema", help="Go back across a migration: the old release can work with it."
    ),
]


@app.command()
def init(
    stack: StackName = DEV,
    yes: Yes = False,
    json_: Json = False,
    force: Annotated[bool, typer.Option("--force", help="Run `up` also where it has nothing to do.")] = False,
    skip_tests: SkipTests = False,
    skip_build: SkipBuild = False,
) -> None:
    """Deploy a stack that has no containers yet.

    Exits 0: deployed; 1: refused, nothing changed; 4: failed, what was made stays; 130: interrupted.
    """
    from ops.course import Wishes
    from ops.deploy import forward

    wishes = Wishes(yes=yes, force=force, tests=not skip_tests, build=not skip_build)
    _tell(lambda to: forward(stack, "init", wishes, to=to), stack, json_)


@app.command()
def update(
    stack: StackName = DEV,
    yes: Yes = False,
    json_: Json = False,
    no_backup: NoBackup = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Also where nothing has changed, or the last deployment was interrupted."
        ),
    ] = False,
    skip_tests: SkipTests = False,
    skip_build: SkipBuild = False,
    accept_newer_schema: NewerSchema = False,
) -> None:
    """Deploy what has changed; what fails is rolled back to the last good release by itself.

    Exits 0: deployed, or nothing to do; 1: refused, nothing changed; 3: failed and rolled back; 4: failed and
    not rolled back; 130: interrupted.
    """
    from ops.course import Wishes
    from ops.deploy import forward

    wishes = Wishes(
        backup=not no_backup,
        tests=not skip_tests,
        build=not skip_build,
        force=force,
        yes=yes,
        newer_schema=accept_newer_schema,
    )
    _tell(lambda to: forward(stack, "update", wishes, to=to), stack, json_)


@app.command()
def rollback(
    release: Annotated[str | None, typer.Argument(metavar="[RELEASE]")] = None,
    stack: StackName = DEV,
    yes: Yes = False,
    json_: Json = False,
    no_backup: NoBackup = False,
    force: Annotated[bool, typer.Option("--force", help="Also where it is what was deployed last.")] = False,
    skip_tests: SkipTests = False,
    accept_newer_schema: NewerSchema = False,
) -> None:
    """Deploy an earlier release again: the named one, or the last good one. Your files stay as they are.

    Exits 0: deployed; 1: refused, nothing changed; 4: failed; 130: interrupted.
    """
    from ops.course import Wishes
    from ops.rollback import rollback as go_back

    wishes = Wishes(
        backup=not no_backup, yes=yes, force=force, tests=not skip_tests, newer_schema=accept_newer_schema
    )
    _tell(lambda to: go_back(stack, release, wishes, to=to), stack, json_)


@app.command("list")
def list_(stack: StackName = DEV, json_: Json = False) -> None:
    """List the deployments of a stack, the oldest first; `*` is the present one. Exits 0."""
    from ops import deployments
    from ops.stack import open_stack

    opened = open_stack(stack, ready=False, secrets=False)
    kept, found = deployments.of(opened), deployments.listing(opened)
    if json_:
        _document([document(one, kept.whole(one.origin)) for one in found])
        return
    present = kept.present if _serves(opened) else None
    for one in found:
        mark = "*" if present and one.name == present.name else " "
        about = f" of {one.of}" if one.of else f" -> {one.rolled_back_to}" if one.rolled_back_to else ""
        gone = (
            "" if kept.whole(one.origin) or one.outcome in ("refused", "unchanged") else "  (not kept whole)"
        )
        sys.stdout.write(
            f"{mark} {one.name}  {one.verb}{about}  {one.outcome}  {one.seconds:.0f} s  {one.who}{gone}\n"
        )
    if not found:
        say(f"nothing was deployed to stack {stack} by `deploy` yet; ./berth deploy init -s {stack}")


@app.command()
def show(
    release: Annotated[str, typer.Argument(metavar="RELEASE")], stack: StackName = DEV, json_: Json = False
) -> None:
    """Show all that is recorded of a deployment, by its name or the beginning of it. Exits 0; 1: unknown."""
    from ops import deployments
    from ops.stack import open_stack

    opened = open_stack(stack, ready=False, secrets=False)
    kept = deployments.of(opened)
    by_name = {one.name: one for one in deployments.listing(opened)}
    found = by_name[kept.find(release).name]
    content = document(found, kept.whole(found.origin))
    if kept.whole(found.origin):
        content["definitions_kept"] = str(kept.definitions(found.origin))
        content["stack_file"] = str(kept.definitions(found.origin) / f"Pulumi.{stack}.yaml")
    if json_:
        _document(content)
        return
    for key, value in content.items():
        _line(key, value)


def _serves(stack: Stack) -> bool:
    """Whether the stack has any container by its state; what was destroyed has no present release."""
    from ops import recorded
    from ops.errors import UserError

    try:
        return any(container.starts for container in recorded.containers(stack.export()))
    except UserError:
        return False


def document(one: Deployment, whole: bool) -> dict[str, Any]:
    """A deployment for a script. whole: its definitions are kept."""
    return {**one.model_dump(mode="json"), "kept_whole": whole}


def _line(key: str, value: Any) -> None:
    words = key.replace("_", " ")
    if isinstance(value, dict):
        value = [f"{name}: {text}" for name, text in value.items()]
    if isinstance(value, Sequence) and not isinstance(value, str):
        lines = [
            " ".join(str(part) for part in each.values()) if isinstance(each, dict) else each
            for each in value
        ]
        sys.stdout.write(f"{words}:{'' if lines else ' none'}\n")
        for line in lines:
            sys.stdout.write(f"  {line}\n")
    elif value not in (None, ""):
        sys.stdout.write(f"{words}: {value}\n")


def _tell(deploy: Any, stack: str, json_: bool) -> None:
    """Runs it, and says how it ended; with --json as a document, also where it failed half way."""
    from ops.course import DeploymentError

    try:
        ended = deploy(sys.stderr if json_ else sys.stdout)
    except DeploymentError as error:
        if json_:
            _document(document(error.deployment, True))
        raise
    if json_:
        _document(document(ended, ended.outcome == "deployed"))
    elif ended.outcome == "deployed":
        what = f"release {ended.of} is deployed again, as" if ended.of else "deployed: release"
        sys.stdout.write(f"{what} {ended.name} ({ended.seconds:.0f} s)\n")
        say(f"next: ./berth status -s {stack}   ./berth deploy list -s {stack}")


def _document(content: Any) -> None:
    sys.stdout.write(json.dumps(content, indent=2) + "\n")
