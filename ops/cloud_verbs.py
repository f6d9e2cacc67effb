"""`./berth cloud ...`. Imports are late, as in ops/cli.py."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.errors import UserError
from ops.options import Json
from ops.progress import say

if TYPE_CHECKING:
    from ops.cloud import Cloud

app = typer.Typer(
    help="An Alibaba Cloud that runs here: its API on loopback, its machines on the Docker engine.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Option("--name", "-n", help="Which cloud: several may run beside each other.")]
CLOUD = "local"


@app.command()
def start(
    name: Name = CLOUD,
    port: Annotated[
        int | None, typer.Option("--port", help="Of 127.0.0.1. Else the one it had; a new one: a free one.")
    ] = None,
    machines: Annotated[
        bool, typer.Option("--machines/--no-machines", help="Run instances, or only serve the API.")
    ] = True,
    seed: Annotated[int | None, typer.Option("--seed", help="Of a new one: its ids repeat.")] = None,
    json_: Json = False,
) -> None:
    """Start it, or go on with one that died or was kept. Says what a stack's file must have to use it."""
    from ops.cloud import Cloud
    from ops.cloud_image import provide

    cloud = Cloud(name)
    if not cloud.start(port=port, seed=seed, provide=provide if machines else None):
        say(f"cloud {name} runs already")
    report = cloud.report()
    if json_:
        _document(report)
    if report["state"] != "runs":
        raise UserError(
            f"cloud {name} lives, but does not answer: {report.get('trouble', report['state'])}",
            fix=f"see {cloud.log}; if it stays so: {_anew(name)}",
        )
    if json_:
        return
    say(f"cloud {name} serves at {report['url']}; what there is: {report['page']}")
    say("for a stack to be made there, its file says:")
    sys.stdout.write(_yaml(report["config"]))


@app.command()
def status(name: Name = CLOUD, json_: Json = False) -> None:
    """How it is. Exits 1 where it does not run as it should."""
    from ops.cloud import Cloud

    cloud = Cloud(name)
    report = cloud.report()
    if json_:
        _document(report)
    else:
        _show(cloud, report)
    inside = report.get("inside", {}).get("machines", {})
    if report["state"] != "runs" or inside.get("trouble") or inside.get("waits"):
        raise typer.Exit(1)


@app.command()
def stop(
    name: Name = CLOUD,
    keep: Annotated[
        bool, typer.Option("--keep", help="Let state and machines be, for the next start to go on with.")
    ] = False,
    json_: Json = False,
) -> None:
    """End it and remove all that it made: machines, disks, networks, state."""
    from ops.cloud import Cloud

    cloud = Cloud(name)
    existed = cloud.exists()
    removed = cloud.stop(keep=keep)
    if json_:
        _document({"name": name, "existed": existed, "kept": keep and existed, "removed": removed})
    elif not existed:
        say(f"there is no cloud {name}: nothing was changed")
    elif keep:
        say(f"cloud {name} is stopped, its machines run on; ./berth cloud start -n {name} goes on with it")
    else:
        say(f"cloud {name} is gone, with {len(removed)} containers on the Docker engine")


@app.command()
def reset(name: Name = CLOUD, json_: Json = False) -> None:
    """Empty it: all that was made in it is gone, and it goes on, with the same account and keys."""
    from ops.cloud import Cloud

    cloud = Cloud(name)
    cloud.reset()
    if json_:
        _document(cloud.report())
    else:
        say(f"cloud {name} is empty")


def _anew(name: str) -> str:
    """What brings back one that hangs, with all that there is."""
    return f"./berth cloud stop --keep --name {name}, then ./berth cloud start --name {name}"


def _show(cloud: Cloud, report: dict[str, Any]) -> None:
    from ops.cloud import known

    name, state = cloud.name, report["state"]
    again = f"./berth cloud start --name {name} goes on with it, ./berth cloud stop --name {name} removes it"
    if state == "stopped":
        others = [f"{one.name} ({one.report()['state']})" for one in known() if one.name != name]
        say(f"there is no cloud {name}" + (f"; there are: {', '.join(others)}" if others else ""))
    elif state == "kept":
        say(f"cloud {name} is stopped and was kept; {again}")
    elif state == "died":
        say(f"the emulator of cloud {name} died (its log: {report['log']}); {again}")
    elif state == "silent":
        who = f" (pid {report['pid']})" if "pid" in report else ""
        say(f"cloud {name} lives{who}, but does not answer: {report['trouble']}")
        say(f"  see {report['log']}; {_anew(name)} goes on with it")
    else:
        inside = report["inside"]
        machines = inside["machines"]
        things = ", ".join(f"{count} {kind}" for kind, count in inside["things"].items() if count)
        say(f"cloud {name} runs at {report['url']} (pid {report['pid']}), account {inside['account']}")
        say(f"  there are: {things}")
        if not machines:
            say("  without machines: only the API is served")
        elif machines["trouble"]:
            say(f"  BAD {machines['trouble']}")
        for one, why in machines.get("waits", {}).items():
            say(f"  BAD {one}: {why}")
        say(f"  what there is in detail: {report['page']}")
        sys.stdout.write(_yaml(report["config"]))


def _yaml(config: dict[str, str]) -> str:
    """As it stands in Pulumi.<stack>.yaml."""
    return "config:\n" + "".join(f"  {key}: {_scalar(value)}\n" for key, value in config.items())


def _scalar(value: str) -> str:
    return f"'{value}'" if value.startswith("[") else value


def _document(content: Any) -> None:
    sys.stdout.write(json.dumps(content, indent=2) + "\n")
