"""Roles, policies, users and keys by the SDK."""

from __future__ import annotations

import json
from typing import Any

import pytest
from alibabacloud_ram20150501 import models as m
from alibabacloud_ram20150501.client import Client as Ram

from emulator.access import AccessKey
from emulator.cloud import Cloud, open_cloud
from emulator.services.ram.model import Role
from tests.cloud.conftest import Refused, config_of
from tests.cloud.running import Listener


def trust(*principals: str) -> str:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"RAM": list(principals)}}
    return json.dumps({"Version": "1", "Statement": [statement]})


def allow(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "1", "Statement": [statement]})


@pytest.fixture
def role(ram: Ram, cloud: Cloud) -> Any:
    document = trust(f"acs:ram::{cloud.account}:root")
    asked = m.CreateRoleRequest(
        role_name="Builder",
        assume_role_policy_document=document,
        description="builds",
        max_session_duration=7200,
        tag=[m.CreateRoleRequestTag(key="team", value="a")],
    )
    return ram.create_role(asked).body.role


@pytest.fixture
def policy(ram: Ram) -> Any:
    asked = m.CreatePolicyRequest(policy_name="Reads", policy_document=allow("oss:Get*"), description="d")
    return ram.create_policy(asked).body.policy


def attach(ram: Ram, kind: str, policy: str, role: str = "Builder") -> None:
    ram.attach_policy_to_role(
        m.AttachPolicyToRoleRequest(policy_type=kind, policy_name=policy, role_name=role)
    )


# --- roles


def test_a_role_is_made_read_changed_and_removed(ram: Ram, cloud: Cloud, role: Any, refused: Refused) -> None:
    assert role.arn == f"acs:ram::{cloud.account}:role/builder"
    assert len(role.role_id) == 18
    read = ram.get_role(m.GetRoleRequest(role_name="builder")).body.role
    assert (read.role_name, read.description, read.max_session_duration) == ("Builder", "builds", 7200)
    assert json.loads(read.assume_role_policy_document)["Statement"][0]["Effect"] == "Allow"
    ram.update_role(
        m.UpdateRoleRequest(
            role_name="Builder",
            new_description="",
            new_max_session_duration=3600,
            new_assume_role_policy_document=trust("acs:ram::1:root"),
        )
    )
    read = ram.get_role(m.GetRoleRequest(role_name="Builder")).body.role
    assert (read.description, read.max_session_duration) == ("", 3600)
    assert "acs:ram::1:root" in read.assume_role_policy_document
    ram.delete_role(m.DeleteRoleRequest(role_name="Builder"))
    with refused("EntityNotExist.Role", 404):
        ram.get_role(m.GetRoleRequest(role_name="Builder"))


def test_a_role_s_name_is_taken_whatever_its_case(
    ram: Ram, cloud: Cloud, role: Any, refused: Refused
) -> None:
    with refused("EntityAlreadyExists.Role", 409):
        ram.create_role(
            m.CreateRoleRequest(role_name="BUILDER", assume_role_policy_document=trust("acs:ram::1:root"))
        )


@pytest.mark.parametrize(
    "document",
    [
        "no JSON",
        "[]",
        '{"Version": "2", "Statement": []}',
        '{"Version": "1", "Statement": []}',
        '{"Version": "1", "Statement": [{"Effect": "Perhaps"}]}',
        '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}',
        '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "ecs:*", "Principal": {"RAM": "*"}}]}',
        trust("somebody"),
    ],
)
def test_a_document_that_is_none_is_refused(ram: Ram, refused: Refused, document: str) -> None:
    with refused("MalformedPolicyDocument"):
        ram.create_role(m.CreateRoleRequest(role_name="x", assume_role_policy_document=document))


