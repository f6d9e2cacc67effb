"""Actions that tell what came of running Cloud Assistant's commands."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from emulator.api.call import Answer, Call
from emulator.api.errors import missing_parameter, not_served
from emulator.services.ecs import invocations
from emulator.services.ecs.commands_api import Encoding, Listed, Tags, like, paged, shown
from emulator.services.ecs.model_commands import Invocation, Run
from emulator.services.ecs.service import ECS
from emulator.tags import match, shaped
from emulator.times import seconds_utc


class DescribeInvocations(Listed):
    invoke_id: str = ""
    instance_id: str = ""
    command_id: str = ""
    command_name: str = ""
    command_type: str = ""
    invoke_status: str = ""
    repeat_mode: str = ""
    timed: bool = False
    include_output: bool = False
    content_encoding: Encoding = ""
    resource_group_id: str = ""
    tag: Tags = ()


@ECS.action
def describe_invocations(call: Call, given: DescribeInvocations) -> Answer:
    """The latest first. With an instance Alibaba Cloud does not look at names and modes."""
    if given.include_output and not (given.invoke_id or given.instance_id):
        raise missing_parameter("InvokeId")
    runs = _runs(call)
    found = [
        (one, [run for run in runs.get(one.id, []) if given.instance_id in ("", run.instance)])
        for one in reversed(call.cloud.store.all(Invocation, call.region))
        if given.invoke_id in ("", one.id)
        and given.command_id in ("", one.command)
        and (given.instance_id or like(given.command_name, one.name))
        and given.command_type in ("", one.type)
        and (given.instance_id or given.repeat_mode in ("", "Once"))
        and not given.timed
        and given.resource_group_id in ("", one.resource_group)
        and match(one.tags, given.tag)
    ]
    found = [
        (one, own)
        for one, own in found
        if own and _in_state(given.invoke_status, invocations.overall(own), invocations.overall_record(own))
    ]
    part, said = paged(given, found)
    rows = [_invocation(one, own, given) for one, own in part]
    return said | {"Invocations": {"Invocation": rows}}


def _runs(call: Call) -> dict[str, list[Run]]:
    """As they are by now, by their invocation."""
    found: dict[str, list[Run]] = {}
    for run in call.cloud.store.all(Run, call.region):
        found.setdefault(run.invocation, []).append(invocations.seen(run, call.now))
    return found


def _in_state(wanted: str, status: str, record: str) -> bool:
    """Of the two words for a state the older is asked for, unless only the other has that value."""
    return wanted in ("", status if wanted in ("Success", "Pending", "Scheduled") else record)


def _time(at: datetime | None) -> str:
    return "" if at is None else seconds_utc(at)


def _invocation(one: Invocation, runs: list[Run], given: DescribeInvocations) -> dict[str, Any]:
    return {
        "InvokeId": one.id,
        "CommandId": one.command,
        "CommandName": one.name,
        "CommandDescription": one.description,
        "CommandType": one.type,
        "CommandContent": shown(one.content, given.content_encoding),
        "Parameters": json.dumps(one.values, separators=(",", ":"), ensure_ascii=False),
        "InvocationStatus": invocations.overall(runs),
        "InvokeStatus": invocations.overall_record(runs),
        "CreationTime": seconds_utc(one.created),
        "RepeatMode": "Once",
        "Timed": False,
        "Frequency": "",
        "Timeout": one.timeout,
        "WorkingDir": one.directory,
        "Username": one.user,
        "TerminationMode": "ProcessTree",
        "Launcher": "",
        "ContainerId": "",
        "ContainerName": "",
        "OssOutputDelivery": "",
        "Tags": shaped(one.tags, key="TagKey", value="TagValue"),
        "InvokeInstances": {
            "InvokeInstance": [
                _run(run, shown(run.output, given.content_encoding) if given.include_output else "")
                | {
                    "InstanceInvokeStatus": invocations.record_status(run.status),
                    "CreationTime": seconds_utc(run.created),
                    "UpdateTime": seconds_utc(run.since),
                    "FinishTime": _time(run.finished),
                    "Timed": False,
                }
                for run in runs
            ]
        },
    }


def _run(run: Run, output: str) -> dict[str, Any]:
    """What both lists say of a run. Without an exit code there is no such field."""
    return {
        "InstanceId": run.instance,
        "InvocationStatus": run.status,
        "StartTime": _time(run.started),
        "StopTime": _time(run.stopped),
        "Repeats": 0 if run.started is None else 1,
        "Output": output,
        "Dropped": run.dropped,
        "ErrorCode": run.error,
        "ErrorInfo": run.info,
        "OssOutputStatus": "",
        "OssOutputUri": "",
        "OssOutputErrorCode": "",
        "OssOutputErrorInfo": "",
    } | ({} if run.exit_code is None else {"ExitCode": run.exit_code})


class DescribeInvocationResults(Listed):
    invoke_id: str = ""
    instance_id: str = ""
    command_id: str = ""
    invoke_record_status: str = ""
    include_history: bool = False
    content_encoding: Encoding = ""
    resource_group_id: str = ""
    tag: Tags = ()


@ECS.action
def describe_invocation_results(call: Call, given: DescribeInvocationResults) -> Answer:
    """The latest first."""
    if given.include_history:  # of commands that run more than once
        raise not_served(call.action, "IncludeHistory=true")
    runs = _runs(call)
    found = [
        (one, run)
        for one in reversed(call.cloud.store.all(Invocation, call.region))
        if given.invoke_id in ("", one.id)
        and given.command_id in ("", one.command)
        and given.resource_group_id in ("", one.resource_group)
        and match(one.tags, given.tag)
        for run in runs.get(one.id, [])
        if given.instance_id in ("", run.instance)
        and _in_state(given.invoke_record_status, run.status, invocations.record_status(run.status))
    ]
    part, said = paged(given, found)
    results = [
        _run(run, shown(run.output, given.content_encoding))
        | {
            "InvokeId": one.id,
            "CommandId": one.command,
            "InvokeRecordStatus": invocations.record_status(run.status),
            "FinishedTime": _time(run.finished),
            "Username": one.user,
            "TerminationMode": "ProcessTree",
            "Launcher": "",
            "ContainerId": "",
            "ContainerName": "",
            "OssOutputDelivery": "",
            "Tags": shaped(one.tags, key="TagKey", value="TagValue"),
        }
        for one, run in part
    ]
    return {"Invocation": said | {"InvocationResults": {"InvocationResult": results}}}
