"""What an update would change, seen before it starts."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from ops.stack import Stack

# Outputs hold certificates and are read by the verbs; a person needs the addresses, which the verbs tell.
QUIET = "--suppress-outputs"
BUILT = "docker:index/image:Image"


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """What an update would do. changes: anything. builds: the images that it makes, by name."""

    changes: bool
    builds: tuple[str, ...]


def foresee(stack: Stack, flags: Sequence[str], *, verb: str, to: TextIO) -> Foreseen:
    """Shows what `pulumi up` with these flags would do, policies included.

    verb: whose preview it is, for the words. Raises UserError where the preview fails.
    """
    with tempfile.TemporaryDirectory(prefix="berth-preview-") as folder:
        log = Path(folder) / "events"
        # The engine's own record of a run is behind this switch.
        environment = {**stack.pulumi.environment, "PULUMI_DEBUG_COMMANDS": "true"}
        told = replace(stack, pulumi=replace(stack.pulumi, environment=environment))
        told.run("preview", QUIET, *flags, "--event-log", str(log), verb=verb, to=to)
        with log.open(encoding="utf-8") as lines:
            events = [json.loads(line) for line in lines]
    return Foreseen(changes=not unchanged(events), builds=tuple(builds(events)))


def builds(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of the images that a run with these events would build."""
    found = set()
    for event in events:
        step = (event.get("resourcePreEvent") or {}).get("metadata") or {}
        # What only goes (delete, delete-replaced, discard) has no new state.
        if step.get("type") == BUILT and step.get("new") and step["op"] not in ("same", "read", "refresh"):
            inputs = step["new"].get("inputs") or {}
            found.add(str(inputs.get("imageName") or step["urn"].rpartition("::")[2]))
    return sorted(found)


def unchanged(events: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a run's events say that every resource, and all that the stack exports, is as it was recorded.

    An unchanged resource may have a new parent, provider or protection, which an update records.
    """
    ended = False
    for event in events:
        step = (event.get("resOutputsEvent") or {}).get("metadata")
        if step and (step["op"] != "same" or step.get("old") != step.get("new") or _masked(step["new"])):
            return False
        summary = event.get("summaryEvent")
        if summary:
            ended = summary.get("result") == "succeeded" and set(summary["resourceChanges"]) <= {"same"}
    return ended


def _masked(state: Mapping[str, Any]) -> bool:
    """Whether the stack exports a secret, which may have changed behind its mask.

    A resource's secrets are compared by the engine, and are another op where they differ.
    """
    return state.get("type") == "pulumi:pulumi:Stack" and "[secret]" in json.dumps(state.get("outputs"))
