"""A security group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from offline.alicloud.api import Answer
from offline.alicloud.field import Property, one_of
from offline.alicloud.lifecycle import TAGS, CloudResource, without
from offline.alicloud.work import Change, Creation, Deletion, Work
from offline.provider.resource import UNKNOWN, CheckFailure, Context, Field, Inputs, State


class SecurityGroup(CloudResource):
    """alicloud:ecs/securityGroup:SecurityGroup."""

    type: ClassVar[str] = "alicloud:ecs/securityGroup:SecurityGroup"
    product = "ecs"
    noun = "security group"
    id_parameter = "SecurityGroupId"
    tag_kind = "securitygroup"
    fields: ClassVar[Mapping[str, Field]] = {
        "description": Property(create="Description", read="Description"),
        "innerAccess": Property(computed=True, deprecated=True),
        "innerAccessPolicy": Property(
            read="InnerAccessPolicy",
            computed=True,
            valid=one_of("Accept", "Drop"),
            conflicts=("innerAccess",),
        ),
        "name": Property(
            create="SecurityGroupName", read="SecurityGroupName", computed=True, deprecated=True
        ),
        "resourceGroupId": Property(create="ResourceGroupId", read="ResourceGroupId", computed=True),
        # Unlike other resources, this one takes two names, and the newer one counts.
        "securityGroupName": Property(create="SecurityGroupName", read="SecurityGroupName", computed=True),
        "securityGroupType": Property(
            create="SecurityGroupType",
            read="SecurityGroupType",
            computed=True,
            replace=True,
            valid=one_of("normal", "enterprise"),
        ),
        "tags": TAGS,
        "vpcId": Property(create="VpcId", read="VpcId", computed=True, replace=True),
    }
    creation = Creation(action="CreateSecurityGroup", id="SecurityGroupId")
    changes = (
        Change(
            action="ModifySecurityGroupAttribute",
            properties={
                "description": "Description",
                "name": "SecurityGroupName",
                "securityGroupName": "SecurityGroupName",
            },
        ),
        Change(
            action="ModifySecurityGroupPolicy",
            properties={"innerAccess": "InnerAccessPolicy", "innerAccessPolicy": "InnerAccessPolicy"},
            late=True,
            token=True,
        ),
        Change(
            action="JoinResourceGroup",
            properties={"resourceGroupId": "ResourceGroupId"},
            id="ResourceId",
            fixed={"ResourceType": "securitygroup"},
        ),
    )
    deletion = Deletion(action="DeleteSecurityGroup", again=("DependencyViolation",), seconds=600)

    def table(self, ctx: Context, state: State, inputs: Inputs) -> Mapping[str, Field]:  # noqa: ARG002
        if inputs.get("securityGroupType", state.get("securityGroupType")) != "enterprise":
            return self.fields
        # Machines of an enterprise group never reach each other, whatever is asked for.
        return without(self.fields, "innerAccessPolicy")

    def wrong(self, inputs: Inputs) -> list[CheckFailure]:
        policy = inputs.get("innerAccessPolicy")
        if inputs.get("securityGroupType") == "enterprise" and policy not in (None, "Drop", UNKNOWN):
            reason = "machines of an enterprise group do not reach each other by default: it can only be Drop"
            return [CheckFailure(property="innerAccessPolicy", reason=reason)]
        return []

    def describe(self, work: Work, id: str) -> Answer | None:
        answer = work.found("DescribeSecurityGroups", {"SecurityGroupId": id})
        groups = ((answer or {}).get("SecurityGroups") or {}).get("SecurityGroup") or []
        if not groups:
            return None
        policy = (work.found("DescribeSecurityGroupAttribute", {"SecurityGroupId": id}) or {}).get(
            "InnerAccessPolicy"
        )
        return {**groups[0], "InnerAccessPolicy": policy}

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        policy = answer.get("InnerAccessPolicy")
        return super().state_of(work, id, answer) | {
            "createTime": answer.get("CreationTime"),
            "innerAccess": None if policy is None else policy == "Accept",
        }

    def parameter(self, name: str, value: Any) -> Any:
        return ("Accept" if value else "Drop") if name == "innerAccess" else value
