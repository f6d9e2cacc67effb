"""Actions on roles."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from emulator.api.call import Answer, Call, Request, Says
from emulator.services.ram import roles
from emulator.services.ram.model import Role
from emulator.services.ram.service import RAM, Marked, RoleName, Tags, marked, too_long
from emulator.tags import checked, match
from emulator.times import seconds_utc

Description = Annotated[str, Field(max_length=1024), too_long("Description")]
Longest = Annotated[
    int,
    Field(ge=3600, le=43200),
    Says("InvalidParameter.MaxSessionDuration", 'The parameter - "MaxSessionDuration" is incorrect.'),
]


class CreateRole(Request):
    role_name: RoleName
    assume_role_policy_document: str
    description: Description = ""
    max_session_duration: Longest = 3600
    allow_console_login: bool = False
    tag: Tags = ()


@RAM.action
def create_role(call: Call, given: CreateRole) -> Answer:
    role = roles.create(
        call,
        name=given.role_name,
        description=given.description,
        trust=given.assume_role_policy_document,
        longest=given.max_session_duration,
        console=given.allow_console_login,
        tags=checked(given.tag),
    )
    return {"Role": _shape(call, role) | _trust(role)}


class GetRole(Request):
    role_name: RoleName


@RAM.action
def get_role(call: Call, given: GetRole) -> Answer:
    role = roles.find(call.cloud, given.role_name)
    return {
        "Role": _shape(call, role)
        | _trust(role)
        | {
            "UpdateDate": seconds_utc(role.updated),
            "IsServiceLinkedRole": False,
            "RolePrincipalName": f"{role.id.lower()}@role.{call.caller.account}.onaliyunservice.com",
        }
    }


class UpdateRole(Request):
    role_name: RoleName
    new_description: Annotated[str | None, Field(max_length=1024), too_long("NewDescription")] = None
    new_assume_role_policy_document: str | None = None
    new_max_session_duration: Longest | None = None
    new_allow_console_login: bool | None = None


@RAM.action
def update_role(call: Call, given: UpdateRole) -> Answer:
    role = roles.update(
        call,
        roles.find(call.cloud, given.role_name),
        description=given.new_description,
        trust=given.new_assume_role_policy_document,
        longest=given.new_max_session_duration,
        console=given.new_allow_console_login,
    )
    return {"Role": _shape(call, role) | _trust(role) | {"UpdateDate": seconds_utc(role.updated)}}


class DeleteRole(Request):
    role_name: RoleName


@RAM.action
def delete_role(call: Call, given: DeleteRole) -> Answer:
    roles.delete(call.cloud, roles.find(call.cloud, given.role_name))
    return {}


class ListRoles(Marked):
    tag: Tags = ()


@RAM.action
def list_roles(call: Call, given: ListRoles) -> Answer:
    found = [role for role in call.cloud.store.all(Role) if match(role.tags, given.tag)]
    part, said = marked(given, found)
    return said | {
        "Roles": {
            "Role": [
                _shape(call, role)
                | {
                    "UpdateDate": seconds_utc(role.updated),
                    "Tags": {
                        "Tag": [{"TagKey": key, "TagValue": text} for key, text in sorted(role.tags.items())]
                    },
                }
                for role in part
            ]
        }
    }


def _shape(call: Call, role: Role) -> dict[str, Any]:
    return {
        "RoleId": role.role_id,
        "RoleName": role.id,
        "Arn": role.arn(call.caller.account),
        "Description": role.description,
        "CreateDate": seconds_utc(role.created),
        "MaxSessionDuration": role.longest,
        "AllowConsoleLogin": role.console,
    }


def _trust(role: Role) -> dict[str, str]:
    return {"AssumeRolePolicyDocument": role.trust}
