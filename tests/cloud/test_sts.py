"""Who calls, and sessions of roles."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import alibabacloud_oss_v2 as oss_v2
import pytest
from alibabacloud_ram20150501 import models as r
from alibabacloud_ram20150501.client import Client as Ram
from alibabacloud_sts20150401 import models as m
from alibabacloud_sts20150401.client import Client as Sts

from emulator.access import AccessKey
from emulator.cloud import Cloud
from tests.cloud.conftest import Refused, config_of
from tests.cloud.raw import Raw
from tests.cloud.running import Clock, Listener


def document(principal: Any, effect: str = "Allow", condition: Any = None) -> Any:
    statement = {"Effect": effect, "Action": "sts:AssumeRole", "Principal": principal}
    return statement | ({"Condition": condition} if condition else {})


@pytest.fixture
def user(ram: Ram, server: Listener) -> Any:
    """A client of a user's."""
    ram.create_user(r.CreateUserRequest(user_name="ann"))
    key = ram.create_access_key(r.CreateAccessKeyRequest(user_name="ann")).body.access_key
    thing = AccessKey(id=key.access_key_id, region="", secret=key.access_key_secret, principal="")
    return Sts(config_of(thing, server))


@pytest.fixture
def role(ram: Ram, cloud: Cloud) -> Any:
    """Makes a role that trusts, by the statements given; answers its ARN."""

    def make(*statements: Any) -> Any:
        given = statements or (document({"RAM": [f"acs:ram::{cloud.account}:root"]}),)
        text = json.dumps({"Version": "1", "Statement": list(given)})
        asked = r.CreateRoleRequest(
            role_name="Work", assume_role_policy_document=text, max_session_duration=3600
        )
        return ram.create_role(asked).body.role.arn

    return make


def assume(client: Sts, arn: str, **more: Any) -> Any:
    return client.assume_role(m.AssumeRoleRequest(role_arn=arn, role_session_name="ci", **more)).body


def session_client(credentials: Any, server: Listener, **changed: Any) -> Any:
    thing = AccessKey(
        id=credentials.access_key_id, region="", secret=credentials.access_key_secret, principal=""
    )
    return Sts(config_of(thing, server, security_token=credentials.security_token, **changed))


def test_the_account_is_itself(sts: Sts, cloud: Cloud) -> None:
    said = sts.get_caller_identity().body
    assert (said.identity_type, said.account_id, said.user_id) == ("Account", cloud.account, cloud.account)
    assert said.arn == f"acs:ram::{cloud.account}:root"


def test_a_user_is_named(user: Sts, cloud: Cloud, ram: Ram) -> None:
    said = user.get_caller_identity().body
    made = ram.get_user(r.GetUserRequest(user_name="ann")).body.user
    assert (said.identity_type, said.user_id, said.principal_id) == ("RAMUser", made.user_id, made.user_id)
    assert said.arn == f"acs:ram::{cloud.account}:user/ann"


