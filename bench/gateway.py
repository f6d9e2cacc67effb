"""The gateway: its `up` against the same containers made by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from bench import reference
from bench.result import Result, alternate
from bench.workspace import ROOT, Workspace, workspace
from tests.ports import free_port


def up(rounds: int = 3) -> list[Result]:
    """`up` of the gateway, images present, against the same containers made with the Docker SDK."""
    with gateway() as system:
        system.run("up", "--yes", "--skip-preview")  # builds what is missing, and shows what to make by hand
        plan = reference.read(system.state())
        system.clear()

        def ours(*flags: str) -> float:
            taken = system.run("up", "--yes", *flags, policies=True).seconds
            system.clear()
            return taken

        whole, apply, floor = alternate(
            [ours, lambda: ours("--skip-preview"), lambda: reference.create(plan)], rounds
        )
    detail = f"SDK {floor:.2f} s, median of {rounds}, with policies"
    return [
        Result("up of the gateway, preview included", whole / floor, "x", 1.5, f"up {whole:.2f} s, {detail}"),
        Result("up --skip-preview of the gateway", apply / floor, "x", None, f"up {apply:.2f} s, {detail}"),
    ]


@contextmanager
def gateway() -> Iterator[Workspace]:
    """The gateway of the dev stack, on a loopback port of its own and with a network of its own."""
    settings = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text(encoding="utf-8"))
    config = {key: value for key, value in settings["config"].items() if key != "berth:secrets"}
    system = config.get("berth:gateway") or {}
    system["gateway"] = {**system.get("gateway", {}), "port": free_port(), "address": "127.0.0.1"}
    system["network"] = {**system.get("network", {}), "name": "berth-bench"}
    config["berth:gateway"] = system
    with workspace() as bench:
        file = bench.folder / f"Pulumi.{bench.stack}.yaml"
        known = yaml.safe_load(file.read_text(encoding="utf-8"))
        file.write_text(yaml.safe_dump({**known, "config": config}), encoding="utf-8")
        bench.run("config", "set", "--secret", "--path", "berth:secrets.aliyun_access_key", "bench-only-key")
        yield bench
