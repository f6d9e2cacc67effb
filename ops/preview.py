"""What an update would change, seen before it starts."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from ops.stack import Stack

# Outputs hold certificates and are read by the verbs; a person needs the addresses, which the verbs tell.
QUIET = "--suppress-outputs"


def changes(stack: Stack, flags: Sequence[str], *, verb: str, to: TextIO) -> bool:
    """Shows what `pulumi up` with these flags would do, policies included; whether it would do anything.

    verb: whose preview it is, for the words. Raises UserError where the preview fails.
    """
    with tempfile.TemporaryDirectory(prefix="berth-preview-") as folder:
        log = Path(folder) / "events"
        # The engine's own record of a run is behind this switch.
        environment = {**stack.pulumi.environment, "PULUMI_DEBUG_COMMANDS": "true"}
        told = replace(stack, pulumi=replace(stack.pulumi, environment=environment))
        told.run("preview", QUIET, *flags, "--event-log", str(log), verb=verb, to=to)
        with log.open(encoding="utf-8") as lines:
            return not unchanged(json.loads(line) for line in lines)


def unchanged(events: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a run's events say that every resource, and all that the stack exports, is as it was recorded.

    An unchanged resource may have a new parent, provider or protection, which an update records.
    """
    ended = False
    for event in events:
        step = (event.get("resOutputsEvent") or {}).get("metadata")
        if step and (step["op"] != "same" or step.get("old") != step.get("new")):
            return False
        summary = event.get("summaryEvent")
        if summary:
            ended = summary.get("result") == "succeeded" and set(summary["resourceChanges"]) <= {"same"}
    return ended
