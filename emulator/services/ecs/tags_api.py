"""Tags and resource groups of what belongs to this service."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from emulator import tags
from emulator.api.call import Answer, Call, Request, Tag
from emulator.api.errors import ApiError, missing_parameter
from emulator.api.paging import tokened
from emulator.services.ecs import resource_types
from emulator.services.ecs.service import ECS

Ids = Annotated[tuple[str, ...], Field(min_length=1, max_length=50)]


class TagResources(Request):
    resource_type: str
    resource_id: Ids
    tag: Annotated[tuple[Tag, ...], Field(min_length=1, max_length=20)]


@ECS.action
def tag_resources(call: Call, given: TagResources) -> Answer:
    wanted = tags.checked(given.tag)
    for thing in resource_types.found(call, resource_types.known(given.resource_type), given.resource_id):
        tags.add(call.cloud.store, thing, wanted)
    return {}


class UntagResources(Request):
    resource_type: str
    resource_id: Ids
    tag_key: Annotated[tuple[str, ...], Field(max_length=20)] = ()
    all: bool = False


@ECS.action
def untag_resources(call: Call, given: UntagResources) -> Answer:
    if not given.tag_key and not given.all:
        raise missing_parameter("TagKey")
    for thing in resource_types.found(call, resource_types.known(given.resource_type), given.resource_id):
        tags.remove(call.cloud.store, thing, given.tag_key or None)
    return {}


class ListTagResources(Request):
    resource_type: str
    resource_id: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    tag: Annotated[tuple[Tag, ...], Field(max_length=20)] = ()
    next_token: str = ""


@ECS.action
def list_tag_resources(call: Call, given: ListTagResources) -> Answer:
    if not given.resource_id and not given.tag:
        raise missing_parameter("ResourceId")
    kind = resource_types.known(given.resource_type)
    rows = [
        row | {"ResourceId": kind.shown(thing)}
        for thing in call.cloud.store.all(kind.cls, call.region)
        if not given.resource_id or kind.shown(thing) in given.resource_id
        for row in tags.listed([thing], given.resource_type, given.tag)
    ]
    part, said = tokened(given.next_token, None, rows, default=50)
    answer: Answer = {"TagResources": {"TagResource": list(part)}}
    return answer | {"NextToken": said["NextToken"]} if said["NextToken"] else answer


class JoinResourceGroup(Request):
    resource_type: str
    resource_id: str
    resource_group_id: str


@ECS.action
def join_resource_group(call: Call, given: JoinResourceGroup) -> Answer:
    kind = resource_types.known(given.resource_type)
    (thing,) = resource_types.found(call, kind, (given.resource_id,))
    if not given.resource_group_id.startswith("rg-") or "resource_group" not in kind.cls.model_fields:
        raise ApiError(
            404,
            "InvalidResourceGroup.NotFound",
            "The ResourceGroup provided does not exist in our records.",
        )
    call.cloud.store.put(thing.but(resource_group=given.resource_group_id))
    return {}
