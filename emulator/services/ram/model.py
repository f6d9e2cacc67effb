"""What RAM keeps. Access keys stand with the signatures, in emulator.access."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from emulator.store import Thing
from emulator.tags import Tagged


class Role(Tagged, kind="ram-role"):
    """Its id is its name."""

    role_id: str
    description: str = ""
    trust: str
    """The policy document that says who may assume it, as it was given."""
    longest: int = 3600
    """Seconds that a session of it may last."""
    console: bool = False
    updated: datetime

    def arn(self, account: str) -> str:
        return f"acs:ram::{account}:role/{self.id.lower()}"


class Version(Thing):
    """One version of a policy; `id` is v1, v2 and so on."""

    document: str


class Policy(Tagged, kind="ram-policy"):
    """A custom policy; its id is its name."""

    description: str = ""
    versions: tuple[Version, ...]
    default: str
    """The id of the version in force."""
    made: int = 1
    """How many versions it ever had: numbers are not used twice."""
    updated: datetime

    @property
    def in_force(self) -> Version:
        return next(one for one in self.versions if one.id == self.default)


class User(Thing, kind="ram-user"):
    """Its id is its name."""

    user_id: str
    display_name: str = ""
    mobile: str = ""
    email: str = ""
    comments: str = ""
    updated: datetime


class Attachment(Thing, kind="ram-attachment"):
    """A policy on a user or a role. Its id is `HOLDER_KIND/HOLDER/POLICY_TYPE/POLICY`."""

    holder_kind: Literal["user", "role"]
    holder: str
    policy_type: str
    policy: str


def attachment_id(holder_kind: str, holder: str, policy_type: str, policy: str) -> str:
    return f"{holder_kind}/{holder}/{policy_type}/{policy}"
