"""Actions on security groups: what they take, and how a group is answered."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from emulator.api import errors
from emulator.api.call import NO_URL, Answer, Call, JsonList, Request, Says, Tag
from emulator.api.paging import Either, either, tokened
from emulator.services.ecs import security_groups
from emulator.services.ecs.model_groups import SecurityGroup, SecurityGroupRule
from emulator.services.ecs.rule_text import port_text
from emulator.services.ecs.service import ECS
from emulator.tags import checked, match, shaped
from emulator.times import minutes_utc, seconds_utc


def _name(text: str) -> str:
    """2 to 128 characters, the first a letter of any script; and .:_- among letters and digits."""
    if text and not re.fullmatch(r"[^\W\d_][\w.:-]{1,127}", text):
        raise ValueError("malformed")
    return text


Name = Annotated[
    str,
    NO_URL,
    AfterValidator(_name),
    Says("InvalidSecurityGroupName.Malformed", "Specified security group name is not valid."),
]
Description = Annotated[
    str,
    Field(max_length=256),
    NO_URL,
    Says("InvalidSecurityGroupDiscription.Malformed", "Specified security group description is not valid."),
]


class CreateSecurityGroup(Request):
    vpc_id: str = ""
    security_group_name: Name = ""
    description: Description = ""
    security_group_type: Annotated[
        Literal["normal", "enterprise"],
        Says("InvalidParams.GroupType", "The specified security group type is not valid."),
    ] = "normal"
    resource_group_id: str = ""
    tag: tuple[Tag, ...] = ()


@ECS.action
def create_security_group(call: Call, given: CreateSecurityGroup) -> Answer:
    group = security_groups.create(
        call,
        vpc_id=given.vpc_id,
        name=given.security_group_name,
        description=given.description,
        kind=given.security_group_type,
        resource_group=given.resource_group_id,
        tags=checked(given.tag),
    )
    return {"SecurityGroupId": group.id}


class DescribeSecurityGroups(Either):
    security_group_id: str = ""
    security_group_ids: JsonList = ()
    security_group_name: str = ""
    security_group_type: str = ""
    vpc_id: str = ""
    network_type: Literal["", "vpc", "classic"] = ""
    resource_group_id: str = ""
    fuzzy_query: bool = False
    """The name may stand anywhere in a group's name; `*` is not special."""
    is_query_ecs_count: bool = False
    tag: tuple[Tag, ...] = ()


@ECS.action
def describe_security_groups(call: Call, given: DescribeSecurityGroups) -> Answer:
    if given.dry_run:
        raise errors.dry_run()
    found = [
        group
        for group in call.cloud.store.all(SecurityGroup, call.region)
        if given.security_group_id in ("", group.id)
        and (not given.security_group_ids or group.id in given.security_group_ids)
        and (
            given.security_group_name in group.name
            if given.fuzzy_query
            else given.security_group_name in ("", group.name)
        )
        and given.security_group_type in ("", group.type)
        and given.vpc_id in ("", group.vpc)
        and given.network_type != "classic"
        and given.resource_group_id in ("", group.resource_group)
        and match(group.tags, given.tag)
    ]
    part, said = either(given, found)
    said.pop("MaxResults", None)  # this action does not say it
    return said | {
        "RegionId": call.region,
        "SecurityGroups": {
            "SecurityGroup": [_shape(call, group, count=given.is_query_ecs_count) for group in part]
        },
    }


class DescribeSecurityGroupAttribute(Request):
    security_group_id: str
    direction: Literal["ingress", "egress", "all"] = "all"
    nic_type: str = ""
    """Means something in the classic network only. The official provider sends `<nil>` for none."""
    attribute: Literal["", "snapshotPolicyIds"] = ""
    next_token: str = ""
    max_results: Annotated[int, Field(ge=10, le=1000)] | None = None


@ECS.action
def describe_security_group_attribute(call: Call, given: DescribeSecurityGroupAttribute) -> Answer:
    group = security_groups.find(call.cloud, call.region, given.security_group_id)
    rules = [
        rule
        for rule in security_groups.rules_of(call.cloud, group)
        if given.direction in ("all", rule.direction)
    ]
    part, said = tokened(given.next_token, given.max_results, rules, default=500)
    answer = {
        "SecurityGroupId": group.id,
        "SecurityGroupName": group.name,
        "Description": group.description,
        "RegionId": group.region,
        "VpcId": group.vpc,
        "InnerAccessPolicy": group.inner_access,
        "NextToken": said["NextToken"],
        "Permissions": {"Permission": [_permission(call, rule) for rule in part]},
    }
    if given.attribute:
        answer["SnapshotPolicyIds"] = {"SnapshotPolicyId": []}
    return answer


