"""Where the provider's config comes from, and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from offline.alicloud.config import completed, read_config, settings
from offline.alicloud.server import Provider
from offline.provider.resource import ResourceError
from offline.provider.values import Secret

KEYS = {"accessKey": "LTAI-stack", "secretKey": "stack-secret"}


@pytest.mark.parametrize(
    ("given", "path", "reason"),
    [
        ({"regoin": "x"}, "regoin", "there is no such property"),
        ({"region": "cn-moon"}, "region", "skipRegionValidation takes it nevertheless"),
        ({"protocol": "FTP"}, "protocol", "must be one of HTTP, HTTPS"),
        ({"endpoints": '[{"rds": "x"}]'}, "endpoints[0].rds", "no resource that this plugin serves uses it"),
        ({"endpoints": '[{"ecss": "x"}]'}, "endpoints[0].ecss", "there is no such property"),
        ({"assumeRole": "{}"}, "assumeRole.roleArn", "is required"),
        (
            {"assumeRole": '{"roleArn": "r", "sessionExpiration": 60}'},
            "assumeRole.sessionExpiration",
            "must be from 900 to 43200",
        ),
        ({"clientReadTimeout": "soon"}, "clientReadTimeout", "must be a whole number"),
        ({"sourceIp": "1.2.3.4"}, "sourceIp", "official alicloud plugin"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], path: str, reason: str) -> None:
    _, failures = read_config(given)
    assert reason in {one.property: one.reason for one in failures}[path]


@pytest.mark.parametrize(
    ("given", "replaces"),
    [
        ({}, False),
        ({"features": "{}"}, False),
        ({"features": '{"ecsInstance": {"replaceOnImageUpdate": true}}'}, True),
        ({"features": {"ecsInstance": {"replaceOnImageUpdate": "false"}}}, False),
    ],
)
def test_whether_another_image_is_another_instance(given: dict[str, Any], replaces: bool) -> None:
    config, failures = read_config(KEYS | {"region": "cn-hangzhou"} | given)
    assert failures == [] and settings(config).replaces_on_image is replaces


def test_a_region_that_nobody_knows_is_taken_where_that_is_asked_for() -> None:
    config, failures = read_config({"region": "cn-moon", "skipRegionValidation": "true"})
    assert failures == [] and config["skipRegionValidation"] is True


@pytest.mark.parametrize(
    "environ",
    [
        {"ALICLOUD_ACCESS_KEY": "a", "ALICLOUD_SECRET_KEY": "b", "ALICLOUD_REGION": "cn-shanghai"},
        {
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "a",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "b",
            "ALIBABA_CLOUD_REGION": "cn-shanghai",
        },
        {
            "ALICLOUD_ACCESS_KEY": "a",
            "ALIBABACLOUD_ACCESS_KEY_ID": "later",
            "ALIBABACLOUD_ACCESS_KEY_SECRET": "b",
            "ALICLOUD_REGION": "cn-shanghai",
            "ALIBABA_CLOUD_REGION": "later",
        },
    ],
)
def test_the_environment_fills_in_by_the_official_names(environ: dict[str, str]) -> None:
    full = completed({}, environ)
    assert (full["accessKey"], full["secretKey"], full["region"]) == ("a", "b", "cn-shanghai")


def test_the_stack_counts_more_than_the_environment() -> None:
    full = completed({**KEYS, "region": "cn-hangzhou"}, {"ALICLOUD_ACCESS_KEY": "a", "ALICLOUD_REGION": "x"})
    assert (full["accessKey"], full["region"]) == ("LTAI-stack", "cn-hangzhou")


def test_without_a_region_it_is_the_official_one() -> None:
    assert completed(KEYS, {})["region"] == "cn-beijing"


def test_a_region_of_the_environment_is_checked_too() -> None:
    with pytest.raises(ResourceError, match="'moon' is no region"):
        completed(KEYS, {"ALICLOUD_REGION": "moon"})


@pytest.fixture
def profiles(tmp_path: Path) -> dict[str, str]:
    """An environment whose home has profiles of every kind."""
    base = {"access_key_id": "key", "access_key_secret": "secret", "region_id": "cn-chengdu"}
    role = {"ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "s", "expired_seconds": 1200}
    kept = [
        {"name": "plain", "mode": "AK", "sts_token": "old", **base},
        {"name": "token", "mode": "StsToken", "sts_token": "token", **base},
        {"name": "role", "mode": "RamRoleArn", **base, **role},
        {"name": "machine", "mode": "EcsRamRole", "ram_role_name": "box", "region_id": "cn-chengdu"},
        {"name": "web", "mode": "CloudSSO", "region_id": "cn-chengdu"},
    ]
    file = tmp_path / ".aliyun" / "config.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"current": "plain", "profiles": kept}))
    return {"HOME": str(tmp_path)}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", {"accessKey": "key", "secretKey": "secret", "region": "cn-chengdu"}),
        ("token", {"accessKey": "key", "securityToken": "token"}),
        (
            "role",
            {"assumeRole": {"roleArn": "acs:ram::1:role/r", "sessionName": "s", "sessionExpiration": 1200}},
        ),
        ("machine", {"ecsRoleName": "box", "region": "cn-chengdu"}),
    ],
)
def test_a_profile_gives_what_its_mode_says(
    profiles: dict[str, str], name: str, expected: dict[str, Any]
) -> None:
    full = completed({"profile": name}, profiles)
    assert {key: full.get(key) for key in expected} == expected
    assert ("securityToken" in full) == (name == "token")


def test_a_profile_by_another_file_and_by_the_environment(profiles: dict[str, str], tmp_path: Path) -> None:
    moved = (tmp_path / ".aliyun" / "config.json").rename(tmp_path / "mine.json")
    environ = profiles | {"ALICLOUD_PROFILE": "plain", "ALICLOUD_SHARED_CREDENTIALS_FILE": "~/mine.json"}
    assert moved.exists() and completed({}, environ)["accessKey"] == "key"
    assert completed({**KEYS}, environ)["accessKey"] == "LTAI-stack"


@pytest.mark.parametrize(
    ("name", "said"),
    [("web", "mode CloudSSO, which this plugin does not serve"), ("none", "has no profile 'none'")],
)
def test_a_profile_that_is_of_no_use_is_told(profiles: dict[str, str], name: str, said: str) -> None:
    with pytest.raises(ResourceError, match=said):
        completed({"profile": name}, profiles)


def test_an_expiration_of_the_environment_is_a_number() -> None:
    environ = {"ALICLOUD_ASSUME_ROLE_SESSION_EXPIRATION": "1800"}
    full = completed({**KEYS, "assumeRole": {"roleArn": "r"}}, environ)
    assert full["assumeRole"] == {"roleArn": "r", "sessionExpiration": 1800}


def test_endpoints_lose_what_the_sdk_adds() -> None:
    config, failures = read_config(
        {
            "endpoints": '[{"ecs": "http://127.0.0.1:8080/", "vpc": "vpc.example.com"}]',
            "protocol": "HTTP",
            "maxRetryTimeout": "30",
        }
    )
    assert failures == []
    reached = settings(completed({**config, **KEYS}, {}))
    assert reached.endpoints == {"ecs": "127.0.0.1:8080", "vpc": "vpc.example.com"}
    assert (reached.protocol, reached.limit) == ("HTTP", 30)


def test_secrets_of_every_origin_stay_out_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALICLOUD_SECRET_KEY", "from-the-environment")
    monkeypatch.setenv("ALICLOUD_SECURITY_TOKEN", "token-of-the-environment")
    provider = Provider()
    provider.connect({"accessKey": "a", "region": "cn-hangzhou"})
    assert {"from-the-environment", "token-of-the-environment"} <= provider.secrets
    provider.connect({**KEYS, "secretKey": Secret("x").value})


def test_without_credentials_the_ways_to_give_them_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALICLOUD_ACCESS_KEY", "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABACLOUD_ACCESS_KEY_ID"):
        monkeypatch.delenv(name, raising=False)
    provider = Provider()
    provider.connect({"region": "cn-hangzhou"})  # a preview needs none
    with pytest.raises(ResourceError, match="set alicloud:accessKey and alicloud:secretKey"):
        _ = provider.engine.credential


def test_a_file_of_profiles_that_is_not_there_is_named(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    given = {"profile": "berth-cloud", "sharedCredentialsFile": "~/cloud/credentials.json"}
    with pytest.raises(ResourceError) as failed:
        completed(given, environ)
    assert f"there is no file {tmp_path}/cloud/credentials.json" in str(failed.value)
    assert "aliyun configure --profile berth-cloud" in str(failed.value)
    assert completed(KEYS | given, environ)["accessKey"] == "LTAI-stack", "it is not needed then"
