"""Whether Cloud Assistant answers on instances."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from emulator.api.call import Answer, Call, Says
from emulator.api.errors import ApiError
from emulator.services.ecs.commands_api import Listed, paged
from emulator.services.ecs.model_commands import Run
from emulator.services.ecs.model_instances import Instance
from emulator.services.ecs.service import ECS
from emulator.times import seconds_utc

VERSION: Final = "2.2.3.857"
"""Of the assistant's agent: one that knows all that is served here."""


class DescribeCloudAssistantStatus(Listed):
    instance_id: Annotated[
        tuple[str, ...],
        Field(max_length=100),
        Says("InstanceIds.ExceedLimit", "The number of instance IDs exceeds the upper limit.", 403),
    ] = ()
    """Where some are named, all of them are answered at once."""
    os_type: Annotated[Literal["", "Linux", "Windows", "FreeBSD"], Field(alias="OSType")] = ""


@ECS.action
def describe_cloud_assistant_status(call: Call, given: DescribeCloudAssistantStatus) -> Answer:
    held = {one.id: one for one in call.cloud.store.all(Instance, call.region)}
    if not held.keys() >= set(given.instance_id):
        raise ApiError(404, "InvalidInstanceIds.NotFound", "The specified InstanceIds are not found.")
    named = list(dict.fromkeys(given.instance_id))
    found = [held[one] for one in named or held] if given.os_type in ("", "Linux") else []
    part, said = paged(given, found)
    if named:
        part = found
    by_instance: dict[str, list[Run]] = {}
    for run in call.cloud.store.all(Run, call.region):
        by_instance.setdefault(run.instance, []).append(run)
    rows = [_assistant(call, one, by_instance.get(one.id, [])) for one in part]
    return said | {"InstanceCloudAssistantStatusSet": {"InstanceCloudAssistantStatus": rows}}


def _assistant(call: Call, one: Instance, runs: list[Run]) -> dict[str, Any]:
    """It answers where a machine runs; the others have none that could."""
    answers = call.cloud.machines and one.status == "Running"
    started = [run.started for run in runs if run.started is not None]
    return {
        "InstanceId": one.id,
        "CloudAssistantStatus": "true" if answers else "false",
        "CloudAssistantVersion": VERSION if call.cloud.machines else "",
        "LastHeartbeatTime": seconds_utc(call.now) if answers else "",
        "InvocationCount": len(started),
        "ActiveTaskCount": sum(not run.over(call.now) for run in runs),
        "LastInvokedTime": seconds_utc(max(started)) if started else "",
        "OSType": "Linux",
        "SupportSessionManager": False,
    }
