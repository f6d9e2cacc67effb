"""Rules of users and of their access keys."""

from __future__ import annotations

import secrets
from typing import Final

from emulator.access import AccessKey
from emulator.api.call import Call
from emulator.cloud import Cloud
from emulator.services.ram.attachments import of_holder
from emulator.services.ram.model import User, attachment_id
from emulator.services.ram.service import already, in_use, limit, not_there, number

MOST_USERS: Final = 1000
MOST_KEYS: Final = 2


def find(cloud: Cloud, name: str) -> User:
    """Names are alike whatever their case. Raises ApiError."""
    if (exact := cloud.store.get(User, name)) is not None:
        return exact
    found = next((user for user in cloud.store.all(User) if user.id.lower() == name.lower()), None)
    if found is None:
        raise not_there("User", f"The user does not exist: {name}.")
    return found


def create(
    call: Call, *, name: str, display_name: str, mobile: str, email: str, comments: str
) -> User:  # fmt: skip
    cloud = call.cloud
    _must_be_free(cloud, name)
    if len(cloud.store.all(User)) >= MOST_USERS:
        raise limit("User", "The count of users beyond the current limits.")
    return cloud.store.put(
        User(
            id=name,
            region="",
            created=call.now,
            updated=call.now,
            user_id=number(cloud, "2"),
            display_name=display_name or name,
            mobile=mobile,
            email=email,
            comments=comments,
        )
    )


def _must_be_free(cloud: Cloud, name: str) -> None:
    if any(user.id.lower() == name.lower() for user in cloud.store.all(User)):
        raise already("User", f"The user does already EXIST: {name}.")


def update(
    call: Call,
    user: User,
    *,
    name: str | None,
    display_name: str | None,
    mobile: str | None,
    email: str | None,
    comments: str | None,
) -> User:
    """What is None stays as it is. With another name go its policies and keys."""
    store = call.cloud.store
    changed = user.but(
        id=name or user.id,
        display_name=user.display_name if display_name is None else display_name,
        mobile=user.mobile if mobile is None else mobile,
        email=user.email if email is None else email,
        comments=user.comments if comments is None else comments,
        updated=call.now,
    )
    if changed.id != user.id:
        if changed.id.lower() != user.id.lower():
            _must_be_free(call.cloud, changed.id)
        for one in of_holder(call.cloud, user):
            store.remove(one)
            renamed = attachment_id("user", changed.id, one.policy_type, one.policy)
            store.put(one.but(id=renamed, holder=changed.id))
        for key in keys(call.cloud, user):
            store.put(key.but(user=changed.id))
        store.remove(user)
    return store.put(changed)


def delete(cloud: Cloud, user: User) -> None:
    if keys(cloud, user):
        raise in_use("User.AccessKey", "The user CAN NOT has any access key while deleting the user.")
    if of_holder(cloud, user):
        raise in_use("User.Policy", "The user CAN NOT has any attached policy while deleting the user.")
    cloud.store.remove(user)


def keys(cloud: Cloud, user: User | None) -> list[AccessKey]:
    """user: None for the account itself."""
    name = user.id if user else ""
    return [key for key in cloud.store.all(AccessKey) if key.user == name]


def create_key(call: Call, user: User | None) -> AccessKey:
    """Never from the seed: nobody shall guess a secret."""
    if len(keys(call.cloud, user)) >= MOST_KEYS:
        raise limit(
            "User.AccessKey", "The access key count of the user access keys beyond the current limits."
        )
    return call.cloud.store.put(
        AccessKey(
            id="LTAI5t" + secrets.token_hex(9),
            region="",
            created=call.now,
            secret=secrets.token_urlsafe(23)[:30],
            principal=user.user_id if user else call.caller.account,
            user=user.id if user else "",
        )
    )


def key(cloud: Cloud, user: User | None, id_: str) -> AccessKey:
    found = next((one for one in keys(cloud, user) if one.id == id_), None)
    if found is None:
        raise not_there("User.AccessKey", f"The user access key does not exist: {id_}.")
    return found
