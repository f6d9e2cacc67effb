"""Rules of roles."""

from __future__ import annotations

from typing import Final

from emulator.api.call import Call
from emulator.cloud import Cloud
from emulator.services.ram.documents import check_trust
from emulator.services.ram.model import Attachment, Role
from emulator.services.ram.service import already, in_use, limit, not_there, number

MOST_ROLES: Final = 1000


def find(cloud: Cloud, name: str) -> Role:
    """Names are alike whatever their case. Raises ApiError."""
    if (exact := cloud.store.get(Role, name)) is not None:
        return exact
    found = next((role for role in cloud.store.all(Role) if role.id.lower() == name.lower()), None)
    if found is None:
        raise not_there("Role", f"The role not exists: {name}.")
    return found


def create(
    call: Call, *, name: str, description: str, trust: str, longest: int, console: bool, tags: dict[str, str]
) -> Role:
    cloud = call.cloud
    check_trust(trust)
    held = cloud.store.all(Role)
    if any(role.id.lower() == name.lower() for role in held):
        raise already("Role", f"The role already exists: {name}.")
    if len(held) >= MOST_ROLES:
        raise limit("Role", "The count of roles beyond the current limits.")
    return cloud.store.put(
        Role(
            id=name,
            region="",
            created=call.now,
            updated=call.now,
            role_id=number(cloud, "3"),
            description=description,
            trust=trust,
            longest=longest,
            console=console,
            tags=tags,
        )
    )


def update(
    call: Call,
    role: Role,
    *,
    description: str | None,
    trust: str | None,
    longest: int | None,
    console: bool | None,
) -> Role:
    """What is None stays as it is."""
    if trust is not None:
        check_trust(trust)
    return call.cloud.store.put(
        role.but(
            description=role.description if description is None else description,
            trust=role.trust if trust is None else trust,
            longest=role.longest if longest is None else longest,
            console=role.console if console is None else console,
            updated=call.now,
        )
    )


def delete(cloud: Cloud, role: Role) -> None:
    if any(one.holder_kind == "role" and one.holder == role.id for one in cloud.store.all(Attachment)):
        raise in_use("Role.Policy", "The role CAN NOT has any attached policy while deleting the role.")
    cloud.store.remove(role)
