"""Rules of running commands on instances. What runs them is emulator/plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from emulator.api.call import Call
from emulator.api.errors import ApiError
from emulator.cloud import Cloud
from emulator.services.ecs import commands
from emulator.services.ecs.model_commands import UNFINISHED, Command, Invocation, Run, Status
from emulator.services.ecs.model_instances import Instance

MOST: Final = 100
"""Instances of one invocation, without a raised quota."""
MOST_STOPPED: Final = 50
"""Instances that one call can stop an invocation on."""
DAILY: Final = 5000
"""Invocations of one region in a day, without a raised quota."""
KEPT: Final = timedelta(days=30)
MOST_KEPT: Final = 10_000
"""Runs of one region; the oldest that are over go first."""

INFO: Final = {
    "InstanceReleased": "the specified instance has been released",
    "InstanceNotRunning": "the instance is not running when create task",
    "AccountNotExists": "the specified account does not exists",
    "DirectoryNotExists": "the specified directory does not exists",
    "ClientNotRunning": "the aliyun service is not running on the instance",
    "ClientNotResponse": "the aliyun service in the instance does not response",
    "DeliveryTimeout": "the command delivery has been timeout",
    "ExecutionTimeout": "the command execution has been timeout",
    "ExecutionException": "the command execution got an exception",
    "ExecutionInterrupted": "the command execution has been interrupted",
    "ExitCodeNonzero": "the command execution exit code is not zero",
}
"""What ErrorInfo says with an ErrorCode."""
NO_MACHINE: Final = "no machine runs behind this emulator"


@dataclass(frozen=True)
class Order:
    """What an invocation may say beside its command. What is None or empty is the command's."""

    instances: tuple[str, ...]
    parameters: str
    """JSON."""
    timeout: int | None
    directory: str | None
    user: str
    resource_group: str
    tags: dict[str, str]


def find(cloud: Cloud, region: str, invocation_id: str) -> Invocation:
    """Raises ApiError for one that is not in the region."""
    found = cloud.store.get(Invocation, invocation_id)
    if found is None or found.region != region:
        raise ApiError(404, "InvalidInvokeId.NotFound", "The specified invoke ID does not exist.")
    return found


def invoke(call: Call, command: Command, order: Order) -> Invocation:
    """Run a command, one that is kept or not, on running instances. Raises ApiError."""
    cloud, store = call.cloud, call.cloud.store
    targets = _targets(call, command, order.instances)
    made = Invocation(
        id=cloud.new_id("t-"),
        region=call.region,
        created=call.now,
        command=command.id,
        name=command.name,
        description=command.description,
        type=command.type,
        content=command.content,
        parameterized=command.parameterized,
        values=commands.values(command, order.parameters),
        timeout=command.timeout if order.timeout is None else order.timeout,
        directory=command.directory if order.directory is None else order.directory,
        user=order.user,
        resource_group=order.resource_group,
        tags=order.tags,
    )
    for instance in targets:
        script(cloud, made, instance)  # it may be too long with its values
    _forget_old(call)
    today = [one for one in store.all(Invocation, call.region) if one.created.date() == call.now.date()]
    if len(today) >= DAILY:
        raise ApiError(
            403,
            "Invocation.ExceedQuota",
            "The invocation quota in the current region has been reached for today.",
        )
    store.put(made)
    for instance in targets:
        run = Run(
            id=f"{made.id}/{instance.id}",
            region=call.region,
            created=call.now,
            invocation=made.id,
            command=command.id,
            instance=instance.id,
            since=call.now,
            unreachable=None if cloud.machines else cloud.after(0.3),
        )
        stopped = instance.status != "Running"
        store.put(ended(run, call.now, "Aborted", "InstanceNotRunning") if stopped else run)
    if store.get(Command, command.id):
        store.put(command.but(invoked=command.invoked + 1))
    return made


def _targets(call: Call, command: Command, ids: Sequence[str]) -> list[Instance]:
    if not any(ids):
        raise ApiError(400, "MissingParam.InstanceId", "The parameter instanceId is missing or empty.")
    if len(ids) > MOST:
        raise _too_many()
    found = [call.cloud.store.get(Instance, one) for one in dict.fromkeys(ids)]
    targets = [one for one in found if one is not None and one.region == call.region]
    if len(targets) < len(found):
        raise ApiError(404, "InvalidInstance.NotFound", "The specified instance does not exist.")
    if command.type != "RunShellScript":  # all images here are Linux
        raise ApiError(
            400, "InvalidInstance.NotMatch", "The specified instance type does not match the command."
        )
    return targets


