"""Who may sign: access keys of the account and of its users, and the short ones of assumed roles."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from emulator.api import errors
from emulator.api.call import Caller
from emulator.store import Thing

if TYPE_CHECKING:
    from emulator.cloud import Cloud


class AccessKey(Thing, kind="access-key"):
    """Opens the API for the account (`principal` is its number) or for a user of it (the user's id)."""

    secret: str
    principal: str
    user: str = ""
    """The user's name; empty for the account itself."""
    status: Literal["Active", "Inactive"] = "Active"


class Session(Thing, kind="session"):
    """Opens the API as a role, until it expires. Its id is the access key's."""

    secret: str
    token: str
    role: str
    role_id: str
    name: str
    expires: datetime


def secret_of(cloud: Cloud, access_key: str, token: str) -> tuple[str, Caller]:
    """The secret that the signature must have been made with, and who that makes the caller.

    Raises ApiError for a key that is not there or switched off, and for a token that is wrong or expired.
    """
    account = cloud.account
    if session := cloud.store.get(Session, access_key):
        if session.token != token:
            raise errors.token_wrong()
        if session.expires <= cloud.now():
            raise errors.token_expired()
        arn = f"acs:ram::{account}:assumed-role/{session.role}/{session.name}"
        return session.secret, Caller(
            account, "AssumedRoleUser", f"{session.role_id}:{session.name}", arn, session.name
        )
    key = cloud.store.get(AccessKey, access_key)
    if key is None:
        raise errors.unknown_key()
    if token:
        raise errors.token_wrong()
    if key.status != "Active":
        raise errors.inactive_key()
    if key.user:
        return key.secret, Caller(
            account, "RAMUser", key.principal, f"acs:ram::{account}:user/{key.user}", key.user
        )
    return key.secret, Caller(account, "Account", account, f"acs:ram::{account}:root", "root")


def write_profile(cloud: Cloud, name: str, region: str) -> Path:
    """The account's own key as a profile of Alibaba's command line, for its owner's eyes only; the file.

    So that no key need stand in a stack's file: every client of Alibaba Cloud takes a profile of such a file.
    """
    key = next(one for one in cloud.store.all(AccessKey) if not one.user)
    profile = {
        "name": name,
        "mode": "AK",
        "access_key_id": key.id,
        "access_key_secret": key.secret,
        "region_id": region,
        "output_format": "json",
        "language": "en",
    }
    path = cloud.folder / "credentials.json"
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"current": name, "profiles": [profile]}, file, indent=2)
    part.rename(path)
    return path
