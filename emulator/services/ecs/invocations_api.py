"""Actions that run Cloud Assistant's commands, and stop them. What came of it stands in a file of its own."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from emulator.api.call import Answer, Call, Request, Says
from emulator.api.errors import ApiError, not_served
from emulator.services.ecs import commands, invocations, resource_types
from emulator.services.ecs.commands_api import (
    Description,
    Directory,
    Name,
    Tags,
    Timeout,
)
from emulator.services.ecs.invocations import Order
from emulator.services.ecs.model_commands import Command, Invocation
from emulator.services.ecs.service import ECS
from emulator.tags import checked

_LATER: Final = ("Period", "NextRebootOnly", "EveryReboot", "DryRun")
"""Ways to run a command that Alibaba Cloud has and this does not."""


class Ordered(Request):
    """What running a command has, be it one that is kept or not."""

    instance_id: tuple[str, ...] = ()
    parameters: Annotated[
        str, Says("InvalidParameter.Parameters", "The specified parameter Parameters is not valid.")
    ] = ""
    """JSON: values by name."""
    repeat_mode: str = ""
    timed: bool = False
    """From before there was RepeatMode."""
    timeout: Timeout | None = None
    working_dir: Directory | None = None
    username: Annotated[
        str,
        Field(max_length=255),
        Says("Username.ExceedLimit", "The length of the username exceeds the upper limit.", 403),
    ] = ""
    termination_mode: str = ""
    resource_group_id: str = ""
    tag: Tags = ()


def _order(call: Call, given: Ordered) -> Order:
    if given.repeat_mode in _LATER:
        raise not_served(call.action, f"RepeatMode={given.repeat_mode}")
    if given.timed:
        raise not_served(call.action, "Timed=true")
    if given.repeat_mode not in ("", "Once"):
        raise ApiError(404, "InvalidRepeatMode.NotFound", "The specified repeat mode does not exist.")
    if given.termination_mode == "Process":
        raise not_served(call.action, "TerminationMode=Process")
    if given.termination_mode not in ("", "ProcessTree"):
        raise ApiError(
            404,
            "InvalidTerminationMode.NotFound",
            "The specified parameter TerminationMode does not exist.",
        )
    return Order(
        instances=given.instance_id,
        parameters=given.parameters,
        timeout=None if given.timeout is None else commands.checked_timeout(given.timeout),
        directory=given.working_dir,
        user=given.username,
        resource_group=given.resource_group_id,
        tags=checked(given.tag),
    )


class InvokeCommand(Ordered):
    command_id: str


@ECS.action
def invoke_command(call: Call, given: InvokeCommand) -> Answer:
    command = commands.find(call.cloud, call.region, given.command_id)
    return {"InvokeId": invocations.invoke(call, command, _order(call, given)).id}


class RunCommand(Ordered):
    type: str
    command_content: str
    content_encoding: str = ""
    """Base64, or plain text: whatever else it says is taken for PlainText, as Alibaba Cloud does."""
    name: Name = ""
    description: Description = ""
    enable_parameter: bool = False
    keep_command: bool = False


@ECS.action
def run_command(call: Call, given: RunCommand) -> Answer:
    order = _order(call, given)
    type_ = commands.checked_type(given.type)
    content = commands.encoded(given.command_content, plain=given.content_encoding.lower() != "base64")
    if given.enable_parameter:
        commands.parameters(content)
    command = Command(
        id=call.cloud.new_id("c-"),
        region=call.region,
        created=call.now,
        name=given.name,
        description=given.description,
        type=type_,
        content=content,
        parameterized=given.enable_parameter,
        timeout=60 if order.timeout is None else order.timeout,
        directory=order.directory or "",
        resource_group=given.resource_group_id,
    )
    if given.keep_command:
        commands.keep(call, command)
    return {"CommandId": command.id, "InvokeId": invocations.invoke(call, command, order).id}


class StopInvocation(Request):
    invoke_id: str
    instance_id: tuple[str, ...] = ()


@ECS.action
def stop_invocation(call: Call, given: StopInvocation) -> Answer:
    invocations.stop(call, invocations.find(call.cloud, call.region, given.invoke_id), given.instance_id)
    return {}


resource_types.serves("invocation", Invocation)