def test_what_the_provider_leaves_null_in_a_document_is_taken(ram: Ram) -> None:
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"RAM": None, "Service": ["ecs.aliyuncs.com"]},
    }
    text = json.dumps({"Version": "1", "Statement": [statement]})
    made = ram.create_role(m.CreateRoleRequest(role_name="ecs", assume_role_policy_document=text)).body.role
    assert made.assume_role_policy_document == text


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"role_name": "a b"}, "InvalidParameter.RoleName.InvalidChars"),
        ({"description": "x" * 1025}, "InvalidParameter.Description.Length"),
        ({"max_session_duration": 3599}, "InvalidParameter.MaxSessionDuration"),
        ({"assume_role_policy_document": None}, "MissingAssumeRolePolicyDocument"),
    ],
)
def test_malformed_parameters_have_their_own_codes(
    ram: Ram, refused: Refused, changed: dict[str, Any], code: str
) -> None:
    given = {"role_name": "r", "assume_role_policy_document": trust("acs:ram::1:root")} | changed
    with refused(code):
        ram.create_role(m.CreateRoleRequest(**given))


def test_roles_are_listed_from_marker_to_marker(ram: Ram) -> None:
    for at in range(5):
        ram.create_role(
            m.CreateRoleRequest(role_name=f"r{at}", assume_role_policy_document=trust("acs:ram::1:root"))
        )
    names: list[str] = []
    marker = None
    while True:
        body = ram.list_roles(m.ListRolesRequest(max_items=2, marker=marker)).body
        names += [one.role_name for one in body.roles.role]
        if not body.is_truncated:
            break
        marker = body.marker
    assert names == ["r0", "r1", "r2", "r3", "r4"]


def test_tags_of_roles_and_policies(ram: Ram, role: Any, policy: Any, refused: Refused) -> None:
    tag = m.TagResourcesRequestTag(key="stage", value="prod")
    for kind, name in (("role", "Builder"), ("policy", "Reads")):
        ram.tag_resources(m.TagResourcesRequest(resource_type=kind, resource_names=[name], tag=[tag]))
    rows = ram.list_tag_resources(
        m.ListTagResourcesRequest(resource_type="role", resource_names=["Builder"])
    ).body.tag_resources
    assert {(one.tag_key, one.tag_value) for one in rows} == {("team", "a"), ("stage", "prod")}
    ram.untag_resources(
        m.UntagResourcesRequest(resource_type="role", resource_names=["Builder"], tag_keys=["team"])
    )
    rows = ram.list_tag_resources(m.ListTagResourcesRequest(resource_type="role")).body.tag_resources
    assert [(one.resource_name, one.tag_key) for one in rows] == [("Builder", "stage")]
    assert ram.list_roles(m.ListRolesRequest()).body.roles.role[0].tags.tag[0].tag_key == "stage"
    with refused("EntityNotExist.Role", 404):
        ram.tag_resources(m.TagResourcesRequest(resource_type="role", resource_names=["no"], tag=[tag]))


# --- policies


def test_versions_of_a_policy(ram: Ram, policy: Any, refused: Refused) -> None:
    def add(action: str, **more: Any) -> Any:
        asked = m.CreatePolicyVersionRequest(policy_name="Reads", policy_document=allow(action), **more)
        return ram.create_policy_version(asked).body.policy_version

    assert policy.default_version == "v1"
    assert add("ecs:a", set_as_default=True).version_id == "v2"
    read = ram.get_policy(m.GetPolicyRequest(policy_name="Reads", policy_type="Custom")).body
    assert read.policy.default_version == read.default_policy_version.version_id == "v2"
    assert "ecs:a" in read.default_policy_version.policy_document
    for action in ("ecs:b", "ecs:c", "ecs:d"):
        assert not add(action).is_default_version
    with refused("LimitExceeded.Policy.Version", 409):
        add("ecs:e")
    assert add("ecs:e", rotate_strategy="DeleteOldestNonDefaultVersionWhenLimitExceeded").version_id == "v6"
    asked = m.ListPolicyVersionsRequest(policy_name="Reads", policy_type="Custom")
    listed = ram.list_policy_versions(asked).body.policy_versions.policy_version
    assert [one.version_id for one in listed] == ["v2", "v3", "v4", "v5", "v6"]
    with refused("DeleteConflict.Policy.Version.Default", 409):
        ram.delete_policy_version(m.DeletePolicyVersionRequest(policy_name="Reads", version_id="v2"))
    ram.set_default_policy_version(m.SetDefaultPolicyVersionRequest(policy_name="Reads", version_id="v3"))
    one = m.GetPolicyVersionRequest(policy_type="Custom", policy_name="Reads", version_id="v3")
    assert ram.get_policy_version(one).body.policy_version.is_default_version
    ram.delete_policy_version(m.DeletePolicyVersionRequest(policy_name="Reads", version_id="v2"))
    with refused("EntityNotExist.Policy.Version", 404):
        ram.get_policy_version(
            m.GetPolicyVersionRequest(policy_name="Reads", policy_type="Custom", version_id="v2")
        )
    with refused("DeleteConflict.Policy.Version", 409):
        ram.delete_policy(m.DeletePolicyRequest(policy_name="Reads"))
    ram.delete_policy(m.DeletePolicyRequest(policy_name="Reads", cascading_delete=True))
    with refused("EntityNotExist.Policy", 404):
        ram.get_policy(m.GetPolicyRequest(policy_name="Reads", policy_type="Custom"))


