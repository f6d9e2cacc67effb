"""celery, cloud-api and gpu: `up` against the same containers made by hand, and one that changes nothing."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import docker

from bench import reference
from bench.programs import EMPTY
from bench.result import Result, alternate
from bench.workspace import Workspace, workspace
from tests.engine.deployment import Deployment
from tests.engine.taifish import free_subnet

_SYSTEMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "celery": {
        "data": {"kind": "engine"},
        "app": {"replicas": 3, "pause": "0s", "health_interval": "3s"},
        "worker": {"replicas": 3},
    },
    "cloud-api": {"apis": {"kind": "stand-in"}, "backend": {"replicas": 2}},
    "gpu": {"device": "cpu", "texts": {"kind": "built-in"}},
}
_GOAL: Final = 1.5


def systems(rounds: int = 3) -> list[Result]:
    """Images are present. Both goals speak of the whole command, its preview and its policies included."""
    results = []
    with workspace(EMPTY) as empty:
        empty.run("up", "--yes")
        for name, settings in _SYSTEMS.items():
            with _deployed(name, settings) as (deployment, stack):
                results += _unchanged(name, deployment, stack, empty, rounds)
                results += _made(name, stack, rounds)
    return results


def _unchanged(
    name: str, deployment: Deployment, stack: Workspace, empty: Workspace, rounds: int
) -> list[Result]:
    def berth() -> float:
        began = time.perf_counter()
        deployment.berth("up", "--yes")
        return time.perf_counter() - began

    def plain(side: Workspace) -> float:
        return side.run("up", "--yes", policies=True).seconds

    by_berth, by_pulumi, floor = alternate([berth, lambda: plain(stack), lambda: plain(empty)], rounds)
    detail = f"empty program {floor:.1f} s, {len(stack.state())} resources, median of {rounds}"
    return [
        Result(f"{verb} of {name}, nothing changed", taken / floor, "x", _GOAL, f"{taken:.1f} s, {detail}")
        for verb, taken in (("./berth up", by_berth), ("pulumi up", by_pulumi))
    ]


def _made(name: str, stack: Workspace, rounds: int) -> list[Result]:
    plan = reference.read(stack.state())
    stack.clear()

    def ours() -> float:
        taken = stack.run("up", "--yes", policies=True).seconds
        stack.clear()
        return taken

    whole, by_hand = alternate([ours, lambda: reference.create(plan)], rounds)
    detail = f"{whole:.1f} s, SDK {by_hand:.1f} s, {len(plan.containers)} containers, median of {rounds}"
    return [Result(f"up of {name}", whole / by_hand, "x", _GOAL, detail)]


@contextmanager
def _deployed(name: str, settings: Mapping[str, Any]) -> Iterator[tuple[Deployment, Workspace]]:
    """A copy of the project with a stack of its own that is up; nothing of it is left."""
    with tempfile.TemporaryDirectory(prefix="berth-bench-") as folder:
        deployment = Deployment(Path(folder), name)
        engine = docker.from_env()
        network = {"name": f"{deployment.stack}-network", "subnet": free_subnet(engine)}
        engine.close()
        deployment.configure({**settings, "network": network})
        try:
            deployment.berth("up", "--yes")
            script = f'eval "$(./berth env -s {deployment.stack})" && env -0'
            said = deployment.shell(script).stdout
            environment = dict(entry.partition("=")[::2] for entry in said.split("\0") if entry)
            yield deployment, Workspace(deployment.folder, environment, deployment.stack)
        finally:
            deployment.berth("destroy", "--with-data", text=f"{deployment.stack}\n", check=False)
