"""What a bucket is set to."""

from __future__ import annotations

import json
from typing import Any

import alibabacloud_oss_v2 as o
import oss2
import pytest

from emulator.access import AccessKey
from emulator.cloud import Cloud
from tests.cloud.conftest import REGION, Refused
from tests.cloud.oss_objects import B, get, put
from tests.cloud.running import Listener


@pytest.fixture
def bucket(oss: o.Client) -> str:
    oss.put_bucket(o.PutBucketRequest(bucket=B))
    return B


def plain(one: Any) -> Any:
    """A model of the SDK as dictionaries and lists."""
    if isinstance(one, list):
        return [plain(part) for part in one]
    if hasattr(one, "_attribute_map"):
        return {name: plain(getattr(one, name)) for name in one._attribute_map}
    return one


SETTINGS = {
    "lifecycle": (
        o.LifecycleConfiguration(
            rules=[
                o.LifecycleRule(
                    id="r", prefix="log/", status="Enabled", expiration=o.LifecycleRuleExpiration(days=3)
                )
            ]
        ),
        "lifecycle_configuration",
        "NoSuchLifecycle",
    ),
    "cors": (
        o.CORSConfiguration(
            cors_rules=[o.CORSRule(allowed_origins=["*"], allowed_methods=["GET"], max_age_seconds=5)]
        ),
        "cors_configuration",
        "NoSuchCORSConfiguration",
    ),
    "website": (
        o.WebsiteConfiguration(index_document=o.IndexDocument(suffix="index.html")),
        "website_configuration",
        "NoSuchWebsiteConfiguration",
    ),
    "encryption": (
        o.ServerSideEncryptionRule(
            apply_server_side_encryption_by_default=o.ApplyServerSideEncryptionByDefault(
                sse_algorithm="AES256"
            )
        ),
        "server_side_encryption_rule",
        "NoSuchServerSideEncryptionRule",
    ),
}


def requests_of(name: str) -> Any:
    stem = {"cors": "Cors"}.get(name, name.title())
    return [getattr(o, f"{verb}Bucket{stem}Request") for verb in ("Put", "Get", "Delete")]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_kept_answered_and_removed(
    oss: o.Client, bucket: str, refused: Refused, name: str
) -> None:
    given, field, missing = SETTINGS[name]
    put_, get_, delete_ = requests_of(name)
    with refused(missing, 404):
        getattr(oss, f"get_bucket_{name}")(get_(bucket=B))
    getattr(oss, f"put_bucket_{name}")(put_(bucket=B, **{field: given}))
    back = getattr(getattr(oss, f"get_bucket_{name}")(get_(bucket=B)), field)
    assert _holds(plain(back), plain(given))
    getattr(oss, f"delete_bucket_{name}")(delete_(bucket=B))
    with refused(missing, 404):
        getattr(oss, f"get_bucket_{name}")(get_(bucket=B))


def _holds(back: Any, given: Any) -> bool:
    """Whether all that was given is in what came back."""
    if isinstance(given, dict):
        return all(_holds((back or {}).get(name), one) for name, one in given.items() if one is not None)
    if isinstance(given, list):
        return len(given) == len(back) and all(map(_holds, back, given))
    return bool(back == given)


def test_an_encrypted_bucket_s_objects_say_so(oss: o.Client, bucket: str) -> None:
    rule = SETTINGS["encryption"][0]
    oss.put_bucket_encryption(o.PutBucketEncryptionRequest(bucket=B, server_side_encryption_rule=rule))
    put(oss)
    assert get(oss).headers["x-oss-server-side-encryption"] == "AES256"
    info = oss.get_bucket_info(o.GetBucketInfoRequest(bucket=B)).bucket_info
    assert info.sse_rule.sse_algorithm == "AES256"


def test_a_policy_is_of_its_bucket(oss: o.Client, bucket: str, cloud: Cloud, refused: Refused) -> None:
    def policy(name: str) -> Any:
        statement = {
            "Effect": "Allow", "Principal": ["*"], "Action": ["oss:GetObject"],
            "Resource": [f"acs:oss:*:{cloud.account}:{name}/*"],
        }  # fmt: skip
        return json.dumps({"Version": "1", "Statement": [statement]})

    with refused("NoSuchBucketPolicy", 404):
        oss.get_bucket_policy(o.GetBucketPolicyRequest(bucket=B))
    with refused("InvalidPolicyDocument"):
        oss.put_bucket_policy(o.PutBucketPolicyRequest(bucket=B, body=policy("another")))
    oss.put_bucket_policy(o.PutBucketPolicyRequest(bucket=B, body=policy(B)))
    assert json.loads(oss.get_bucket_policy(o.GetBucketPolicyRequest(bucket=B)).body) == json.loads(policy(B))
    oss.delete_bucket_policy(o.DeleteBucketPolicyRequest(bucket=B))
    with refused("NoSuchBucketPolicy", 404):
        oss.get_bucket_policy(o.GetBucketPolicyRequest(bucket=B))


