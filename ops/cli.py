"""The verbs. Each arranges the nouns of this package; imports are late, so that `--help` answers at once."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from ops import cloud_verbs, deploy_verbs, upkeep, watching
from ops.errors import UserError
from ops.options import DEV, Json, StackName, Yes
from ops.progress import say

app = typer.Typer(
    name="berth",
    help="Container systems on Docker and Alibaba Cloud ECS, as typed Pulumi code.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
config = typer.Typer(help="The settings of a stack file.", no_args_is_help=True)
app.add_typer(config, name="config")
app.add_typer(deploy_verbs.app, name="deploy")
app.add_typer(cloud_verbs.app, name="cloud")
app.add_typer(upkeep.app)
app.add_typer(watching.app)


def _document(content: Any) -> None:
    sys.stdout.write(json.dumps(content, indent=2, default=str) + "\n")


@app.command()
def setup(stack: StackName = DEV) -> None:
    """Make what `up` needs and change nothing else: toolchain, Docker engine, base image, state."""
    from ops import toolchain
    from ops.stack import open_stack

    opened = open_stack(stack)
    opened.state()
    docker = (
        f"the Docker engine at {opened.engine.host}"
        if opened.engine
        else "no Docker engine (none is needed here)"
    )
    say(f"ready: {toolchain.origin(opened.toolchain)}, {docker}; next: ./berth up -s {stack}")


@app.command()
def preview(
    stack: StackName = DEV,
    json_: Json = False,
    expect_no_changes: Annotated[
        bool, typer.Option("--expect-no-changes", help="Fail when there are any.")
    ] = False,
) -> None:
    """Show what `up` would do. Policies run; nothing is changed."""
    from ops.preview import QUIET
    from ops.stack import open_stack

    opened = open_stack(stack)
    flags = [*opened.seen_outside(), *(["--expect-no-changes"] if expect_no_changes else [])]
    if json_:
        sys.stdout.write(opened.pulumi.capture("preview", "--json", *flags, "--stack", stack))
    else:
        opened.run("preview", QUIET, *flags)


@app.command()
def up(
    stack: StackName = DEV,
    yes: Yes = False,
    json_: Json = False,
    accept_data_loss: Annotated[
        list[str] | None,
        typer.Option("--accept-data-loss", metavar="VOLUME", help="Make this lost data volume again, empty."),
    ] = None,
    new_secret: Annotated[
        list[str] | None,
        typer.Option("--new-secret", metavar="NAME", help="Make a new value for this missing secret."),
    ] = None,
    tag: Annotated[
        str | None,
        typer.Option(help="Deploy this release (what `push` gave a commit's images); goes into the file."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Run also where nothing has changed since the last up.")
    ] = False,
) -> None:
    """Bring the stack up, from nothing if need be, and wait until it answers.

    The first time this makes all that is missing, a Docker engine included. In a terminal, stacks other
    than `dev` ask before anything changes.
    """
    import time

    from ops import authority, recorded, release
    from ops.apply import apply
    from ops.stack import open_stack

    began = time.monotonic()
    opened = open_stack(stack, new_secrets=new_secret or (), tag=tag)
    if tag is not None:
        release.choose(opened)
    to = sys.stderr if json_ else sys.stdout
    exported = apply(opened, "up", yes=yes, to=to, accepted=accept_data_loss or (), again=again)
    urls = opened.outputs(exported).urls
    seconds = round(time.monotonic() - began, 1)
    if json_:
        _document({"stack": stack, "urls": urls, "seconds": seconds})
        return
    say("")
    for system, url in urls.items():
        sys.stdout.write(f"{system} is up and answers: {url}\n")
    say(
        f"({seconds:.0f} s)  next: ./berth status -s {stack}"
        + "".join(f"   {authority.curl(door, stack)}" for door in recorded.doors(exported))
    )


@app.command()
def destroy(
    stack: StackName = DEV,
    yes: Yes = False,
    with_data: Annotated[
        bool, typer.Option("--with-data", help="Also the data volumes, for good; asks for the stack's name.")
    ] = False,
) -> None:
    """Remove the stack's containers and networks from the host. Data volumes and images stay."""
    from ops import destruction
    from ops.stack import open_stack

    destruction.refuse_unasked(stack, yes=yes, with_data=with_data)
    opened = open_stack(stack, program=False)
    with opened.alone("destroy"):
        opened.heal()
        destruction.destroy(opened, yes=yes, with_data=with_data)


@app.command()
def status(
    stack: StackName = DEV,
    json_: Json = False,
    all_: Annotated[
        bool, typer.Option("--all", "-a", help="Also one-shot jobs that are done, and containers' names.")
    ] = False,
) -> None:
    """Compare what the stack says with what the engine runs and what its addresses answer.

    Exits 0 only when every container is there, healthy and on its networks, and every address answers.
    """
    from ops import status as report
    from ops.stack import open_stack

    found = report.read(open_stack(stack, ready=False, secrets=False))
    if json_:
        _document(report.document(found))
    else:
        report.show(found, everything=all_)
    raise typer.Exit(found.exit_code)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def test(context: typer.Context) -> None:
    """Run lint, types and all tests; with arguments, only pytest with these arguments."""
    from ops import checks

    raise typer.Exit(checks.run(context.args))


@app.command()
def env(stack: StackName = DEV) -> None:
    """Print exports, so that a plain `pulumi` works in this shell: eval "$(./berth env)"."""
    from ops import environment
    from ops.stack import open_stack

    opened = open_stack(stack, ready=False)
    try:
        opened.state()  # `pulumi config set` works only on a stack that Pulumi knows.
    except UserError as error:
        say(f"stack {stack} cannot be opened: {error}")
    sys.stdout.write(environment.exports(opened.pulumi.environment))


@app.command()
def doctor(stack: StackName = DEV, json_: Json = False) -> None:
    """Say what is there, what is missing and how to get it. Changes nothing."""
    from ops import findings as report
    from ops.doctor import examine

    findings = examine(stack)
    if json_:
        _document(report.document(findings))
    else:
        report.show(findings, good="nothing stands in the way of ./berth up")
    raise typer.Exit(report.exit_code(findings))


@app.command()
def preflight(stack: StackName = DEV, json_: Json = False) -> None:
    """Say whether the host that is to run the stack can: settings, room, ports, networks, GPUs.

    Where the host tells no other way, a small container asks there, and is gone when this ends; nothing else
    is touched. Exits 0 when nothing is missing, which what is not known may still be; 1 when something is.
    """
    from ops import findings as report
    from ops.preflight import examine

    findings = examine(stack)
    if json_:
        _document({"stack": stack, "unknown": report.unknown(findings), **report.document(findings)})
    else:
        good = f"the host can run stack {stack}; next: ./berth up -s {stack}"
        if unknown := report.unknown(findings):
            good = f"nothing found in the way of stack {stack}; not known: {', '.join(unknown)}"
        report.show(findings, good=good)
    raise typer.Exit(report.exit_code(findings))


@config.command()
def schema() -> None:
    """Print the JSON Schema of the stack files."""
    from ops import settings

    _document(settings.schema())


@app.command()
def lock(
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Take newer versions where pyproject.toml allows.")
    ] = False,
) -> None:
    """Renew requirements.lock and requirements-dev.lock from pyproject.toml."""
    from ops import requirements

    requirements.renew(upgrade=upgrade)
