"""Rules of Cloud Assistant's commands: what they may hold, and their parameters."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any, Final, get_args

from emulator.api.call import Call
from emulator.api.errors import ApiError
from emulator.cloud import Cloud
from emulator.services.ecs.model_commands import Command, Run, Type

MOST: Final = 500
"""Commands of one region, without a raised quota."""
LARGEST: Final = 24 * 1024
"""Characters of a content in base64."""
LONGEST: Final = 86400
"""Seconds that a command may run."""
MOST_PARAMETERS: Final = 20
MOST_VALUES: Final = 10
BUILT_IN: Final = frozenset(
    f"acs::{name}"
    for name in ("regionid", "accountid", "instanceid", "instancename", "invokeid", "commandid")
)
"""Parameters that nobody passes, in lower case: what the assistant knows itself."""
_PARAMETER: Final = re.compile(rb"\{\{(.*?)\}\}", re.DOTALL)


def find(cloud: Cloud, region: str, command_id: str) -> Command:
    """Raises ApiError for one that is not in the region."""
    found = cloud.store.get(Command, command_id)
    if found is None or found.region != region:
        raise ApiError(404, "InvalidCmdId.NotFound", "The specified command ID does not exist.")
    return found


def checked_type(text: str) -> Type:
    """Raises ApiError for a type that does not exist. Which instances it fits is asked when it is run."""
    for known in get_args(Type):
        if text == known:
            return known  # type: ignore[no-any-return]
    raise ApiError(404, "InvalidCmdType.NotFound", "The specified command type does not exist.")


def checked_timeout(seconds: int) -> int:
    if seconds > LONGEST:
        raise ApiError(
            403, "InvalidTimeout.ExceedLimit", "The specified parameter Timeout exceeds the upper limit."
        )
    return seconds


def encoded(content: str, *, plain: bool) -> str:
    """A content in base64, as it is kept. plain: it came as text. Raises ApiError."""
    if plain:
        content = base64.b64encode(content.encode()).decode()
    else:
        try:
            base64.b64decode(content, validate=True)
        except (ValueError, binascii.Error):
            raise ApiError(
                400, "CmdContent.DecodeError", "The CommandContent can not be base64 decoded."
            ) from None
    if len(content) > LARGEST:
        raise ApiError(
            403, "CmdContent.ExceedLimit", "The length of the command content exceeds the upper limit."
        )
    return content


def text_of(content: str) -> str:
    """A content that is kept, as text; what is no UTF-8 in it is replaced."""
    return base64.b64decode(content).decode("utf-8", "replace")


def keep(call: Call, command: Command) -> Command:
    """Raises ApiError for one command too many."""
    if len(call.cloud.store.all(Command, call.region)) >= MOST:
        raise ApiError(
            403,
            "CmdCount.ExceedQuota",
            "The total number of commands in the current region exceeds the quota.",
        )
    return call.cloud.store.put(command)


def delete(call: Call, command: Command) -> None:
    for run in call.cloud.store.all(Run, command.region):
        if run.command == command.id and not run.over(call.now):
            raise ApiError(
                403,
                "InvalidStatus.CmdIdInUse",
                "The specified commandId is in use by some runing Invocation.",
            )
    call.cloud.store.remove(command)


# --- parameters


def parameters(content: str) -> list[str]:
    """The names of the parameters in a content, without the built-in ones. Raises ApiError."""
    found: dict[str, str] = {}
    for part in _PARAMETER.findall(base64.b64decode(content)):
        name = _name(part)
        if name.lower() in BUILT_IN:
            continue
        if not name:
            raise ApiError(400, "CmdParam.EmptyKey", "You must specify the parameter names.")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ApiError(
                400,
                "CmdParam.InvalidParamName",
                "Invalid parameter name. The name can contain only lowercase letters (a to z), uppercase "
                "letters (A to Z), numbers (0 to 9), hyphens (-), and underscores (_).",
            )
        if len(name) > 64:
            raise ApiError(
                403, "CmdParamName.ExceedLimit", "The maximum length of a parameter name is exceeded."
            )
        found.setdefault(name.lower(), name)
    if len(found) > MOST_PARAMETERS:
        raise ApiError(
            403, "CmdParamCount.ExceedLimit", "The maximum number of custom parameters is exceeded."
        )
    return list(found.values())


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with all that stands in it: a dictionary would keep one value of a name given twice."""


def values(command: Command, text: str) -> dict[str, str]:
    """The values of a command's parameters, from JSON. Raises ApiError for what the command does not take."""
    try:
        given = json.loads(text or "{}", object_pairs_hook=_Pairs)
    except ValueError:
        given = None
    if not isinstance(given, _Pairs):
        raise ApiError(400, "InvalidParameter.Parameters", "The specified parameter Parameters is not valid.")
    if given and not command.parameterized:
        raise ApiError(
            400,
            "Parameter.Disabled",
            "Parameters cannot be passed in when the command customization function is disabled.",
        )
    if len(given) > MOST_VALUES:
        raise ApiError(403, "ParameterCount.ExceedLimit", "The maximum number of parameters is exceeded.")
    if any(len(name) > 64 for name, _ in given):
        raise ApiError(403, "ParameterKey.ExceedLimit", "The maximum length of a parameter name is exceeded.")
    if len({name.lower() for name, _ in given}) < len(given):
        raise ApiError(403, "ParameterKey.Duplicate", "Parameter names cannot be duplicated.")
    if not all(isinstance(value, str) for _, value in given):
        raise ApiError(403, "ParameterType.NotSupported", "The type of parameter value is not supported.")
    if given:
        known = {name.lower() for name in parameters(command.content)}
        if not {name.lower() for name, _ in given} <= known:
            raise ApiError(
                403,
                "Parameter.NotMatched",
                "The passed-in parameters do not match the parameters defined when you created the command.",
            )
    return dict(given)


def filled(content: str, given: Mapping[str, str]) -> str:
    """The content with values in the place of its parameters; one that nobody gave is empty.

    given: by name, in whatever case. Both contents are in base64. Raises ApiError where it gets too long.
    """
    lower = {name.lower(): value for name, value in given.items()}
    script = _PARAMETER.sub(
        lambda hole: lower.get(_name(hole[1]).lower(), "").encode(), base64.b64decode(content)
    )
    made = base64.b64encode(script).decode()
    if len(made) > LARGEST:
        raise ApiError(403, "CmdContent.ExceedLimit", "The maximum length of a command is exceeded.")
    return made


def _name(part: bytes) -> str:
    """Of what stands between the braces: spaces and line breaks around a name do not count."""
    return part.decode("utf-8", "replace").strip()