def test_settings_that_are_always_there(oss: o.Client, bucket: str, refused: Refused) -> None:
    assert oss.get_bucket_logging(o.GetBucketLoggingRequest(bucket=B)).bucket_logging_status is not None
    referer = oss.get_bucket_referer(o.GetBucketRefererRequest(bucket=B)).referer_configuration
    assert referer.allow_empty_referer
    payment = oss.get_bucket_request_payment(o.GetBucketRequestPaymentRequest(bucket=B))
    assert payment.request_payment_configuration.payer == "BucketOwner"
    monitor = oss.get_bucket_access_monitor(o.GetBucketAccessMonitorRequest(bucket=B))
    assert monitor.access_monitor_configuration.status == "Disabled"
    group = oss.get_bucket_resource_group(o.GetBucketResourceGroupRequest(bucket=B))
    assert group.bucket_resource_group_configuration.resource_group_id == "rg-default"
    tags = oss.get_bucket_tags(o.GetBucketTagsRequest(bucket=B))
    assert not tags.tagging.tag_set.tags
    with refused("NoSuchTransferAccelerationConfiguration", 404):
        oss.get_bucket_transfer_acceleration(o.GetBucketTransferAccelerationRequest(bucket=B))
    assert not oss.get_bucket_versioning(o.GetBucketVersioningRequest(bucket=B)).version_status


def test_tags_of_buckets_find_them(oss: o.Client, bucket: str) -> None:
    oss.put_bucket(o.PutBucketRequest(bucket="another"))
    tags = o.Tagging(tag_set=o.TagSet(tags=[o.Tag(key="stage", value="prod")]))
    oss.put_bucket_tags(o.PutBucketTagsRequest(bucket=B, tagging=tags))
    found = oss.list_buckets(o.ListBucketsRequest(tag_key="stage")).buckets
    assert [one.name for one in found] == [B]


def test_settings_that_are_malformed(oss: o.Client, bucket: str, refused: Refused) -> None:
    with refused("MalformedXML"):
        oss.put_bucket_lifecycle(
            o.PutBucketLifecycleRequest(
                bucket=B,
                lifecycle_configuration=o.LifecycleConfiguration(
                    rules=[o.LifecycleRule(prefix="x", status="Perhaps")]
                ),
            )
        )
    with refused("InvalidTargetBucketForLogging"):
        oss.put_bucket_logging(
            o.PutBucketLoggingRequest(
                bucket=B,
                bucket_logging_status=o.BucketLoggingStatus(
                    logging_enabled=o.LoggingEnabled(target_bucket="nobody-s")
                ),
            )
        )


def test_a_bucket_may_be_encrypted_from_the_start(oss: o.Client, server: Listener, key: AccessKey) -> None:
    """By headers, as the official provider asks for it."""
    mine = oss2.Bucket(oss2.AuthV4(key.id, key.secret), server.url, B, region=REGION, is_path_style=True)
    with pytest.raises(oss2.exceptions.OssError) as caught:
        mine.create_bucket(headers={"x-oss-server-side-encryption": "ROT13"})
    assert caught.value.code == "MalformedXML"
    assert not oss.is_bucket_exist(B)
    mine.create_bucket(
        headers={"x-oss-server-side-encryption": "KMS", "x-oss-server-side-data-encryption": "SM4"}
    )
    back = oss.get_bucket_encryption(o.GetBucketEncryptionRequest(bucket=B)).server_side_encryption_rule
    rule = back.apply_server_side_encryption_by_default
    assert (rule.sse_algorithm, rule.kms_data_encryption) == ("KMS", "SM4")


def website(inner: str) -> str:
    return f"<WebsiteConfiguration>{inner}</WebsiteConfiguration>"


def test_what_a_website_cannot_do_here_is_named(
    oss: o.Client, bucket: str, server: Listener, key: AccessKey
) -> None:
    mine = oss2.Bucket(oss2.AuthV4(key.id, key.secret), server.url, B, region=REGION, is_path_style=True)
    with pytest.raises(oss2.exceptions.ServerError, match="RoutingRules") as caught:
        mine.put_bucket_website(website("<RoutingRules><RoutingRule/></RoutingRules>"))
    assert (caught.value.code, caught.value.status) == ("NotImplemented", 501)
    mine.put_bucket_website(website("<RoutingRules/><IndexDocument><Suffix>i.html</Suffix></IndexDocument>"))
    assert mine.get_bucket_website().index_file == "i.html"
