"""Tags of roles and policies."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from emulator import tags
from emulator.api import errors
from emulator.api.call import Answer, Call, Request
from emulator.api.paging import tokened
from emulator.cloud import Cloud
from emulator.services.ram import policies, roles
from emulator.services.ram.model import Policy, Role
from emulator.services.ram.service import RAM, Names, Tags

Kind = Literal["role", "policy"]


class TagResources(Request):
    resource_type: Kind
    resource_names: Names
    tag: Tags


@RAM.action
def tag_resources(call: Call, given: TagResources) -> Answer:
    for name in given.resource_names:
        tags.add(call.cloud.store, _find(call.cloud, given.resource_type, name), tags.checked(given.tag))
    return {}


class UntagResources(Request):
    resource_type: Kind
    resource_names: Names
    tag_keys: Names = ()
    tag_key: Names = ()
    """The same once more, one by one: the official provider sends both."""
    all: bool = False


@RAM.action
def untag_resources(call: Call, given: UntagResources) -> Answer:
    keys = {*given.tag_keys, *given.tag_key}
    if not keys and not given.all:
        raise errors.missing_parameter("TagKeys")
    for name in given.resource_names:
        thing = _find(call.cloud, given.resource_type, name)
        tags.remove(call.cloud.store, thing, keys or None)
    return {}


class ListTagResources(Request):
    resource_type: Kind
    resource_names: Names = ()
    tag: Tags = ()
    next_token: str = ""
    page_size: Annotated[int, Field(ge=1, le=100)] = 50


@RAM.action
def list_tag_resources(call: Call, given: ListTagResources) -> Answer:
    cloud = call.cloud
    held: list[Role] | list[Policy] = (
        cloud.store.all(Role) if given.resource_type == "role" else cloud.store.all(Policy)
    )
    wanted = {name.lower() for name in given.resource_names}
    rows = [
        {"ResourceName": row["ResourceId"]}
        | {key: row[key] for key in ("ResourceType", "TagKey", "TagValue")}
        for row in tags.listed(
            (one for one in held if not wanted or one.id.lower() in wanted), given.resource_type, given.tag
        )
    ]
    part, said = tokened(given.next_token, given.page_size, rows)
    return {"TagResources": list(part), "NextToken": said["NextToken"]}


def _find(cloud: Cloud, kind: str, name: str) -> Role | Policy:
    return roles.find(cloud, name) if kind == "role" else policies.find(cloud, "Custom", name)
