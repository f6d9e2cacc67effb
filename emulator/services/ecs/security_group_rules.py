"""Rules of the rules in security groups: how many there may be, whom they may name, when two say the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from emulator.api.call import Call
from emulator.api.errors import ApiError
from emulator.services.ecs import security_groups
from emulator.services.ecs.model_groups import SecurityGroup, SecurityGroupRule
from emulator.services.ecs.rule_text import Wanted, over, read
from emulator.services.ecs.verdict import Direction

MOST: Final = 200
"""Of one group, both directions together."""
MOST_REFERENCES: Final = 20
"""Groups that the rules of one group may name."""


def authorize(call: Call, group: SecurityGroup, direction: Direction, several: Sequence[Wanted]) -> None:
    """Add the rules; one that is there already stays as it is."""
    cloud = call.cloud
    held = security_groups.rules_of(cloud, group)
    wanted = _unlike([read(call, group, direction, one, "new") for one in several])
    for rule in wanted:
        if rule.peer_group:
            _may_refer(call, group, rule.peer_group, direction)
    known = {rule.key for rule in held}
    new = [rule for rule in wanted if rule.key not in known]
    if len(held) + len(new) > MOST:
        raise _too_many("rules", MOST)
    if len({rule.peer_group for rule in (*held, *new)} - {""}) > MOST_REFERENCES:
        raise _too_many("security groups in rules", MOST_REFERENCES)
    for rule in new:
        cloud.store.put(rule.but(id=cloud.new_id("sgr-")))


def _too_many(what: str, most: int) -> ApiError:
    return ApiError(
        403,
        "AuthorizationLimitExceed",
        f"The limit of authorization records in the security group reaches. ({most} {what})",
    )


def _unlike(rules: list[SecurityGroupRule]) -> list[SecurityGroupRule]:
    if len({rule.key for rule in rules}) < len(rules):
        raise ApiError(
            400,
            "InvalidParam.DuplicatePermissions",
            "There are duplicate permissions in the specified parameter Permissions.",
        )
    return rules


def _may_refer(call: Call, group: SecurityGroup, other_id: str, direction: Direction) -> None:
    """Raises ApiError unless rules of the group may name the other one."""
    side = "Source" if direction == "ingress" else "Dest"
    try:
        other = security_groups.find(call.cloud, call.region, other_id)
    except ApiError:
        raise ApiError(
            404,
            f"Invalid{side}GroupId.NotFound",
            f"The {side}GroupId provided does not exist in our records.",
        ) from None
    if other.id == group.id:
        raise ApiError(
            403,
            "InvalidParamter.Conflict",  # so spelled there
            f"The specified SecurityGroupId should be different from the {side}GroupId.",
        )
    if "enterprise" in (group.type, other.type):
        raise ApiError(
            400,
            "InvalidGroupAuthParameter.OperationDenied",
            "The security group can not authorize to enterprise level security group.",
        )
    if other.vpc != group.vpc:
        raise ApiError(
            400,
            f"Invalid{side}GroupId.Mismatch",
            "Specified security group and source group are not in the same VPC.",
        )


def revoke(
    call: Call, group: SecurityGroup, direction: Direction, several: Sequence[Wanted], *, must_exist: bool
) -> None:
    """Remove the rules that are so, where no priority is given those of any.

    must_exist: raise ApiError where there is none.
    """
    described = _unlike([read(call, group, direction, one, "gone") for one in several])
    for one, text in zip(described, several, strict=True):
        gone = [
            rule
            for rule in security_groups.rules_of(call.cloud, group)
            if rule.matched == one.matched and (not text.priority or rule.priority == one.priority)
        ]
        if must_exist and not gone:
            raise ApiError(400, "InvalidSecurityGroupRule.RuleNotExist", "The specified rule does not exist.")
        for rule in gone:
            call.cloud.store.remove(rule)


def revoke_by_id(call: Call, group: SecurityGroup, direction: Direction, ids: Sequence[str]) -> None:
    if len(set(ids)) < len(ids):
        raise ApiError(
            400,
            "InvalidParam.SecurityGroupRuleIdRepeated",
            "The specified parameter SecurityGroupRuleId is repeated.",
        )
    held = {
        rule.id: rule for rule in security_groups.rules_of(call.cloud, group) if rule.direction == direction
    }
    if any(one not in held for one in ids):
        raise ApiError(
            400,
            "InvalidParam.SecurityGroupRuleId",
            "The specified parameter SecurityGroupRuleId is not valid.",
        )
    for one in ids:
        call.cloud.store.remove(held[one])


def describe_anew(call: Call, group: SecurityGroup, direction: Direction, wanted: Wanted) -> None:
    """Give the rule that is so another description: all that can change of a rule named by its content."""
    like = read(call, group, direction, wanted, "like")
    for rule in security_groups.rules_of(call.cloud, group):
        if rule.key == like.key:
            call.cloud.store.put(rule.but(description=like.description))
            return
    raise ApiError(404, "SecurityGroupRule.NotFound", "The target security group rule not exist.")


def modify(call: Call, group: SecurityGroup, direction: Direction, rule_id: str, wanted: Wanted) -> None:
    """Change what is given of the rule with the id."""
    held = {rule.id: rule for rule in security_groups.rules_of(call.cloud, group)}
    rule = held.get(rule_id)
    if rule is None or rule.direction != direction:
        raise ApiError(
            404, "InvalidSecurityGroupRuleId.NotFound", "The specified SecurityGroupRuleId is not exists."
        )
    changed = read(call, group, direction, over(rule, wanted), rule.id).but(created=rule.created)
    if changed.peer_group and changed.peer_group != rule.peer_group:
        _may_refer(call, group, changed.peer_group, direction)
    if any(other.key == changed.key for other in held.values() if other.id != rule.id):
        raise ApiError(
            400,
            "InvalidParam.DuplicatePermissions",
            "There are duplicate permissions in the specified parameter Permissions.",
        )
    call.cloud.store.put(changed)
