"""How an action declares its parameters, and what it gets to know of the call.

    class CreateVpc(Request):
        cidr_block: Annotated[Cidr, Says("InvalidCidrBlock.Malformed", "...")] = "172.16.0.0/12"
        vpc_name: str = ""

Names are Alibaba Cloud's, in Python's spelling; nested values and lists are models of their own. What a
request has and the action does not declare is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal
from pydantic.fields import FieldInfo

from emulator.api import errors
from emulator.api.errors import ApiError

if TYPE_CHECKING:
    from emulator.cloud import Cloud


def wire_name(name: str) -> str:
    """`vswitch_id` is VSwitchId on the wire: two words of Alibaba's have a capital of their own."""
    return to_pascal(name).replace("Vswitch", "VSwitch").replace("Vrouter", "VRouter")


class Parameters(BaseModel):
    """Named values, as they come over the wire."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=wire_name, populate_by_name=False)


class Request(Parameters):
    """The parameters of one action."""

    regional: ClassVar[bool] = True
    """False for actions that do without a region: the thing that they name is found wherever it is."""

    region_id: str = ""
    client_token: Annotated[str, Field(max_length=64, pattern=r"^[\x21-\x7e]*$")] = ""
    dry_run: bool = False


class Tag(Parameters):
    key: Annotated[str, Field(min_length=1, max_length=128)]
    value: Annotated[str, Field(max_length=128)] = ""


def _from_json(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("no JSON") from None


JsonList = Annotated[tuple[str, ...], BeforeValidator(_from_json), Field(max_length=100)]
"""Several ids in one parameter: `["i-1", "i-2"]`."""


def _no_url(value: str) -> str:
    if value.startswith(("http://", "https://")):
        raise ValueError("a URL")
    return value


NO_URL = AfterValidator(_no_url)
"""Of names and descriptions: they do not begin with http:// or https://."""


@dataclass(frozen=True)
class Says:
    """The code and message of a parameter whose value is wrong, where they are not the gateway's."""

    code: str
    message: str
    status: int = 400


@dataclass(frozen=True)
class Caller:
    """Who signed the request."""

    account: str
    kind: str
    """Account, RAMUser or AssumedRoleUser."""
    principal: str
    arn: str
    user: str


@dataclass(frozen=True)
class Call:
    """What an action gets beside its parameters."""

    cloud: Cloud
    action: str
    region: str
    caller: Caller
    request_id: str
    now: datetime


R = TypeVar("R", bound=Request)
Answer = dict[str, Any]


def parse(model: type[R], action: str, parameters: dict[str, Any]) -> R:
    """The parameters, typed. Raises ApiError, with Alibaba's code for what is missing or malformed."""
    try:
        return model.model_validate(parameters)
    except ValidationError as failure:
        raise _refusal(model, action, failure) from None


def _refusal(model: type[BaseModel], action: str, failure: ValidationError) -> ApiError:
    problems = failure.errors(include_url=False)
    # A mistake in what is served says more than a parameter that is not.
    problem = min(problems, key=lambda one: one["type"] == "extra_forbidden")
    place = [str(step + 1) if isinstance(step, int) else step for step in problem["loc"]]
    name = ".".join(place)
    says, declared = _says(model, problem["loc"])
    if problem["type"] == "extra_forbidden":
        return errors.not_served(action, name)
    if says is not None and problem["type"] != "missing":
        return ApiError(says.status, says.code, says.message)
    if problem["type"] == "missing":
        return errors.missing(name) if len(place) == 1 else errors.missing_parameter(name)
    return errors.invalid(declared or name)


def _says(model: type[BaseModel], place: Sequence[int | str]) -> tuple[Says | None, str]:
    """The `Says` that stands nearest to the mistake, and the parameter that it was made in."""
    found: Says | None = None
    name = ""
    here: Any = model
    for step in place:
        if isinstance(step, int) or not (isinstance(here, type) and issubclass(here, BaseModel)):
            continue
        field = _field(here, step)
        if field is None:
            break
        name = step
        found = next((one for one in _metadata(field) if isinstance(one, Says)), found)
        here = _model_in(field.annotation)
    return found, name


def _field(model: type[BaseModel], alias: str) -> FieldInfo | None:
    return next((field for field in model.model_fields.values() if field.alias == alias), None)


def _metadata(field: FieldInfo) -> Iterator[Any]:
    """The field's own, and that of what its type is made of: `Name | None` says what `Name` says."""
    yield from field.metadata
    for arm in get_args(field.annotation):
        yield from getattr(arm, "__metadata__", ())


def _model_in(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    return next((found for arm in get_args(kind) if (found := _model_in(arm)) is not None), None)