def test_a_policy_is_described_anew(ram: Ram, policy: Any) -> None:
    ram.update_policy_description(
        m.UpdatePolicyDescriptionRequest(policy_name="Reads", new_description="more")
    )
    listed = ram.list_policies(m.ListPoliciesRequest(policy_type="Custom")).body.policies.policy
    assert [(one.policy_name, one.description) for one in listed] == [("Reads", "more")]


def test_system_policies_are_there_and_cannot_be_changed(ram: Ram, refused: Refused) -> None:
    asked = m.GetPolicyRequest(policy_name="AliyunOSSFullAccess", policy_type="System")
    read = ram.get_policy(asked).body
    assert json.loads(read.default_policy_version.policy_document)["Statement"][0]["Action"] == ["oss:*"]
    with refused("EntityNotExist.Policy", 404):
        ram.delete_policy(m.DeletePolicyRequest(policy_name="AliyunOSSFullAccess"))
    with refused("EntityAlreadyExists.Policy", 409):
        ram.create_policy(
            m.CreatePolicyRequest(policy_name="aliyunossfullaccess", policy_document=allow("*"))
        )


# --- attachments


def test_policies_on_a_role(ram: Ram, role: Any, policy: Any, refused: Refused) -> None:
    attach(ram, "Custom", "Reads")
    attach(ram, "System", "AliyunECSReadOnlyAccess")
    with refused("EntityAlreadyExists.Role.Policy", 409):
        attach(ram, "Custom", "reads")
    listed = ram.list_policies_for_role(m.ListPoliciesForRoleRequest(role_name="Builder")).body
    assert {(one.policy_name, one.policy_type) for one in listed.policies.policy} == {
        ("Reads", "Custom"),
        ("AliyunECSReadOnlyAccess", "System"),
    }
    read = ram.get_policy(m.GetPolicyRequest(policy_name="Reads", policy_type="Custom")).body.policy
    assert read.attachment_count == 1
    entities = ram.list_entities_for_policy(
        m.ListEntitiesForPolicyRequest(policy_name="Reads", policy_type="Custom")
    ).body
    assert [one.role_name for one in entities.roles.role] == ["Builder"]
    with refused("DeleteConflict.Role.Policy", 409):
        ram.delete_role(m.DeleteRoleRequest(role_name="Builder"))
    with refused("DeleteConflict.Policy.Role", 409):
        ram.delete_policy(m.DeletePolicyRequest(policy_name="Reads"))
    for kind, name in (("Custom", "Reads"), ("System", "AliyunECSReadOnlyAccess")):
        asked = m.DetachPolicyFromRoleRequest(policy_type=kind, policy_name=name, role_name="Builder")
        ram.detach_policy_from_role(asked)
        with refused("EntityNotExist.Role.Policy", 404):
            ram.detach_policy_from_role(asked)
    ram.delete_role(m.DeleteRoleRequest(role_name="Builder"))


def test_what_is_not_there_cannot_be_attached(ram: Ram, role: Any, refused: Refused) -> None:
    with refused("EntityNotExist.Policy", 404):
        attach(ram, "Custom", "Reads")
    with refused("EntityNotExist.Role", 404):
        attach(ram, "System", "AliyunOSSFullAccess", role="nobody")
    with refused("InvalidParameter.PolicyType"):
        attach(ram, "Other", "AliyunOSSFullAccess")


