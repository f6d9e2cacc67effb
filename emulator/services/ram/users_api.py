"""Actions on users and on access keys.

No user has a group, a login profile or an MFA device here: what asks for them is answered so.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from emulator.api.call import Answer, Call, Request, Says
from emulator.services.ram import users
from emulator.services.ram.model import User
from emulator.services.ram.service import RAM, Marked, UserName, invalid_chars, marked, too_long
from emulator.times import seconds_utc

_MOBILE = r"^(|\d{1,5}-\d{5,15}|\d{5,15})$"
_EMAIL = r"^(|[^@\s]+@[^@\s]+)$"


def _format(name: str) -> Says:
    return Says(
        f"InvalidParameter.{name}.Format", f'The format of the parameter - "{name}" is incorrect.'
    )  # fmt: skip


class CreateUser(Request):
    user_name: UserName
    display_name: Annotated[str, Field(max_length=128), too_long("DisplayName")] = ""
    mobile_phone: Annotated[str, Field(pattern=_MOBILE), _format("MobilePhone")] = ""
    email: Annotated[str, Field(pattern=_EMAIL), _format("Email")] = ""
    comments: Annotated[str, Field(max_length=128), too_long("Comments")] = ""


@RAM.action
def create_user(call: Call, given: CreateUser) -> Answer:
    user = users.create(
        call,
        name=given.user_name,
        display_name=given.display_name,
        mobile=given.mobile_phone,
        email=given.email,
        comments=given.comments,
    )
    return {"User": _shape(user)}


class GetUser(Request):
    user_name: UserName


@RAM.action
def get_user(call: Call, given: GetUser) -> Answer:
    user = users.find(call.cloud, given.user_name)
    return {"User": _shape(user) | _updated(user) | {"LastLoginDate": ""}}


class UpdateUser(Request):
    user_name: UserName
    new_user_name: Annotated[
        str | None, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$"), invalid_chars("NewUserName")
    ] = None
    new_display_name: Annotated[str | None, Field(max_length=128), too_long("NewDisplayName")] = None
    new_mobile_phone: Annotated[str | None, Field(pattern=_MOBILE), _format("NewMobilePhone")] = None
    new_email: Annotated[str | None, Field(pattern=_EMAIL), _format("NewEmail")] = None
    new_comments: Annotated[str | None, Field(max_length=128), too_long("NewComments")] = None


@RAM.action
def update_user(call: Call, given: UpdateUser) -> Answer:
    user = users.update(
        call,
        users.find(call.cloud, given.user_name),
        name=given.new_user_name,
        display_name=given.new_display_name,
        mobile=given.new_mobile_phone,
        email=given.new_email,
        comments=given.new_comments,
    )
    return {"User": _shape(user) | _updated(user)}


class DeleteUser(Request):
    user_name: UserName


@RAM.action
def delete_user(call: Call, given: DeleteUser) -> Answer:
    users.delete(call.cloud, users.find(call.cloud, given.user_name))
    return {}


class ListUsers(Marked):
    pass


@RAM.action
def list_users(call: Call, given: ListUsers) -> Answer:
    part, said = marked(given, call.cloud.store.all(User))
    return said | {"Users": {"User": [_shape(user) | _updated(user) for user in part]}}


class ListGroupsForUser(Request):
    user_name: UserName


@RAM.action
def list_groups_for_user(call: Call, given: ListGroupsForUser) -> Answer:
    users.find(call.cloud, given.user_name)
    return {"Groups": {"Group": []}}


class _OfUser(Request):
    user_name: UserName | None = None
    """Without one: who asks, the account or its user."""


def _whose(call: Call, given: _OfUser) -> User | None:
    if given.user_name is not None:
        return users.find(call.cloud, given.user_name)
    if call.caller.kind == "RAMUser":
        return users.find(call.cloud, call.caller.user)
    return None


class CreateAccessKey(_OfUser):
    pass


@RAM.action
def create_access_key(call: Call, given: CreateAccessKey) -> Answer:
    key = users.create_key(call, _whose(call, given))
    return {
        "AccessKey": {
            "AccessKeyId": key.id,
            "AccessKeySecret": key.secret,
            "Status": key.status,
            "CreateDate": seconds_utc(key.created),
        }
    }


class ListAccessKeys(_OfUser):
    pass


@RAM.action
def list_access_keys(call: Call, given: ListAccessKeys) -> Answer:
    rows = [
        {"AccessKeyId": key.id, "Status": key.status, "CreateDate": seconds_utc(key.created)}
        for key in users.keys(call.cloud, _whose(call, given))
    ]
    return {"AccessKeys": {"AccessKey": rows}}


class UpdateAccessKey(_OfUser):
    user_access_key_id: str
    status: Literal["Active", "Inactive"]


@RAM.action
def update_access_key(call: Call, given: UpdateAccessKey) -> Answer:
    key = users.key(call.cloud, _whose(call, given), given.user_access_key_id)
    call.cloud.store.put(key.but(status=given.status))
    return {}


class DeleteAccessKey(_OfUser):
    user_access_key_id: str


@RAM.action
def delete_access_key(call: Call, given: DeleteAccessKey) -> Answer:
    call.cloud.store.remove(users.key(call.cloud, _whose(call, given), given.user_access_key_id))
    return {}


def _shape(user: User) -> dict[str, Any]:
    return {
        "UserId": user.user_id,
        "UserName": user.id,
        "DisplayName": user.display_name,
        "MobilePhone": user.mobile,
        "Email": user.email,
        "Comments": user.comments,
        "CreateDate": seconds_utc(user.created),
    }


def _updated(user: User) -> dict[str, str]:
    return {"UpdateDate": seconds_utc(user.updated)}
