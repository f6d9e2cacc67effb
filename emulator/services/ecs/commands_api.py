"""Actions on Cloud Assistant's commands. Running them stands in a file of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from emulator.api.call import Answer, Call, Request, Says, Tag
from emulator.api.errors import missing_parameter
from emulator.api.paging import Either, either
from emulator.services.ecs import commands, resource_types
from emulator.services.ecs.model_commands import Command
from emulator.services.ecs.service import ECS
from emulator.tags import checked, match, shaped
from emulator.times import minutes_utc

T = TypeVar("T")
Name = Annotated[
    str,
    Field(max_length=128),
    Says("CmdName.ExceedLimit", "The length of the command name exceeds the upper limit.", 403),
]
Description = Annotated[
    str,
    Field(max_length=512),
    Says("CmdDesc.ExceedLimit", "The length of the command description exceeds the upper limit.", 403),
]
Directory = Annotated[
    str,
    Field(max_length=200),
    Says("InvalidParameter.WorkingDir", "The specified parameter WorkingDir is not valid."),
]
Timeout = Annotated[
    int,
    Field(ge=10),
    Says("InvalidParameter.Timeout", "The specified parameter Timeout is not valid."),
]
"""Seconds. One that is too long has a code of its own, which the rules know."""
Tags = Annotated[
    tuple[Tag, ...],
    Field(max_length=20),
    Says("NumberExceed.Tags", "The Tags parameter number is exceed."),
]
Encoding = Literal["", "PlainText", "Base64"]
"""Of contents and outputs in an answer; Base64 where nothing is said."""


class Listed(Either):
    """Lists of Cloud Assistant: pages of at most 50."""

    page_number: Annotated[
        int, Field(ge=1), Says("InvalidParam.PageNumber", "The specified parameter is invalid.")
    ] = 1
    page_size: Annotated[
        int, Field(ge=1, le=50), Says("InvalidParam.PageSize", "The specified parameter is invalid.")
    ] = 10
    max_results: Annotated[
        int | None,
        Field(ge=1, le=50),
        Says("InvalidParameter.MaxResults", "The specified parameter MaxResults is not valid."),
    ] = None


def paged(given: Either, found: Sequence[T]) -> tuple[Sequence[T], dict[str, Any]]:
    """As all lists that have both, but these do not say MaxResults again."""
    part, said = either(given, found)
    return part, {name: value for name, value in said.items() if name != "MaxResults"}


class CreateCommand(Request):
    name: Name
    type: str
    command_content: str
    content_encoding: str = ""
    """PlainText, or base64: whatever else it says is taken for Base64, as Alibaba Cloud does."""
    description: Description = ""
    enable_parameter: bool = False
    timeout: Timeout = 60
    working_dir: Directory = ""
    resource_group_id: str = ""
    tag: Tags = ()


@ECS.action
def create_command(call: Call, given: CreateCommand) -> Answer:
    if not given.name:
        raise missing_parameter("Name")
    type_ = commands.checked_type(given.type)
    content = commands.encoded(given.command_content, plain=given.content_encoding.lower() == "plaintext")
    if given.enable_parameter:
        commands.parameters(content)
    made = commands.keep(
        call,
        Command(
            id=call.cloud.new_id("c-"),
            region=call.region,
            created=call.now,
            name=given.name,
            description=given.description,
            type=type_,
            content=content,
            parameterized=given.enable_parameter,
            timeout=commands.checked_timeout(given.timeout),
            directory=given.working_dir,
            resource_group=given.resource_group_id,
            tags=checked(given.tag),
        ),
    )
    return {"CommandId": made.id}


class ModifyCommand(Request):
    command_id: str
    name: Name | None = None
    description: Description | None = None
    timeout: Timeout | None = None
    working_dir: Directory | None = None


@ECS.action
def modify_command(call: Call, given: ModifyCommand) -> Answer:
    """The content stays: nobody can know which of the two a run had."""
    command = commands.find(call.cloud, call.region, given.command_id)
    if given.name == "":
        raise missing_parameter("Name")
    changes = {
        "name": given.name,
        "description": given.description,
        "timeout": None if given.timeout is None else commands.checked_timeout(given.timeout),
        "directory": given.working_dir,
    }
    call.cloud.store.put(command.but(**{name: value for name, value in changes.items() if value is not None}))
    return {}


class DeleteCommand(Request):
    command_id: str


@ECS.action
def delete_command(call: Call, given: DeleteCommand) -> Answer:
    commands.delete(call, commands.find(call.cloud, call.region, given.command_id))
    return {}


class DescribeCommands(Listed):
    command_id: str = ""
    name: str = ""
    """With `*` for any text; the description, too."""
    description: str = ""
    type: str = ""
    provider: str = ""
    """Of public commands. There are none here: with a provider nothing is found."""
    latest: bool = False
    """Of public commands, too: the own ones have one version."""
    content_encoding: Encoding = ""
    resource_group_id: str = ""
    tag: Tags = ()


@ECS.action
def describe_commands(call: Call, given: DescribeCommands) -> Answer:
    """The latest first."""
    found = [
        one
        for one in reversed(call.cloud.store.all(Command, call.region))
        if not given.provider
        and given.command_id in ("", one.id)
        and like(given.name, one.name)
        and like(given.description, one.description)
        and given.type in ("", one.type)
        and given.resource_group_id in ("", one.resource_group)
        and match(one.tags, given.tag)
    ]
    part, said = paged(given, found)
    return said | {"Commands": {"Command": [_shaped(one, given.content_encoding) for one in part]}}


def like(wanted: str, text: str) -> bool:
    """`*` stands for any text; nothing wanted is found everywhere."""
    pattern = ".*".join(re.escape(part) for part in wanted.split("*"))
    return not wanted or re.fullmatch(pattern, text, re.DOTALL) is not None


def shown(content: str, encoding: Encoding) -> str:
    """A content or an output, kept in base64, as it was asked for."""
    return commands.text_of(content) if encoding == "PlainText" else content


def _shaped(one: Command, encoding: Encoding) -> dict[str, Any]:
    names = commands.parameters(one.content) if one.parameterized else []
    return {
        "CommandId": one.id,
        "Name": one.name,
        "Description": one.description,
        "Type": one.type,
        "CommandContent": shown(one.content, encoding),
        "WorkingDir": one.directory,
        "Timeout": one.timeout,
        "EnableParameter": one.parameterized,
        "ParameterNames": {"ParameterName": names},
        "ParameterDefinitions": {"ParameterDefinition": []},
        "InvokeTimes": one.invoked,
        "CreationTime": minutes_utc(one.created),
        "Category": "",
        "Provider": "",
        "Latest": False,
        "Version": 1,
        "Launcher": "",
        "ResourceGroupId": one.resource_group,
        "Tags": shaped(one.tags, key="TagKey", value="TagValue"),
    }


resource_types.serves("command", Command)