def test_what_is_not_served_is_refused_by_name(ram: Ram, role: Any, refused: Refused) -> None:
    asked = m.AttachPolicyToRoleRequest(
        policy_type="System",
        policy_name="AliyunOSSFullAccess",
        role_name="Builder",
        resource_group_id="rg-1",
    )
    with refused("UnsupportedParameter.Emulator"):
        ram.attach_policy_to_role(asked)


# --- users and keys


def test_a_user_with_policy_and_key(ram: Ram, policy: Any, refused: Refused) -> None:
    made = ram.create_user(m.CreateUserRequest(user_name="ann", comments="c")).body.user
    assert (made.display_name, len(made.user_id)) == ("ann", 18)
    with refused("EntityAlreadyExists.User", 409):
        ram.create_user(m.CreateUserRequest(user_name="Ann"))
    ram.attach_policy_to_user(
        m.AttachPolicyToUserRequest(policy_type="Custom", policy_name="Reads", user_name="ann")
    )
    key = ram.create_access_key(m.CreateAccessKeyRequest(user_name="ann")).body.access_key
    ram.update_user(m.UpdateUserRequest(user_name="ann", new_user_name="beth", new_comments=""))
    with refused("EntityNotExist.User", 404):
        ram.get_user(m.GetUserRequest(user_name="ann"))
    read = ram.get_user(m.GetUserRequest(user_name="beth")).body.user
    assert (read.user_id, read.comments) == (made.user_id, "")
    assert [one.user_name for one in ram.list_users(m.ListUsersRequest()).body.users.user] == ["beth"]
    listed = ram.list_policies_for_user(m.ListPoliciesForUserRequest(user_name="beth")).body
    assert [one.policy_name for one in listed.policies.policy] == ["Reads"]
    with refused("DeleteConflict.User.AccessKey", 409):
        ram.delete_user(m.DeleteUserRequest(user_name="beth"))
    ram.delete_access_key(m.DeleteAccessKeyRequest(user_name="beth", user_access_key_id=key.access_key_id))
    with refused("DeleteConflict.User.Policy", 409):
        ram.delete_user(m.DeleteUserRequest(user_name="beth"))
    ram.detach_policy_from_user(
        m.DetachPolicyFromUserRequest(policy_type="Custom", policy_name="Reads", user_name="beth")
    )
    ram.delete_user(m.DeleteUserRequest(user_name="beth"))


def test_a_key_opens_the_api_until_it_is_switched_off(ram: Ram, server: Listener, refused: Refused) -> None:
    ram.create_user(m.CreateUserRequest(user_name="ann"))
    key = ram.create_access_key(m.CreateAccessKeyRequest(user_name="ann")).body.access_key
    theirs = Ram(
        config_of(
            AccessKey(id=key.access_key_id, region="", secret=key.access_key_secret, principal=""), server
        )
    )
    own = theirs.list_access_keys(m.ListAccessKeysRequest()).body.access_keys.access_key
    assert [one.access_key_id for one in own] == [key.access_key_id]
    ram.update_access_key(
        m.UpdateAccessKeyRequest(user_name="ann", user_access_key_id=key.access_key_id, status="Inactive")
    )
    with refused("InvalidAccessKeyId.Inactive"):
        theirs.list_users(m.ListUsersRequest())
    ram.create_access_key(m.CreateAccessKeyRequest(user_name="ann"))
    with refused("LimitExceeded.User.AccessKey", 409):
        ram.create_access_key(m.CreateAccessKeyRequest(user_name="ann"))
    with refused("EntityNotExist.User.AccessKey", 404):
        ram.delete_access_key(m.DeleteAccessKeyRequest(user_name="ann", user_access_key_id="LTAInone"))


def test_nobody_is_in_a_group(ram: Ram) -> None:
    ram.create_user(m.CreateUserRequest(user_name="ann"))
    assert ram.list_groups_for_user(m.ListGroupsForUserRequest(user_name="ann")).body.groups.group == []


def test_roles_survive_a_restart(ram: Ram, role: Any, cloud: Cloud) -> None:
    again = open_cloud(cloud.folder)
    kept = again.store.get(Role, "Builder")
    again.store.close()
    assert kept is not None
    assert kept.role_id == role.role_id
