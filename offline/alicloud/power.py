"""An instance's power."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from offline.alicloud.api import Answer, Refused
from offline.alicloud.work import Work
from offline.provider.resource import ResourceError

_NOT_YET: Final = ("IncorrectInstanceStatus", "InvalidOperation.Conflict")


def ids(*names: str) -> str:
    """Ids as requests have them: a JSON list in a text."""
    return json.dumps(list(names), separators=(",", ":"))


def instance(work: Work, id: str) -> Answer | None:
    """An instance, by its id."""
    answer = work.found("DescribeInstances", {"InstanceIds": ids(id)}) or {}
    found = (answer.get("Instances") or {}).get("Instance") or []
    return next((one for one in found if one["InstanceId"] == id), None)


def stop(work: Work, id: str, *, mode: str = "") -> None:
    """Shut it down, unless it is. mode: StopCharging or KeepCharging; empty: what the account has chosen."""
    chosen = {"StoppedMode": mode} if mode else {}
    _bring(work, id, "Stopped", "StopInstance", {"ForceStop": False, **chosen})


def start(work: Work, id: str) -> None:
    """Switch it on, unless it is."""
    _bring(work, id, "Running", "StartInstance", {})


def reboot(work: Work, *names: str) -> None:
    """By force, as the official provider does it; all at once."""
    for id in names:
        work("RebootInstance", {"InstanceId": id, "ForceStop": True}, again=_NOT_YET)
    for id in names:
        work.patience.until(
            lambda id=id: True if _status(work, id) == "Running" else None,  # type: ignore[misc]
            f"instance {id} to be Running",
        )


def _bring(work: Work, id: str, wanted: str, action: str, given: Mapping[str, Any]) -> None:
    """Into a state, from wherever it is by now: while it moves it takes no orders."""
    ordered = False

    def look() -> bool | None:
        nonlocal ordered
        at = _status(work, id)
        if at == wanted:
            return True
        if at in ("Running", "Stopped") and not ordered:
            try:
                work(action, {"InstanceId": id, **given})
                ordered = True
            except Refused as refused:
                if not refused.code.startswith(_NOT_YET):
                    raise
        return None

    work.patience.until(look, f"instance {id} to be {wanted}")


def _status(work: Work, id: str) -> str:
    found = instance(work, id)
    if found is None:
        raise ResourceError(f"instance {id} is gone", fix="run `pulumi refresh`, then repeat the command")
    return str(found["Status"])
