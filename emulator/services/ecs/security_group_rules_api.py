"""Actions on the rules in security groups: in the flat form of old, and as Permissions.N.*."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from emulator.api.call import Answer, Call, Parameters, Request
from emulator.api.errors import ApiError, missing_parameter
from emulator.services.ecs import security_group_rules as rules
from emulator.services.ecs import security_groups
from emulator.services.ecs.rule_text import Wanted
from emulator.services.ecs.service import ECS
from emulator.services.ecs.verdict import Direction


class Both(Parameters):
    """What rules of both directions have. Text all of it: what is wrong in it has a code of its own each."""

    ip_protocol: str | None = None
    port_range: str | None = None
    source_port_range: str | None = None
    policy: str | None = None
    priority: str | None = None
    nic_type: str | None = None
    source_cidr_ip: str | None = None
    ipv6_source_cidr_ip: str | None = None
    dest_cidr_ip: str | None = None
    ipv6_dest_cidr_ip: str | None = None
    description: str | None = None


class Inward(Both):
    source_group_id: str | None = None
    source_group_owner_id: str | None = None


class Outward(Both):
    dest_group_id: str | None = None
    dest_group_owner_id: str | None = None


class AuthorizeSecurityGroup(Inward, Request):
    security_group_id: str
    permissions: Annotated[tuple[Inward, ...], Field(max_length=100)] = ()


class AuthorizeSecurityGroupEgress(Outward, Request):
    security_group_id: str
    permissions: Annotated[tuple[Outward, ...], Field(max_length=100)] = ()


class RevokeSecurityGroup(Inward, Request):
    security_group_id: str
    security_group_rule_id: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    permissions: Annotated[tuple[Inward, ...], Field(max_length=100)] = ()


class RevokeSecurityGroupEgress(Outward, Request):
    security_group_id: str
    security_group_rule_id: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    permissions: Annotated[tuple[Outward, ...], Field(max_length=100)] = ()


class ModifySecurityGroupRule(Inward, Request):
    security_group_id: str
    security_group_rule_id: str = ""


class ModifySecurityGroupEgressRule(Outward, Request):
    security_group_id: str
    security_group_rule_id: str = ""


_FLAT: Final = frozenset(Inward.model_fields) | frozenset(Outward.model_fields)


@ECS.action
def authorize_security_group(call: Call, given: AuthorizeSecurityGroup) -> Answer:
    return _authorize(call, given, "ingress")


@ECS.action
def authorize_security_group_egress(call: Call, given: AuthorizeSecurityGroupEgress) -> Answer:
    return _authorize(call, given, "egress")


def _authorize(
    call: Call, given: AuthorizeSecurityGroup | AuthorizeSecurityGroupEgress, direction: Direction
) -> Answer:
    group = security_groups.find(call.cloud, call.region, given.security_group_id)
    _one_form(given, bool(given.permissions))
    rules.authorize(call, group, direction, [_wanted(one) for one in given.permissions or (given,)])
    return {}


@ECS.action
def revoke_security_group(call: Call, given: RevokeSecurityGroup) -> Answer:
    return _revoke(call, given, "ingress")


@ECS.action
def revoke_security_group_egress(call: Call, given: RevokeSecurityGroupEgress) -> Answer:
    return _revoke(call, given, "egress")


def _revoke(
    call: Call, given: RevokeSecurityGroup | RevokeSecurityGroupEgress, direction: Direction
) -> Answer:
    group = security_groups.find(call.cloud, call.region, given.security_group_id)
    if given.permissions and given.security_group_rule_id:
        raise _not_together()
    _one_form(given, bool(given.permissions or given.security_group_rule_id))
    if given.security_group_rule_id:
        rules.revoke_by_id(call, group, direction, given.security_group_rule_id)
    else:
        several = [_wanted(one) for one in given.permissions or (given,)]
        rules.revoke(call, group, direction, several, must_exist=not given.permissions)
    return {}


@ECS.action
def modify_security_group_rule(call: Call, given: ModifySecurityGroupRule) -> Answer:
    return _modify(call, given, "ingress")


@ECS.action
def modify_security_group_egress_rule(call: Call, given: ModifySecurityGroupEgressRule) -> Answer:
    return _modify(call, given, "egress")


def _modify(
    call: Call, given: ModifySecurityGroupRule | ModifySecurityGroupEgressRule, direction: Direction
) -> Answer:
    group = security_groups.find(call.cloud, call.region, given.security_group_id)
    wanted = _wanted(given)
    if given.security_group_rule_id:
        rules.modify(call, group, direction, given.security_group_rule_id, wanted)
    elif wanted.description is None:
        raise missing_parameter("Description")
    else:
        rules.describe_anew(call, group, direction, wanted)
    return {}


def _one_form(given: Both, other: bool) -> None:
    """Raises ApiError where the flat form stands beside another one."""
    if other and given.model_fields_set & _FLAT:
        raise _not_together()


def _not_together() -> ApiError:
    return ApiError(
        400,
        "InvalidParam.Permissions",
        "The specified parameter Permissions cannot coexist with other parameters.",
    )


def _wanted(given: Both) -> Wanted:
    group = owner = None
    if isinstance(given, Inward):
        group, owner = given.source_group_id, given.source_group_owner_id
    elif isinstance(given, Outward):
        group, owner = given.dest_group_id, given.dest_group_owner_id
    return Wanted(
        protocol=given.ip_protocol,
        ports=given.port_range,
        source_ports=given.source_port_range,
        policy=given.policy,
        priority=given.priority,
        nic=given.nic_type,
        source=given.source_cidr_ip,
        source_ipv6=given.ipv6_source_cidr_ip,
        destination=given.dest_cidr_ip,
        destination_ipv6=given.ipv6_dest_cidr_ip,
        group=group,
        owner=owner,
        description=given.description,
    )
