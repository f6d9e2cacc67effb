"""Rules of assumed roles."""

from __future__ import annotations

import secrets
from datetime import timedelta

from emulator.access import Session
from emulator.api.call import Call
from emulator.api.errors import ApiError
from emulator.services.ram import roles
from emulator.services.ram.documents import trusted


def assume(call: Call, *, arn: str, name: str, seconds: int, external: str) -> Session:
    """A new session of the role. Raises ApiError where the role is not there or does not trust the caller."""
    account, _, role_name = arn.removeprefix("acs:ram::").partition(":role/")
    if call.caller.kind == "Account":
        raise ApiError(403, "NoPermission", "Roles may not be assumed by root accounts.")
    if account != call.caller.account:  # another account's role: here is only one
        raise ApiError(404, "EntityNotExist.Role", f"The role not exists: {arn}.")
    role = roles.find(call.cloud, role_name)
    if not trusted(role.trust, call.caller, external):
        raise ApiError(
            403, "NoPermission", "You are not authorized to do this action. You should be authorized by RAM."
        )
    if seconds > role.longest:
        raise ApiError(
            400,
            "InvalidParameter.DurationSeconds",
            f"The Max value of DurationSeconds is the role's MaxSessionDuration: {role.longest}.",
        )
    store = call.cloud.store
    for old in store.all(Session):
        if old.expires <= call.now:
            store.remove(old)
    return store.put(
        Session(
            id="STS.NU" + secrets.token_hex(10),
            region="",
            created=call.now,
            secret=secrets.token_urlsafe(33)[:44],
            token="CAIS" + secrets.token_urlsafe(300),
            role=role.id,
            role_id=role.role_id,
            name=name,
            expires=call.now + timedelta(seconds=seconds),
        )
    )
