"""Rules of security groups. Those of the classic network, without a VPC, are not here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

from emulator.api.call import Call
from emulator.api.errors import ApiError
from emulator.cloud import Cloud
from emulator.services.ecs import verdict
from emulator.services.ecs.model_groups import SecurityGroup, SecurityGroupRule
from emulator.services.vpc import vpcs
from emulator.services.vpc.model import Vpc
from emulator.services.vpc.users import keeps_vpc
from emulator.store import Thing

MOST: Final = 100
"""Of one region, without a raised quota."""
MOST_ADDRESSES: Final = {"normal": 6000, "enterprise": 65536}
"""Private addresses that a group of the type may hold."""

Users = Callable[[Cloud, SecurityGroup], Sequence[Thing]]

_USERS: Final[dict[str, Users]] = {}


def keeps_group(what: str, users: Users) -> None:
    """From now on `DeleteSecurityGroup` is refused while there are such users. what: `instance`."""
    _USERS[what] = users


def users_of(cloud: Cloud, group: SecurityGroup) -> dict[str, Sequence[Thing]]:
    """Who is in the group."""
    return {what: users(cloud, group) for what, users in _USERS.items()}


def find(cloud: Cloud, region: str, group_id: str) -> SecurityGroup:
    """Raises ApiError for one that is not in the region."""
    found = cloud.store.get(SecurityGroup, group_id)
    if found is None or found.region != region:
        raise ApiError(
            404, "InvalidSecurityGroupId.NotFound", "The specified SecurityGroupId does not exist."
        )
    return found


def rules_of(cloud: Cloud, group: SecurityGroup) -> list[SecurityGroupRule]:
    """The oldest first."""
    return [rule for rule in cloud.store.all(SecurityGroupRule, group.region) if rule.group == group.id]


def groups_in(cloud: Cloud, vpc: Vpc) -> list[SecurityGroup]:
    return [group for group in cloud.store.all(SecurityGroup, vpc.region) if group.vpc == vpc.id]


keeps_vpc("SecurityGroup", groups_in)


def decisive(cloud: Cloud, group_ids: Iterable[str]) -> list[verdict.Group]:
    """The groups as `verdict` wants them. Ids of groups that are not there are left out."""
    groups = [group for one in group_ids if (group := cloud.store.get(SecurityGroup, one)) is not None]
    rules: dict[str, list[verdict.EffectiveRule]] = {group.id: [] for group in groups}
    for rule in cloud.store.all(SecurityGroupRule):
        if rule.group in rules:
            rules[rule.group].append(rule.effective)
    return [
        verdict.Group(
            id=group.id,
            enterprise=group.type == "enterprise",
            inner_accept=group.inner_access == "Accept",
            rules=rules[group.id],
        )
        for group in groups
    ]


def create(
    call: Call,
    *,
    vpc_id: str,
    name: str,
    description: str,
    kind: Literal["normal", "enterprise"],
    resource_group: str,
    tags: dict[str, str],
) -> SecurityGroup:
    cloud = call.cloud
    if not vpc_id:
        raise ApiError(403, "InvalidVpcId.NotFound", "The VpcId must not empty when only support vpc vm.")
    vpc = vpcs.find(cloud, call.region, vpc_id)
    if vpc.status(call.now) != "Available":
        raise ApiError(400, "IncorrectVpcStatus", "Current VPC status does not support this operation.")
    if len(cloud.store.all(SecurityGroup, call.region)) >= MOST:
        raise ApiError(403, "QuotaExceed.SecurityGroup", "The maximum number of security groups is reached.")
    return cloud.store.put(
        SecurityGroup(
            id=cloud.new_id("sg-"),
            region=call.region,
            created=call.now,
            vpc=vpc.id,
            name=name,
            description=description,
            resource_group=resource_group or vpcs.DEFAULT_GROUP,
            type=kind,
            inner_access="Drop" if kind == "enterprise" else "Accept",
            tags=tags,
        )
    )


def set_inner_access(call: Call, group: SecurityGroup, policy: Literal["Accept", "Drop"]) -> None:
    if group.type == "enterprise":
        raise ApiError(
            403,
            "InvalidOperation.InvalidSecurityGroupType",
            "The specified operation is not supported for enterprise level security groups.",
        )
    call.cloud.store.put(group.but(inner_access=policy))


def references(cloud: Cloud, group: SecurityGroup) -> list[SecurityGroup]:
    """The groups with a rule that names this one."""
    naming = {
        rule.group: None
        for rule in cloud.store.all(SecurityGroupRule, group.region)
        if rule.peer_group == group.id
    }
    return [found for one in naming if (found := cloud.store.get(SecurityGroup, one)) is not None]


def delete(call: Call, group: SecurityGroup) -> None:
    """With its rules. Raises ApiError while somebody is in it, or another group's rule names it."""
    cloud = call.cloud
    for what, things in users_of(cloud, group).items():
        if things:
            raise ApiError(
                403,
                "DependencyViolation",
                f"There is still {what}(s) in the specified security group. "
                f"({', '.join(thing.id for thing in things[:5])})",
            )
    if others := references(cloud, group):
        raise ApiError(
            403,
            "DependencyViolation",
            "The specified security group has been authorized in another one. "
            f"({', '.join(other.id for other in others[:5])})",
        )
    for rule in rules_of(cloud, group):
        cloud.store.remove(rule)
    cloud.store.remove(group)
