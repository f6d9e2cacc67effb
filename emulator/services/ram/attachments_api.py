"""Actions that put policies on users and roles, and that list who has which."""

from __future__ import annotations

from typing import Any

from emulator.api.call import Answer, Call, Request
from emulator.services.ram import attachments, policies, roles, users
from emulator.services.ram.model import Role, User
from emulator.services.ram.service import RAM, PolicyName, PolicyType, RoleName, UserName
from emulator.times import seconds_utc


class AttachPolicyToRole(Request):
    policy_type: PolicyType
    policy_name: PolicyName
    role_name: RoleName


@RAM.action
def attach_policy_to_role(call: Call, given: AttachPolicyToRole) -> Answer:
    role = roles.find(call.cloud, given.role_name)
    policy = policies.find(call.cloud, given.policy_type, given.policy_name)
    attachments.attach(call, role, given.policy_type, policy)
    return {}


class DetachPolicyFromRole(Request):
    policy_type: PolicyType
    policy_name: PolicyName
    role_name: RoleName


@RAM.action
def detach_policy_from_role(call: Call, given: DetachPolicyFromRole) -> Answer:
    role = roles.find(call.cloud, given.role_name)
    attachments.detach(call.cloud, role, given.policy_type, given.policy_name)
    return {}


class AttachPolicyToUser(Request):
    policy_type: PolicyType
    policy_name: PolicyName
    user_name: UserName


@RAM.action
def attach_policy_to_user(call: Call, given: AttachPolicyToUser) -> Answer:
    user = users.find(call.cloud, given.user_name)
    policy = policies.find(call.cloud, given.policy_type, given.policy_name)
    attachments.attach(call, user, given.policy_type, policy)
    return {}


class DetachPolicyFromUser(Request):
    policy_type: PolicyType
    policy_name: PolicyName
    user_name: UserName


@RAM.action
def detach_policy_from_user(call: Call, given: DetachPolicyFromUser) -> Answer:
    user = users.find(call.cloud, given.user_name)
    attachments.detach(call.cloud, user, given.policy_type, given.policy_name)
    return {}


class ListPoliciesForRole(Request):
    role_name: RoleName


@RAM.action
def list_policies_for_role(call: Call, given: ListPoliciesForRole) -> Answer:
    return _policies(call, roles.find(call.cloud, given.role_name))


class ListPoliciesForUser(Request):
    user_name: UserName


@RAM.action
def list_policies_for_user(call: Call, given: ListPoliciesForUser) -> Answer:
    return _policies(call, users.find(call.cloud, given.user_name))


def _policies(call: Call, holder: User | Role) -> Answer:
    rows: list[dict[str, Any]] = []
    for one in attachments.of_holder(call.cloud, holder):
        policy = policies.find(call.cloud, one.policy_type, one.policy)
        rows.append(
            {
                "PolicyName": policy.id,
                "PolicyType": one.policy_type,
                "Description": policy.description,
                "DefaultVersion": policy.default,
                "AttachDate": seconds_utc(one.created),
            }
        )
    return {"Policies": {"Policy": rows}}


class ListEntitiesForPolicy(Request):
    policy_type: PolicyType
    policy_name: PolicyName


@RAM.action
def list_entities_for_policy(call: Call, given: ListEntitiesForPolicy) -> Answer:
    cloud = call.cloud
    policy = policies.find(cloud, given.policy_type, given.policy_name)
    users_of: list[dict[str, Any]] = []
    roles_of: list[dict[str, Any]] = []
    for one in attachments.of_policy(cloud, given.policy_type, policy.id):
        when = {"AttachDate": seconds_utc(one.created)}
        if one.holder_kind == "user":
            user = users.find(cloud, one.holder)
            users_of.append(
                {"UserName": user.id, "UserId": user.user_id, "DisplayName": user.display_name} | when
            )
        else:
            role = roles.find(cloud, one.holder)
            roles_of.append(
                {
                    "RoleName": role.id,
                    "RoleId": role.role_id,
                    "Arn": role.arn(call.caller.account),
                    "Description": role.description,
                }
                | when
            )
    return {"Users": {"User": users_of}, "Groups": {"Group": []}, "Roles": {"Role": roles_of}}
