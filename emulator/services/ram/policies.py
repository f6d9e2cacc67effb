"""Rules of policies."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from emulator.api.call import Call
from emulator.cloud import Cloud
from emulator.services.ram.documents import check_policy
from emulator.services.ram.model import Attachment, Policy, Version
from emulator.services.ram.service import already, in_use, limit, not_there
from emulator.services.ram.system_policies import SYSTEM

MOST_POLICIES: Final = 1500
MOST_VERSIONS: Final = 5


def find(cloud: Cloud, kind: str, name: str) -> Policy:
    """kind: System or Custom. Raises ApiError."""
    held = SYSTEM if kind == "System" else {policy.id: policy for policy in cloud.store.all(Policy)}
    if (found := held.get(name)) is not None:
        return found
    found = next((policy for policy in held.values() if policy.id.lower() == name.lower()), None)
    if found is None:
        raise not_there("Policy", f"The policy does not exist: {name}.")
    return found


def listed(cloud: Cloud, kind: str) -> list[tuple[str, Policy]]:
    """Of one kind, or of both where it is empty: each with its kind."""
    found = [("Custom", policy) for policy in cloud.store.all(Policy)] if kind != "System" else []
    return found + ([("System", policy) for policy in SYSTEM.values()] if kind != "Custom" else [])


def create(call: Call, *, name: str, description: str, document: str, tags: dict[str, str]) -> Policy:
    cloud = call.cloud
    check_policy(document)
    held = cloud.store.all(Policy)
    if any(name.lower() == one.lower() for one in (*SYSTEM, *(policy.id for policy in held))):
        raise already("Policy", f"The policy already exists: {name}.")
    if len(held) >= MOST_POLICIES:
        raise limit("Policy", "The count of policies beyond the current limits.")
    return cloud.store.put(
        Policy(
            id=name,
            region="",
            created=call.now,
            updated=call.now,
            description=description,
            versions=(_version("v1", document, call.now),),
            default="v1",
            tags=tags,
        )
    )


def _version(id_: str, document: str, now: datetime) -> Version:
    return Version(id=id_, region="", created=now, document=document)


def describe(call: Call, policy: Policy, description: str) -> Policy:
    return call.cloud.store.put(policy.but(description=description, updated=call.now))


def delete(cloud: Cloud, policy: Policy, *, versions: bool) -> None:
    """versions: those that are not in force, too; else they stand in the way."""
    for one in cloud.store.all(Attachment):
        if one.policy_type == "Custom" and one.policy == policy.id:
            who = one.holder_kind
            raise in_use(
                f"Policy.{who.capitalize()}",
                f"The policy CAN NOT been attached to any {who} while deleting the policy.",
            )
    if len(policy.versions) > 1 and not versions:
        raise in_use("Policy.Version", "The policy CAN NOT has any version except the default version.")
    cloud.store.remove(policy)


def version(policy: Policy, id_: str) -> Version:
    found = next((one for one in policy.versions if one.id == id_), None)
    if found is None:
        raise not_there("Policy.Version", f"The policy version does not exist: {id_}.")
    return found


def add_version(call: Call, policy: Policy, document: str, *, in_force: bool, rotate: bool) -> Version:
    """rotate: where there are too many, the oldest that is not in force goes."""
    check_policy(document)
    kept = list(policy.versions)
    if len(kept) >= MOST_VERSIONS:
        if not rotate:
            raise limit("Policy.Version", "The count of policy versions beyond the current limits.")
        kept.remove(next(one for one in kept if one.id != policy.default))
    made = _version(f"v{policy.made + 1}", document, call.now)
    call.cloud.store.put(
        policy.but(
            versions=(*kept, made),
            default=made.id if in_force else policy.default,
            made=policy.made + 1,
            updated=call.now,
        )
    )
    return made


def set_default(call: Call, policy: Policy, id_: str) -> None:
    call.cloud.store.put(policy.but(default=version(policy, id_).id, updated=call.now))


def delete_version(call: Call, policy: Policy, id_: str) -> None:
    gone = version(policy, id_)
    if gone.id == policy.default:
        raise in_use("Policy.Version.Default", "The default policy version CAN NOT been deleted directly.")
    call.cloud.store.put(policy.but(versions=tuple(one for one in policy.versions if one.id != gone.id)))
