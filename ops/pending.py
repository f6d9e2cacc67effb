"""Heals what a killed `up` left: operations of which nobody knows whether they happened.

For each object that was being created, the engine is asked. A container that is ours is removed (it never
served, its data lies in volumes), a network or volume that is ours is taken into the state, the rest is
dropped from the list.
Objects of others are never touched: ours are known by the labels that the interrupted operation wanted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.engine import Engine
from ops.progress import say
from ops.pulumi import Pulumi

CONTAINER = "docker:index/container:Container"
ADOPTED = {"docker:index/network:Network": "networks", "docker:index/volume:Volume": "volumes"}


@dataclass(frozen=True)
class Interrupted:
    """One operation without an outcome."""

    urn: str
    type: str
    operation: str
    inputs: Mapping[str, Any]


def read(exported: str) -> list[Interrupted]:
    """The interrupted operations in the output of `pulumi stack export`."""
    operations = (json.loads(exported).get("deployment") or {}).get("pending_operations") or []
    return [
        Interrupted(
            urn=entry["resource"]["urn"],
            type=entry["resource"]["type"],
            operation=entry["type"],
            inputs=entry["resource"].get("inputs") or {},
        )
        for entry in operations
    ]


def wanted_labels(inputs: Mapping[str, Any]) -> dict[str, str]:
    """The labels that the operation asked for; the Docker schema has them as a list of pairs."""
    labels = inputs.get("labels") or []
    return {str(pair["label"]): str(pair["value"]) for pair in labels if isinstance(pair, Mapping)}


def ours(wanted: Mapping[str, str], found: Mapping[str, str] | None) -> bool:
    """Whether an object with the labels `found` is the one that was asked for with the labels `wanted`."""
    return bool(wanted) and all((found or {}).get(label) == value for label, value in wanted.items())


def heal(pulumi: Pulumi, engine: Engine, exported: str) -> bool:
    """Brings the state and the engine together again. Returns whether anything had been interrupted."""
    interrupted = read(exported)
    if not interrupted:
        return False
    say(
        f"The last run was interrupted during {len(interrupted)} operation(s); looking what became of "
        "them ..."
    )
    adopted: list[str] = []
    client = engine.client()
    try:
        for entry in interrupted:
            name = entry.inputs.get("name")
            if entry.operation != "creating" or not isinstance(name, str):
                continue
            if entry.type == CONTAINER:
                for container in client.containers.list(
                    all=True, ignore_removed=True, filters={"name": name}
                ):
                    # The filter is an expression that also finds names which only contain this one.
                    if container.name == name and ours(wanted_labels(entry.inputs), container.labels):
                        say(f"  container {name}: half made, removed; it is created again")
                        container.remove(force=True, v=True)  # its anonymous volumes hold secrets
            elif entry.type in ADOPTED:
                for found in getattr(client, ADOPTED[entry.type]).list(filters={"name": name}):
                    if found.name == name and ours(wanted_labels(entry.inputs), found.attrs.get("Labels")):
                        say(
                            f"  {ADOPTED[entry.type].removesuffix('s')} {name}: was created, taken into "
                            "the state"
                        )
                        adopted += [
                            "--import-pending-creates",
                            entry.urn,
                            "--import-pending-creates",
                            str(found.id),
                        ]
    finally:
        client.close()
    pulumi.capture(
        "refresh", "--yes", "--skip-preview", "--clear-pending-creates", *adopted, "--stack", pulumi.stack
    )
    return True