class ModifySecurityGroupAttribute(Request):
    security_group_id: str
    security_group_name: Name = ""
    """Empty: it stays as it is."""
    description: Description | None = None


@ECS.action
def modify_security_group_attribute(call: Call, given: ModifySecurityGroupAttribute) -> Answer:
    group = security_groups.find(call.cloud, call.region, given.security_group_id)
    call.cloud.store.put(
        group.but(
            name=given.security_group_name or group.name,
            description=group.description if given.description is None else given.description,
        )
    )
    return {}


class ModifySecurityGroupPolicy(Request):
    security_group_id: str
    inner_access_policy: Annotated[
        Literal["Accept", "Drop"],
        Says("InvalidPolicy.Malformed", 'The specified parameter "InnerAccessPolicy" is not valid.'),
    ]


@ECS.action
def modify_security_group_policy(call: Call, given: ModifySecurityGroupPolicy) -> Answer:
    group = security_groups.find(call.cloud, call.region, given.security_group_id)
    security_groups.set_inner_access(call, group, given.inner_access_policy)
    return {}


class DeleteSecurityGroup(Request):
    security_group_id: str


@ECS.action
def delete_security_group(call: Call, given: DeleteSecurityGroup) -> Answer:
    security_groups.delete(call, security_groups.find(call.cloud, call.region, given.security_group_id))
    return {}


class DescribeSecurityGroupReferences(Request):
    security_group_id: Annotated[tuple[str, ...], Field(min_length=1, max_length=10)]


@ECS.action
def describe_security_group_references(call: Call, given: DescribeSecurityGroupReferences) -> Answer:
    found = {
        one: security_groups.references(call.cloud, security_groups.find(call.cloud, call.region, one))
        for one in given.security_group_id
    }
    return {
        "SecurityGroupReferences": {
            "SecurityGroupReference": [
                {
                    "SecurityGroupId": one,
                    "ReferencingSecurityGroups": {
                        "ReferencingSecurityGroup": [
                            {"AliUid": call.caller.account, "SecurityGroupId": other.id} for other in others
                        ]
                    },
                }
                for one, others in found.items()
                if others
            ]
        }
    }


def _shape(call: Call, group: SecurityGroup, *, count: bool) -> dict[str, Any]:
    rules = security_groups.rules_of(call.cloud, group)
    shape = {
        "SecurityGroupId": group.id,
        "SecurityGroupName": group.name,
        "SecurityGroupType": group.type,
        "Description": group.description,
        "VpcId": group.vpc,
        "ResourceGroupId": group.resource_group,
        "CreationTime": minutes_utc(group.created),
        "ServiceManaged": False,
        "RuleCount": len(rules),
        "GroupToGroupRuleCount": sum(bool(rule.peer_group) for rule in rules),
        "Tags": shaped(group.tags, key="TagKey", value="TagValue"),
    }
    if count:
        users = {
            thing.id for things in security_groups.users_of(call.cloud, group).values() for thing in things
        }
        shape["EcsCount"] = len(users)
        shape["AvailableInstanceAmount"] = security_groups.MOST_ADDRESSES[group.type] - len(users)
    return shape


def _permission(call: Call, rule: SecurityGroupRule) -> dict[str, Any]:
    """A rule, as answers hold it: all fields are there, those of no meaning for it are empty."""
    peer = call.cloud.store.get(SecurityGroup, rule.peer_group) if rule.peer_group else None
    inward = rule.direction == "ingress"
    side, other = ("Source", "Dest") if inward else ("Dest", "Source")
    return {
        "SecurityGroupRuleId": rule.id,
        "Direction": rule.direction,
        "IpProtocol": {"icmpv6": "ICMPv6"}.get(rule.protocol, rule.protocol.upper()),
        "PortRange": port_text(rule.ports),
        "SourcePortRange": port_text(rule.source_ports),
        "PortRangeListId": "",
        "PortRangeListName": "",
        "Policy": rule.policy.capitalize(),
        "Priority": str(rule.priority),
        "NicType": "intranet",
        "Description": rule.description,
        "CreateTime": seconds_utc(rule.created),
        "SourceCidrIp": "" if ":" in rule.source else rule.source,
        "Ipv6SourceCidrIp": rule.source if ":" in rule.source else "",
        "DestCidrIp": "" if ":" in rule.destination else rule.destination,
        "Ipv6DestCidrIp": rule.destination if ":" in rule.destination else "",
        f"{side}GroupId": rule.peer_group,
        f"{side}GroupName": peer.name if peer else "",
        f"{side}GroupOwnerAccount": rule.peer_owner,
        f"{other}GroupId": "",
        f"{other}GroupName": "",
        f"{other}GroupOwnerAccount": "",
        "SourcePrefixListId": "",
        "SourcePrefixListName": "",
        "DestPrefixListId": "",
        "DestPrefixListName": "",
    }