def _too_many() -> ApiError:
    return ApiError(403, "InstanceIds.ExceedLimit", "The number of instance IDs exceeds the upper limit.")


def _forget_old(call: Call) -> None:
    store = call.cloud.store
    runs = store.all(Run, call.region)
    for place, run in enumerate(runs):
        old = place < len(runs) - MOST_KEPT or run.created < call.now - KEPT
        if old and run.over(call.now):
            store.remove(run)
    left = {run.invocation for run in store.all(Run, call.region)}
    for one in store.all(Invocation, call.region):
        if one.id not in left:
            store.remove(one)


def script(cloud: Cloud, invocation: Invocation, instance: Instance) -> str:
    """What runs on the instance, in base64: the content with its parameters filled in."""
    if not invocation.parameterized:
        return invocation.content
    known = {
        "ACS::RegionId": invocation.region,
        "ACS::AccountId": cloud.account,
        "ACS::InstanceId": instance.id,
        "ACS::InstanceName": instance.name,
        "ACS::InvokeId": invocation.id,
        "ACS::CommandId": invocation.command,
    }
    return commands.filled(invocation.content, invocation.values | known)


def stop(call: Call, invocation: Invocation, ids: Sequence[str]) -> None:
    """On all instances where none is named. What has ended stays as it is."""
    if len(ids) > MOST_STOPPED:
        raise _too_many()
    runs = runs_of(call.cloud, invocation, call.now)
    if not set(ids) <= {run.instance for run in runs}:
        raise ApiError(
            404, "InvalidInstanceId.NotFound", "The specified parameter InstanceId does not exist."
        )
    for run in runs:
        if ids and run.instance not in ids:
            continue
        if run.status == "Pending":
            call.cloud.store.put(ended(run.but(stopped=call.now), call.now, "Cancelled"))
        elif run.status == "Running":
            call.cloud.store.put(run.but(status="Stopping", since=call.now, stopped=call.now))


def runs_of(cloud: Cloud, invocation: Invocation, now: datetime) -> list[Run]:
    """In the order in which the instances were named."""
    return [
        seen(run, now) for run in cloud.store.all(Run, invocation.region) if run.invocation == invocation.id
    ]


def seen(run: Run, now: datetime) -> Run:
    """As it is by now. Without machines nothing ran, and none of it is said to have."""
    if run.unreachable is None or not run.over(now):
        return run
    return ended(run, run.unreachable, "Aborted", "ClientNotRunning", why=NO_MACHINE)


def ended(run: Run, at: datetime, status: Status, error: str = "", *, why: str = "", **changed: Any) -> Run:
    """The run, over. error: an ErrorCode; why: what is to be said beyond its words."""
    info = INFO.get(error, "") + (f" ({why})" if why else "")
    return run.but(
        status=status,
        since=at,
        finished=at,
        unreachable=None,
        error=error,
        info=f"{info}." if info else "",
        **changed,
    )


# --- states, as the API names them: one for a run, two older ones beside it, and those of an invocation


def record_status(status: Status) -> str:
    """Of a run: InstanceInvokeStatus, InvokeRecordStatus. A command that fails has Finished, too."""
    if status in ("Success", "Failed"):
        return "Finished"
    if status in ("Cancelled", "Terminated"):
        return "Stopped"
    if status == "Stopping":
        return status
    return "Running" if status in UNFINISHED else "Failed"


def overall(runs: Sequence[Run]) -> str:
    """InvocationStatus of an invocation."""
    states = {run.status for run in runs}
    for moving in ("Pending", "Running", "Stopping"):
        if moving in states:
            return moving
    stopped = states & {"Cancelled", "Terminated"}
    failed = states - stopped - {"Success"}
    if "Success" in states:
        return "PartialFailed" if failed else "Success"
    return "Failed" if failed else "Stopped"


def overall_record(runs: Sequence[Run]) -> str:
    """InvokeStatus of an invocation, the older word: what ran to its end is Finished, well or not."""
    states = {record_status(run.status) for run in runs}
    for moving in ("Running", "Stopping"):
        if moving in states:
            return moving
    if "Finished" in states:
        return "PartialFailed" if "Failed" in states else "Finished"
    return "Failed" if "Failed" in states else "Stopped"
