"""Actions on policies and their versions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from emulator.api.call import Answer, Call, Request, Says
from emulator.services.ram import attachments, policies
from emulator.services.ram.model import Policy, Version
from emulator.services.ram.service import RAM, Marked, PolicyName, PolicyType, Tags, marked, too_long
from emulator.tags import checked, match
from emulator.times import seconds_utc

VersionId = Annotated[
    str,
    Field(pattern=r"^v\d+$"),
    Says("InvalidParameter.VersionId.Format", 'The format of the parameter - "VersionId" is incorrect.'),
]


class CreatePolicy(Request):
    policy_name: PolicyName
    policy_document: str
    description: Annotated[str, Field(max_length=1024), too_long("Description")] = ""
    tag: Tags = ()


@RAM.action
def create_policy(call: Call, given: CreatePolicy) -> Answer:
    policy = policies.create(
        call,
        name=given.policy_name,
        description=given.description,
        document=given.policy_document,
        tags=checked(given.tag),
    )
    return {"Policy": _shape("Custom", policy)}


class GetPolicy(Request):
    policy_name: PolicyName
    policy_type: PolicyType


@RAM.action
def get_policy(call: Call, given: GetPolicy) -> Answer:
    policy = policies.find(call.cloud, given.policy_type, given.policy_name)
    return {
        "Policy": _counted(call, given.policy_type, policy) | {"PolicyDocument": policy.in_force.document},
        "DefaultPolicyVersion": _version(policy, policy.in_force),
    }


class ListPolicies(Marked):
    policy_type: PolicyType | None = None
    tag: Tags = ()


@RAM.action
def list_policies(call: Call, given: ListPolicies) -> Answer:
    found = [
        (kind, policy)
        for kind, policy in policies.listed(call.cloud, given.policy_type or "")
        if match(policy.tags, given.tag)
    ]
    part, said = marked(given, found)
    return said | {
        "Policies": {
            "Policy": [
                _counted(call, kind, policy)
                | {
                    "Tags": {
                        "Tag": [
                            {"TagKey": key, "TagValue": text} for key, text in sorted(policy.tags.items())
                        ]
                    }
                }
                for kind, policy in part
            ]
        }
    }


class UpdatePolicyDescription(Request):
    policy_name: PolicyName
    new_description: Annotated[str, Field(max_length=1024), too_long("NewDescription")]


@RAM.action
def update_policy_description(call: Call, given: UpdatePolicyDescription) -> Answer:
    policy = policies.find(call.cloud, "Custom", given.policy_name)
    changed = policies.describe(call, policy, given.new_description)
    return {"Policy": _shape("Custom", changed) | {"UpdateDate": seconds_utc(changed.updated)}}


class DeletePolicy(Request):
    policy_name: PolicyName
    cascading_delete: bool = False


@RAM.action
def delete_policy(call: Call, given: DeletePolicy) -> Answer:
    policy = policies.find(call.cloud, "Custom", given.policy_name)
    policies.delete(call.cloud, policy, versions=given.cascading_delete)
    return {}


class CreatePolicyVersion(Request):
    policy_name: PolicyName
    policy_document: str
    set_as_default: bool = False
    rotate_strategy: Literal["None", "DeleteOldestNonDefaultVersionWhenLimitExceeded"] = "None"


@RAM.action
def create_policy_version(call: Call, given: CreatePolicyVersion) -> Answer:
    made = policies.add_version(
        call,
        policies.find(call.cloud, "Custom", given.policy_name),
        given.policy_document,
        in_force=given.set_as_default,
        rotate=given.rotate_strategy != "None",
    )
    return {"PolicyVersion": _version(policies.find(call.cloud, "Custom", given.policy_name), made)}


class GetPolicyVersion(Request):
    policy_name: PolicyName
    policy_type: PolicyType
    version_id: VersionId


@RAM.action
def get_policy_version(call: Call, given: GetPolicyVersion) -> Answer:
    policy = policies.find(call.cloud, given.policy_type, given.policy_name)
    return {"PolicyVersion": _version(policy, policies.version(policy, given.version_id))}


class ListPolicyVersions(Request):
    policy_name: PolicyName
    policy_type: PolicyType


@RAM.action
def list_policy_versions(call: Call, given: ListPolicyVersions) -> Answer:
    policy = policies.find(call.cloud, given.policy_type, given.policy_name)
    return {"PolicyVersions": {"PolicyVersion": [_version(policy, one) for one in policy.versions]}}


class SetDefaultPolicyVersion(Request):
    policy_name: PolicyName
    version_id: VersionId


@RAM.action
def set_default_policy_version(call: Call, given: SetDefaultPolicyVersion) -> Answer:
    policies.set_default(call, policies.find(call.cloud, "Custom", given.policy_name), given.version_id)
    return {}


class DeletePolicyVersion(Request):
    policy_name: PolicyName
    version_id: VersionId


@RAM.action
def delete_policy_version(call: Call, given: DeletePolicyVersion) -> Answer:
    policies.delete_version(call, policies.find(call.cloud, "Custom", given.policy_name), given.version_id)
    return {}


def _shape(kind: str, policy: Policy) -> dict[str, Any]:
    return {
        "PolicyName": policy.id,
        "PolicyType": kind,
        "Description": policy.description,
        "DefaultVersion": policy.default,
        "CreateDate": seconds_utc(policy.created),
    }


def _counted(call: Call, kind: str, policy: Policy) -> dict[str, Any]:
    return _shape(kind, policy) | {
        "UpdateDate": seconds_utc(policy.updated),
        "AttachmentCount": len(attachments.of_policy(call.cloud, kind, policy.id)),
    }


def _version(policy: Policy, version: Version) -> dict[str, Any]:
    return {
        "VersionId": version.id,
        "IsDefaultVersion": version.id == policy.default,
        "PolicyDocument": version.document,
        "CreateDate": seconds_utc(version.created),
    }
