"""A Docker volume."""

# ruff: noqa: ARG002 - every resource has the same operations

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from offline.docker.labels import LABELS, from_docker, to_docker
from offline.docker.taken import taken
from offline.provider.resource import Context, Field, Inputs, Resource, ResourceError, State

_REMOVAL_SECONDS: Final = 30.0  # how long the official provider waits for a container to let go
_POLL: Final = 0.5
ADOPT: Final = "BERTH_ADOPT_VOLUMES"  # names, separated by commas


class Volume(Resource):
    """docker:index/volume:Volume. Nothing about a local volume can change in place; its id is its name."""

    type: ClassVar[str] = "docker:index/volume:Volume"
    schema_version: ClassVar[int] = 1
    fields: ClassVar[Mapping[str, Field]] = {
        "name": Field(replace=True, computed=True),
        "labels": LABELS,
        "driver": Field(replace=True, computed=True),
        "driverOpts": Field(replace=True),
        "cluster": Field(
            refused="cluster volumes (Swarm with CSI) need the official plugin; use `driver` and `driverOpts`"
        ),
    }

    def create(self, ctx: Context, inputs: Inputs) -> tuple[str, State]:
        api = ctx.engine.api
        name = inputs["name"]
        if (other := _inspect(api, name)) is not None:
            if _adopted(name):
                if _was_ours(_state(other), inputs):
                    return name, _state(other)
                raise ResourceError(
                    f"volume '{name}' is not as this stack makes it, so it is not adopted",
                    fix=f"compare its driver, options and labels: docker volume inspect {name}",
                )
            # Creating a volume that exists succeeds and changes nothing, so two owners would share, and
            # remove, one's data.
            raise taken(ctx, self.type, name, id=name, labels=other.get("Labels"))
        made = api.create_volume(
            name,
            driver=inputs.get("driver") or None,
            driver_opts=inputs.get("driverOpts") or None,
            labels=to_docker(inputs.get("labels")) or None,
        )
        return made["Name"], _state(made)

    def undo(self, ctx: Context, id: str, state: State) -> None:
        """Take back a creation; what was adopted was there before, with its data."""
        if not _adopted(id):
            self.delete(ctx, id, state)

    def read(self, ctx: Context, id: str, inputs: Inputs, state: State) -> tuple[str, Inputs, State] | None:
        found = _inspect(ctx.engine.api, id)
        if found is None:
            return None
        state = _state(found)
        kept = {name: state[name] for name in inputs if name in state and name in self.fields}
        return found["Name"], (kept if inputs else _inputs(state)), state

    def delete(self, ctx: Context, id: str, state: State) -> None:
        from docker.errors import APIError, NotFound

        deadline = time.monotonic() + (ctx.timeout or _REMOVAL_SECONDS)
        while True:
            try:
                ctx.engine.api.remove_volume(id, force=True)
            except NotFound:
                return
            except APIError as error:
                if "volume is in use" not in str(error).lower() or time.monotonic() > deadline:
                    raise ResourceError(
                        f"volume '{id}' cannot be removed: {error.explanation}",
                        fix="remove the containers that use it",
                    ) from error
                ctx.log("waiting for the last container to let go")
                if ctx.cancelled.wait(_POLL):
                    raise ResourceError("cancelled while a container still used the volume") from error
            else:
                return


def _adopted(name: str) -> bool:
    """Whether the user said that the data of this volume belongs to the stack, which lost its state.

    Labels alone cannot tell: another checkout may have a stack of the same name on the same engine.
    """
    return name in os.environ.get(ADOPT, "").split(",")


def _was_ours(found: State, inputs: Inputs) -> bool:
    """Whether a volume is as this resource would make it, labels that tell its owner included."""
    labels = to_docker(inputs.get("labels"))
    return (
        "berth.stack" in labels
        and to_docker(found["labels"]) == labels
        and found["driver"] == (inputs.get("driver") or "local")
        and found["driverOpts"] == (inputs.get("driverOpts") or {})
    )


def _state(found: Mapping[str, Any]) -> State:
    return {
        "name": found["Name"],
        "labels": from_docker(found.get("Labels")),
        "driver": found["Driver"],
        "driverOpts": found.get("Options") or {},
        "mountpoint": found["Mountpoint"],
    }


def _inputs(state: State) -> Inputs:
    """Inputs that describe an imported volume: what differs from absence."""
    return {
        name: value for name, value in state.items() if name in Volume.fields and value not in ("", [], {})
    }


def _inspect(api: Any, name: str) -> dict[str, Any] | None:
    from docker.errors import NotFound

    try:
        found: dict[str, Any] = api.inspect_volume(name)
    except NotFound:
        return None
    return found
