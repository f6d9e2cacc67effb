"""Rules of policies on users and roles."""

from __future__ import annotations

from typing import Final, Literal

from emulator.api.call import Call
from emulator.cloud import Cloud
from emulator.services.ram.model import Attachment, Policy, Role, User, attachment_id
from emulator.services.ram.service import already, limit, not_there

MOST: Final = {"Custom": 20, "System": 20}
"""Policies of a kind on one user or role."""


def of_policy(cloud: Cloud, kind: str, name: str) -> list[Attachment]:
    return [one for one in cloud.store.all(Attachment) if (one.policy_type, one.policy) == (kind, name)]


def of_holder(cloud: Cloud, holder: User | Role) -> list[Attachment]:
    kind = _kind(holder)
    return [one for one in cloud.store.all(Attachment) if (one.holder_kind, one.holder) == (kind, holder.id)]


def attach(call: Call, holder: User | Role, kind: str, policy: Policy) -> None:
    store, who = call.cloud.store, _kind(holder)
    id_ = attachment_id(who, holder.id, kind, policy.id)
    if store.get(Attachment, id_) is not None:
        raise already(f"{who.capitalize()}.Policy", f"The {who} has already been attached this policy.")
    if sum(one.policy_type == kind for one in of_holder(call.cloud, holder)) >= MOST[kind]:
        raise limit(
            f"{who.capitalize()}.Policy", f"The count of {who} attached policies beyond the current limits."
        )
    store.put(
        Attachment(
            id=id_,
            region="",
            created=call.now,
            holder_kind=who,
            holder=holder.id,
            policy_type=kind,
            policy=policy.id,
        )
    )


def detach(cloud: Cloud, holder: User | Role, kind: str, name: str) -> None:
    found = next(
        (
            one
            for one in of_holder(cloud, holder)
            if one.policy_type == kind and one.policy.lower() == name.lower()
        ),
        None,
    )
    if found is None:
        who = _kind(holder)
        raise not_there(
            f"{who.capitalize()}.Policy", f"The indicate policy attached to the {who} does not exist."
        )
    cloud.store.remove(found)


def _kind(holder: User | Role) -> Literal["user", "role"]:
    return "user" if isinstance(holder, User) else "role"
