"""Commands of Cloud Assistant, and running one on machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from offline.alicloud.api import Answer, Refused, Unreached
from offline.alicloud.field import Property, one_of, pick
from offline.alicloud.lifecycle import CloudResource, without
from offline.alicloud.work import Creation, Deletion, Work
from offline.provider.resource import Context, Field, Inputs, PartialCreate, ResourceError, State

_SHOWN: Final = 2000  # characters of a failed command's output in a message: its last ones
_PAGE: Final = 50


class _Unnamed(CloudResource):
    """What has neither a client token nor a name of its own: one whose answer was lost is looked for."""

    product = "ecs"

    def make(self, work: Work, inputs: Inputs) -> str:
        before = self.like(work, inputs)
        try:
            return super().make(work, inputs)
        except (Unreached, Refused) as error:
            if isinstance(error, Refused) and not error.undecided:
                raise
            made = self.like(work, inputs) - before
            if len(made) != 1:
                raise
            return made.pop()

    def like(self, work: Work, inputs: Inputs) -> set[str]:
        """The ids of what is there that could have been made of these inputs."""
        raise NotImplementedError


class Command(_Unnamed):
    """alicloud:ecs/command:Command. Nothing of it changes: another text is another command."""

    type: ClassVar[str] = "alicloud:ecs/command:Command"
    noun = "command"
    id_parameter = "CommandId"
    fields: ClassVar[Mapping[str, Field]] = {
        "commandContent": Property(create="CommandContent", read="CommandContent", replace=True),
        "description": Property(create="Description", read="Description", replace=True),
        "enableParameter": Property(
            create="EnableParameter", read="EnableParameter", flag=True, replace=True, default=False
        ),
        "name": Property(create="Name", read="Name", replace=True),
        "timeout": Property(create="Timeout", read="Timeout", replace=True, default=60),
        "type": Property(
            create="Type",
            read="Type",
            replace=True,
            valid=one_of("RunBatScript", "RunPowerShellScript", "RunShellScript"),
        ),
        "workingDir": Property(create="WorkingDir", read="WorkingDir", replace=True),
    }
    creation = Creation(action="CreateCommand", id="CommandId", token=False, seconds=60)
    deletion = Deletion(action="DeleteCommand", seconds=60)

    def like(self, work: Work, inputs: Inputs) -> set[str]:
        return _ids(work, "Command", {"Name": inputs["name"]})

    def describe(self, work: Work, id: str) -> Answer | None:
        answer = work.found("DescribeCommands", {"CommandId": id}) or {}
        found = pick(answer, "Commands.Command") or []
        return next((one for one in found if one["CommandId"] == id), None)


class EcsInvocation(_Unnamed):
    """alicloud:ecs/ecsInvocation:EcsInvocation: a command that is run once, when this is made.

    It is there once the command ended well on all machines. One that failed is none: the next `up` invokes it
    again.
    """

    type: ClassVar[str] = "alicloud:ecs/ecsInvocation:EcsInvocation"
    noun = "invocation"
    id_parameter = "InvokeId"
    status = "InvocationStatus"
    ready = ("Success", "Scheduled")
    broken = ("Failed", "PartialFailed", "Stopped")
    vanishes = False  # Alibaba Cloud keeps what came of it for some weeks
    fields: ClassVar[Mapping[str, Field]] = {
        "commandId": Property(create="CommandId", read="CommandId", replace=True),
        "frequency": Property(create="Frequency", read="Frequency", replace=True),
        "instanceIds": Property(create="InstanceId", replace=True),
        "parameters": Property(replace=True),
        "repeatMode": Property(
            create="RepeatMode",
            read="RepeatMode",
            computed=True,
            replace=True,
            valid=one_of("Once", "Period", "NextRebootOnly", "EveryReboot"),
        ),
        "timed": Property(create="Timed", read="Timed", computed=True, flag=True, replace=True),
        "username": Property(create="Username", read="Username", computed=True, replace=True),
        "windowsPasswordName": Property(create="WindowsPasswordName", replace=True),
    }
    creation = Creation(action="InvokeCommand", id="InvokeId", token=False, seconds=60)
    deletion = Deletion(action="StopInvocation", seconds=60)

    def table(self, ctx: Context, state: State, inputs: Inputs) -> Mapping[str, Field]:  # noqa: ARG002
        periodic = (inputs.get("repeatMode") or state.get("repeatMode")) == "Period"
        return self.fields if periodic else without(self.fields, "frequency")

    def create(self, ctx: Context, inputs: Inputs) -> tuple[str, State]:
        try:
            return super().create(ctx, inputs)
        except PartialCreate as partial:
            work = Work.of(ctx, self.product, 10)
            try:
                found = self.describe(work, partial.id)
            except (Refused, Unreached):
                raise partial from None
            if found is None or found[self.status] not in self.broken:
                raise
            raise ResourceError(
                f"{self.noun} {partial.id} is {found[self.status]}: {_why(work, partial.id)}",
                fix="correct the command, or the machine, and run the same again: it is invoked anew",
            ) from None

    def parameters(self, inputs: Inputs) -> dict[str, Any]:
        given = super().parameters(inputs)
        if inputs.get("parameters"):
            given["Parameters"] = dict(inputs["parameters"])  # the SDK writes it as JSON
        return given

    def like(self, work: Work, inputs: Inputs) -> set[str]:
        return _ids(work, "Invocation", {"CommandId": inputs["commandId"]}, id="InvokeId")

    def describe(self, work: Work, id: str) -> Answer | None:
        answer = work.found("DescribeInvocations", {"InvokeId": id}) or {}
        found = pick(answer, "Invocations.Invocation") or []
        return next((one for one in found if one["InvokeId"] == id), None)

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        runs = pick(answer, "InvokeInstances.InvokeInstance") or []
        return super().state_of(work, id, answer) | {
            "instanceIds": [str(one["InstanceId"]) for one in runs],
            "parameters": json.loads(answer.get("Parameters") or "{}") or None,
            "status": answer.get(self.status),
        }


def _ids(work: Work, what: str, asked: Mapping[str, Any], *, id: str = "CommandId") -> set[str]:
    """Of the newest of them: they are told first."""
    answer = work(f"Describe{what}s", {**asked, "PageSize": _PAGE})
    return {str(one[id]) for one in pick(answer, f"{what}s.{what}") or []}


def _why(work: Work, id: str) -> str:
    """How it went on the machines where it did not go well, with what it printed last."""
    asked = {"InvokeId": id, "ContentEncoding": "PlainText", "PageSize": _PAGE}
    try:
        answer = work("DescribeInvocationResults", asked)
    except (Refused, Unreached) as error:
        return f"why cannot be told: {error}"
    found = []
    for one in pick(answer, "Invocation.InvocationResults.InvocationResult") or []:
        if one.get("InvocationStatus") != "Success":
            code = f", exit code {one['ExitCode']}" if "ExitCode" in one else ""
            said = str(one.get("Output") or "").strip()[-_SHOWN:]
            why = one.get("ErrorInfo") or one.get("InvocationStatus")
            found.append(f"{one['InstanceId']}: {why}{code}" + (f"; it printed:\n{said}" if said else ""))
    return "\n".join(found) or "no machine says why"