@pytest.mark.parametrize("algorithm", [None, "v2"], ids=["version 3", "version 1"])
def test_a_session_signs_with_its_token(
    user: Sts, role: Any, cloud: Cloud, server: Listener, ram: Ram, algorithm: str | None
) -> None:
    arn = role()
    given = assume(user, arn, duration_seconds=900)
    role_id = ram.get_role(r.GetRoleRequest(role_name="Work")).body.role.role_id
    assert given.assumed_role_user.assumed_role_id == f"{role_id}:ci"
    end = (cloud.now() + timedelta(seconds=900)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert given.credentials.expiration == end
    said = session_client(given.credentials, server, signature_algorithm=algorithm).get_caller_identity().body
    assert (said.identity_type, said.role_id) == ("AssumedRoleUser", role_id)
    assert said.principal_id == f"{role_id}:ci"
    assert said.arn.startswith(f"acs:ram::{cloud.account}:assumed-role/")


def test_a_session_ends(user: Sts, role: Any, server: Listener, clock: Clock) -> None:
    given = assume(user, role(), duration_seconds=900).credentials
    asking = Raw(server.url, given.access_key_id, given.access_key_secret)
    clock.later(899)
    good = asking.ask("sts", "GetCallerIdentity", time=clock(), SecurityToken=given.security_token)
    assert good.status == 200
    clock.later(2)
    late = asking.ask("sts", "GetCallerIdentity", time=clock(), SecurityToken=given.security_token)
    assert (late.status, late.code) == (400, "InvalidSecurityToken.Expired")


def test_a_session_needs_its_token(user: Sts, role: Any, server: Listener) -> None:
    given = assume(user, role()).credentials
    asking = Raw(server.url, given.access_key_id, given.access_key_secret)
    assert asking.ask("sts", "GetCallerIdentity").code == "InvalidSecurityToken.MismatchWithAccessKey"
    wrong = asking.ask("sts", "GetCallerIdentity", SecurityToken=given.security_token + "x")
    assert wrong.code == "InvalidSecurityToken.MismatchWithAccessKey"


def test_a_session_may_use_oss(user: Sts, role: Any, server: Listener) -> None:
    given = assume(user, role()).credentials
    for version in ("v1", "v4"):
        config = oss_v2.config.load_default()
        config.credentials_provider = oss_v2.credentials.StaticCredentialsProvider(
            given.access_key_id, given.access_key_secret, given.security_token
        )
        config.region, config.endpoint, config.use_path_style = "cn-hangzhou", server.url, True
        config.signature_version = version
        client = oss_v2.Client(config)
        client.put_bucket(oss_v2.PutBucketRequest(bucket=f"of-a-session-{version}"))
    assert len(client.list_buckets(oss_v2.ListBucketsRequest()).buckets) == 2


def test_a_role_trusts_whom_it_names(user: Sts, role: Any, cloud: Cloud, ram: Ram, refused: Refused) -> None:
    arn = role(document({"RAM": [f"acs:ram::{cloud.account}:user/beth"]}))
    with refused("NoPermission", 403):
        assume(user, arn)
    text = json.dumps(
        {"Version": "1", "Statement": [document({"RAM": [f"acs:ram::{cloud.account}:user/ann"]})]}
    )
    ram.update_role(r.UpdateRoleRequest(role_name="Work", new_assume_role_policy_document=text))
    assert assume(user, arn).credentials.security_token


def test_a_service_s_role_is_not_a_user_s(user: Sts, role: Any, refused: Refused) -> None:
    with refused("NoPermission", 403):
        assume(user, role(document({"Service": ["ecs.aliyuncs.com"]})))


def test_a_refusal_in_the_trust_wins(user: Sts, role: Any, cloud: Cloud, refused: Refused) -> None:
    everybody = document({"RAM": [f"acs:ram::{cloud.account}:root"]})
    ann = document({"RAM": [f"acs:ram::{cloud.account}:user/ann"]}, effect="Deny")
    with refused("NoPermission", 403):
        assume(user, role(everybody, ann))


def test_an_external_id_is_asked_for(user: Sts, role: Any, cloud: Cloud, refused: Refused) -> None:
    condition = {"StringEquals": {"sts:ExternalId": "abc"}}
    arn = role(document({"RAM": [f"acs:ram::{cloud.account}:root"]}, condition=condition))
    with refused("NoPermission", 403):
        assume(user, arn)
    assert assume(user, arn, external_id="abc").credentials


def test_a_condition_that_is_not_served_is_refused(
    user: Sts, role: Any, cloud: Cloud, refused: Refused
) -> None:
    condition = {"IpAddress": {"acs:SourceIp": "10.0.0.0/8"}}
    arn = role(document({"RAM": [f"acs:ram::{cloud.account}:root"]}, condition=condition))
    with refused("UnsupportedParameter.Emulator"):
        assume(user, arn)


def test_a_session_may_assume_another_role(
    user: Sts, role: Any, cloud: Cloud, ram: Ram, server: Listener, refused: Refused
) -> None:
    given = assume(user, role()).credentials
    text = json.dumps(
        {"Version": "1", "Statement": [document({"RAM": [f"acs:ram::{cloud.account}:role/work"]})]}
    )
    asked = r.CreateRoleRequest(role_name="Next", assume_role_policy_document=text)
    following = ram.create_role(asked).body.role.arn
    with refused("NoPermission", 403):
        assume(user, following)
    assert assume(session_client(given, server), following).assumed_role_user.arn.endswith("role/next/ci")


def test_what_cannot_be_assumed(user: Sts, sts: Sts, role: Any, cloud: Cloud, refused: Refused) -> None:
    arn = role()
    with refused("NoPermission", 403):
        assume(sts, arn)  # the account itself
    with refused("EntityNotExist.Role", 404):
        assume(user, f"acs:ram::{cloud.account}:role/none")
    with refused("EntityNotExist.Role", 404):
        assume(user, "acs:ram::1:role/work")
    with refused("InvalidParameter.RoleArn"):
        assume(user, "work")
    with refused("InvalidParameter.DurationSeconds"):
        assume(user, arn, duration_seconds=899)
    with refused("InvalidParameter.DurationSeconds"):
        assume(user, arn, duration_seconds=3601)
    with refused("InvalidParameter.RoleSessionName"):
        user.assume_role(m.AssumeRoleRequest(role_arn=arn, role_session_name="a b"))
    with refused("UnsupportedParameter.Emulator"):
        assume(user, arn, policy='{"Version": "1", "Statement": []}')
