"""Tags of what belongs to this service, and its resource groups."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from emulator import tags
from emulator.api.call import Answer, Call, Request, Tag
from emulator.api.errors import ApiError, missing_parameter
from emulator.api.paging import tokened
from emulator.services.vpc.model import Eip, RouteTable, Vpc, VSwitch
from emulator.services.vpc.service import VPC
from emulator.tags import Tagged

ResourceType = Literal["VPC", "VSWITCH", "ROUTETABLE", "EIP"]
_CLASSES: dict[str, type[Tagged]] = {"VPC": Vpc, "VSWITCH": VSwitch, "ROUTETABLE": RouteTable, "EIP": Eip}


def _found(call: Call, kind: str, ids: tuple[str, ...]) -> list[Tagged]:
    things = [call.cloud.store.get(_CLASSES[kind], one) for one in ids]
    if any(thing is None or thing.region != call.region for thing in things):
        raise ApiError(404, "InvalidResourceId.NotFound", "The specified ResourceIds are not found.")
    return [thing for thing in things if thing is not None]


class TagResources(Request):
    resource_type: ResourceType
    resource_id: Annotated[tuple[str, ...], Field(min_length=1, max_length=50)]
    tag: Annotated[tuple[Tag, ...], Field(min_length=1, max_length=20)]


@VPC.action
def tag_resources(call: Call, given: TagResources) -> Answer:
    wanted = tags.checked(given.tag)
    for thing in _found(call, given.resource_type, given.resource_id):
        tags.add(call.cloud.store, thing, wanted)
    return {}


class UnTagResources(Request):
    resource_type: ResourceType
    resource_id: Annotated[tuple[str, ...], Field(min_length=1, max_length=50)]
    tag_key: Annotated[tuple[str, ...], Field(max_length=20)] = ()
    all: bool = False


@VPC.action
def untag_resources(call: Call, given: UnTagResources) -> Answer:
    if not given.tag_key and not given.all:
        raise missing_parameter("TagKey")
    for thing in _found(call, given.resource_type, given.resource_id):
        tags.remove(call.cloud.store, thing, given.tag_key or None)
    return {}


class ListTagResources(Request):
    resource_type: ResourceType
    resource_id: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    tag: tuple[Tag, ...] = ()
    next_token: str = ""
    max_results: Annotated[int, Field(ge=1, le=50)] | None = None


@VPC.action
def list_tag_resources(call: Call, given: ListTagResources) -> Answer:
    if not given.resource_id and not given.tag:
        raise missing_parameter("ResourceId")
    things = [
        thing
        for thing in call.cloud.store.all(_CLASSES[given.resource_type], call.region)
        if not given.resource_id or thing.id in given.resource_id
    ]
    part, said = tokened(
        given.next_token, given.max_results, tags.listed(things, given.resource_type, given.tag), default=50
    )
    return {"NextToken": said["NextToken"], "TagResources": {"TagResource": list(part)}}


class MoveResourceGroup(Request):
    resource_type: str
    resource_id: str
    new_resource_group_id: str


@VPC.action
def move_resource_group(call: Call, given: MoveResourceGroup) -> Answer:
    if (kind := given.resource_type.upper()) not in _CLASSES:
        raise ApiError(400, "InvalidResourceType.NotFound", "The specified ResourceType is not found.")
    (thing,) = _found(call, kind, (given.resource_id,))
    if not given.new_resource_group_id.startswith("rg-"):
        raise ApiError(404, "InvalidResourceGroup.NotFound", "The specified resource group does not exist.")
    call.cloud.store.put(thing.but(resource_group=given.new_resource_group_id))
    return {}
