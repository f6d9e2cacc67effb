"""Buckets and objects through the plugin."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import alibabacloud_oss_v2 as o
import grpc
import pytest

from emulator.access import AccessKey
from emulator.api.faults import Fault
from emulator.cloud import Cloud
from tests.cloud.plugins import Life, live, running
from tests.cloud.running import Listener
from tests.docker.plugin import CheckFailed, Made, PluginClient, plain

BUCKET = "alicloud:oss/bucket:Bucket"
OBJECT = "alicloud:oss/bucketObject:BucketObject"
NAME = "berth-test"


@pytest.fixture
def plugin(cloud: Cloud, key: AccessKey, server: Listener) -> Iterator[PluginClient]:
    with running(cloud, key, server) as made:
        yield made


def rights(action: str, bucket: str = NAME) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": ["*"],
        "Action": [action],
        "Resource": [f"acs:oss:*:*:{bucket}/*"],
    }
    return json.dumps({"Version": "1", "Statement": [statement]})


def names(oss: o.Client) -> list[str]:
    return [str(one.name) for one in oss.list_buckets(o.ListBucketsRequest()).buckets or []]


def put(oss: o.Client, key: str, body: bytes = b"x") -> None:
    oss.put_object(o.PutObjectRequest(bucket=NAME, key=key, body=body))


CORS = {
    "allowedOrigins": ["https://a.example", "https://b.example"],
    "allowedMethods": ["PUT", "GET"],
    "allowedHeaders": ["authorization"],
    "exposeHeaders": ["etag"],
    "maxAgeSeconds": 60,
}
RULES = [
    {
        "id": "logs",
        "prefix": "log/",
        "enabled": True,
        "expirations": [{"days": 365}],
        "transitions": [{"days": 30, "storageClass": "IA"}, {"days": 90, "storageClass": "Archive"}],
        "tags": {"a": "1", "b": "2"},
    },
    {
        "id": "dated",
        "prefix": "tmp/",
        "enabled": False,
        "expirations": [{"createdBeforeDate": "2030-12-31"}],
        "abortMultipartUploads": [{"days": 7}],
        "noncurrentVersionExpirations": [{"days": 30}],
        "noncurrentVersionTransitions": [{"days": 10, "storageClass": "IA"}],
        "filter": {
            "not": {"prefix": "tmp/keep/", "tag": {"key": "k", "value": "v"}},
            "objectSizeLessThan": 9,
        },
    },
]


def test_a_bucket_lives(plugin: PluginClient, oss: o.Client) -> None:
    oss.put_bucket(o.PutBucketRequest(bucket="where-logs-go"))

    def outside(made: Made) -> dict[str, Any]:
        tags = o.Tagging(tag_set=o.TagSet(tags=[o.Tag(key="by", value="hand")]))
        oss.put_bucket_tags(o.PutBucketTagsRequest(bucket=made.id, tagging=tags))
        oss.delete_bucket_cors(o.DeleteBucketCorsRequest(bucket=made.id))
        return {"tags": {"by": "hand"}, "corsRules": None}

    live(
        plugin,
        Life(
            BUCKET,
            {
                "bucket": NAME,
                "acl": "private",
                "storageClass": "IA",
                "redundancyType": "ZRS",
                "corsRules": [CORS],
                "website": {"indexDocument": "index.html", "errorDocument": "error.html"},
                "logging": {"targetBucket": "where-logs-go", "targetPrefix": "log/"},
                "refererConfig": {"allowEmpty": False, "referers": ["https://a.example"]},
                "lifecycleRules": RULES,
                "policy": rights("oss:GetObject"),
                "serverSideEncryptionRule": {"sseAlgorithm": "KMS", "kmsDataEncryption": "SM4"},
                "transferAcceleration": {"enabled": True},
                "tags": {"a": "1", "b": "2"},
                "resourceGroupId": "rg-mine",
            },
            updated={
                "acl": "public-read",
                "corsRules": [
                    {**CORS, "maxAgeSeconds": 5},
                    {"allowedOrigins": ["*"], "allowedMethods": ["GET"]},
                ],
                "website": {"indexDocument": "start.html"},
                "logging": {"targetBucket": NAME},
                "refererConfig": {"allowEmpty": True, "referers": ["https://b.example", "https://c.example"]},
                "lifecycleRules": RULES[1:],
                "policy": rights("oss:PutObject"),
                "serverSideEncryptionRule": {"sseAlgorithm": "AES256"},
                "transferAcceleration": {"enabled": False},
                "accessMonitor": {"status": "Enabled"},
                "tags": {"b": "3", "c": "4"},
                "resourceGroupId": "rg-other",
                "forceDestroy": True,
            },
            replaced={"bucket": "another-name", "storageClass": "Standard", "redundancyType": "LRS"},
            outside=outside,
            hidden=frozenset({"acl"}),  # deprecated, so that an import leaves it to a resource of its own
            outputs=("creationDate", "extranetEndpoint", "intranetEndpoint", "location", "owner"),
        ),
    )


def test_what_is_taken_away_of_a_bucket_goes(plugin: PluginClient, oss: o.Client) -> None:
    made = plugin.create(
        BUCKET,
        {
            "bucket": NAME,
            "corsRules": [CORS],
            "website": {"indexDocument": "index.html"},
            "logging": {"targetBucket": NAME},
            "refererConfig": {"allowEmpty": False, "referers": ["https://a.example"]},
            "lifecycleRules": RULES,
            "policy": rights("oss:GetObject"),
            "serverSideEncryptionRule": {"sseAlgorithm": "AES256"},
            "tags": {"a": "1"},
        },
    )
    bare = {"bucket": NAME}
    assert set(plugin.diff(made, bare).diffs) == set(made.inputs) - {
        "__defaults", "bucket", "storageClass", "redundancyType", "forceDestroy",
        "lifecycleRuleAllowSameActionOverlap",
    }  # fmt: skip
    made = plugin.update(made, bare)
    fresh = plugin.create(BUCKET, {"bucket": "fresh-one"}, name="fresh")
    unlike = {"bucket", "id", "resourceGroupId"}
    assert {k: v for k, v in plain(made.state).items() if k not in unlike} == {
        k: v for k, v in plain(fresh.state).items() if k not in unlike
    }
    referer = oss.get_bucket_referer(o.GetBucketRefererRequest(bucket=NAME)).referer_configuration
    assert referer.allow_empty_referer and not (referer.referer_list and referer.referer_list.referers)


def test_a_bucket_without_a_name_gets_one(plugin: PluginClient, oss: o.Client) -> None:
    made = plugin.create(BUCKET, {})
    assert made.id.startswith("tf-oss-bucket-") and len(made.id) <= 63
    assert names(oss) == [made.id]
    assert plugin.diff(made, {}).paths == {}
    state = plain(made.state)
    assert (state["acl"], state["storageClass"], state["redundancyType"]) == ("private", "Standard", "LRS")
    plugin.delete(made)
    assert names(oss) == []


def test_a_bucket_is_not_taken_over(plugin: PluginClient, oss: o.Client) -> None:
    """OSS lets an owner create a bucket again; two resources would own one bucket."""
    oss.put_bucket(o.PutBucketRequest(bucket=NAME))
    with pytest.raises(grpc.RpcError, match="there is a bucket 'berth-test' already"):
        plugin.create(BUCKET, {"bucket": NAME})


def test_a_bucket_that_is_not_empty_stays_unless_it_is_forced(plugin: PluginClient, oss: o.Client) -> None:
    made = plugin.create(BUCKET, {"bucket": NAME})
    for i in range(5):
        put(oss, f"folder {i}/ö&<>.txt")
    put(oss, "line\nbreak\x01")
    begun = oss.initiate_multipart_upload(o.InitiateMultipartUploadRequest(bucket=NAME, key="half"))
    assert begun.upload_id
    with pytest.raises(grpc.RpcError, match=r"BucketNotEmpty.*\n.*forceDestroy"):
        plugin.delete(made)
    assert names(oss) == [NAME]
    assert set(plugin.diff(made, {"bucket": NAME, "forceDestroy": True}).paths) == {"forceDestroy"}
    plugin.delete(plugin.update(made, {"bucket": NAME, "forceDestroy": True}))
    assert names(oss) == []


def test_a_setting_that_fails_leaves_the_bucket_known(
    plugin: PluginClient, oss: o.Client, cloud: Cloud
) -> None:
    """The bucket is recorded with what it has, so that the next attempt goes on."""
    wanted = {"bucket": NAME, "logging": {"targetBucket": "nobody-has-this"}, "tags": {"a": "1"}}
    with pytest.raises(grpc.RpcError, match=r"InvalidTargetBucketForLogging.*\n.*run the same command again"):
        plugin.create(BUCKET, wanted)
    assert names(oss) == [NAME]
    half = plugin.import_(BUCKET, NAME)
    assert half is not None
    assert set(plugin.diff(half, wanted).diffs) == {"logging", "tags"}
    oss.put_bucket(o.PutBucketRequest(bucket="nobody-has-this"))
    done = plugin.update(half, wanted)
    assert plugin.diff(done, wanted).paths == {}


def test_a_bucket_that_is_refused_leaves_nothing(plugin: PluginClient, oss: o.Client, cloud: Cloud) -> None:
    with pytest.raises(grpc.RpcError, match="InvalidBucketName"):
        plugin.create(BUCKET, {"bucket": "Not_A_Name"})
    cloud.faults.order(Fault(action="PutBucket", times=1, code="AccessDenied", status=403))
    with pytest.raises(grpc.RpcError, match="AccessDenied"):
        plugin.create(BUCKET, {"bucket": NAME})
    assert names(oss) == []


def test_a_bucket_whose_answer_is_lost_is_made_once(
    plugin: PluginClient, cloud: Cloud, oss: o.Client
) -> None:
    cloud.faults.order(Fault(action="PutBucket", times=1, cut=True))
    made = plugin.create(BUCKET, {"bucket": NAME, "tags": {"a": "1"}})
    assert names(oss) == [made.id] and plain(made.state)["tags"] == {"a": "1"}


def test_rules_get_ids_and_keep_them(plugin: PluginClient, oss: o.Client) -> None:
    def rule(days: int) -> dict[str, Any]:
        return {"bucket": NAME, "lifecycleRules": [{"enabled": True, "expirations": [{"days": days}]}]}

    made = plugin.create(BUCKET, rule(3))
    given = plain(made.state)["lifecycleRules"][0]["id"]
    assert given and plugin.diff(made, rule(3)).paths == {}
    assert list(plugin.diff(made, rule(4)).paths) == ["lifecycleRules[0].expirations[0]"]
    made = plugin.update(made, rule(4))
    assert plain(made.state)["lifecycleRules"][0]["id"] == given


@pytest.mark.parametrize(
    ("inputs", "path", "why"),
    [
        ({"bucket": "ab"}, "bucket", "3 to 63"),
        ({"acl": "open"}, "acl", "private"),
        ({"storageClass": "Cold"}, "storageClass", "Standard"),
        ({"loggingIsenable": True}, "loggingIsenable", "deprecated"),
        ({"versioning": {"status": "On"}}, "versioning.status", "Enabled"),
        ({"serverSideEncryptionRule": {}}, "serverSideEncryptionRule.sseAlgorithm", "required"),
        ({"corsRules": [{"allowedMethods": ["GET"]}]}, "corsRules[0].allowedOrigins", "required"),
        ({"corsRules": [CORS] * 11}, "corsRules", "at most 10"),
        (
            {"lifecycleRules": [{"enabled": True, "expirations": [{"days": 1, "date": "2030-01-01"}]}]},
            "lifecycleRules[0].expirations[0]",
            "one of",
        ),
        (
            {"lifecycleRules": [{"enabled": True, "expirations": [{"days": 1}, {"days": 2}]}]},
            "lifecycleRules[0].expirations",
            "a rule can have one",
        ),
        ({"policy": "{"}, "policy", "is no JSON"),
    ],
)
def test_a_bucket_s_inputs_are_checked(
    plugin: PluginClient, inputs: dict[str, Any], path: str, why: str
) -> None:
    with pytest.raises(CheckFailed) as caught:
        plugin.check(BUCKET, inputs)
    assert list(caught.value.failures) == [path]
    assert why in caught.value.failures[path]


# --- objects


def test_an_object_lives(plugin: PluginClient, oss: o.Client, tmp_path: Path) -> None:
    plugin.create(BUCKET, {"bucket": NAME}, name="bucket")
    file = tmp_path / "page.html"
    file.write_bytes(b"<html/>" * 1000)
    inputs = {
        "bucket": NAME,
        "key": "a folder/ö+&.json",
        "content": '{"a": "ö"}',
        "cacheControl": "no-store",
        "contentDisposition": "attachment",
        "contentEncoding": "identity",
        "expires": "Wed, 02 Jan 2030 15:04:05 GMT",
    }
    made = plugin.create(OBJECT, inputs)
    state = plain(made.state)
    assert made.id == inputs["key"]
    assert {name: state[name] for name in inputs} == inputs
    assert (state["contentType"], state["contentLength"]) == ("application/json", "11")
    assert len(state["etag"]) == 32
    assert plugin.diff(made, inputs).paths == {}

    refreshed = plugin.read(made)
    assert refreshed is not None and plain(refreshed.state) == state

    for name in ("bucket", "key"):
        assert plugin.diff(made, {**inputs, name: "other"}).replaces == [name]

    wanted = {**inputs, "acl": "public-read"}
    assert list(plugin.diff(made, wanted).paths) == ["acl"]
    made = plugin.update(made, wanted)
    told = oss.get_object_acl(o.GetObjectAclRequest(bucket=NAME, key=made.id))
    assert told.acl == "public-read"

    wanted = {**wanted, "source": str(file), "contentType": "text/plain"}
    del wanted["content"]
    made = plugin.update(made, wanted)
    found = oss.get_object(o.GetObjectRequest(bucket=NAME, key=made.id))
    assert found.body.content == file.read_bytes() and found.content_type == "text/plain"
    assert plugin.diff(made, wanted).paths == {}

    oss.put_object(o.PutObjectRequest(bucket=NAME, key=made.id, body=b"", content_type="a/b"))
    drifted = plugin.read(made)
    assert drifted is not None
    assert set(plugin.diff(drifted, wanted).paths) == {
        "contentType", "cacheControl", "contentDisposition", "contentEncoding", "expires"
    }  # fmt: skip
    made = plugin.update(drifted, wanted)
    assert plain(made.state)["contentLength"] == "7000"

    plugin.delete(made)
    assert plugin.read(made) is None
    plugin.delete(made)
    with pytest.raises(grpc.RpcError, match="cannot be imported"):
        plugin.import_(OBJECT, made.id)


def test_an_object_is_of_a_file_that_there_is(plugin: PluginClient, oss: o.Client, tmp_path: Path) -> None:
    plugin.create(BUCKET, {"bucket": NAME}, name="bucket")
    with pytest.raises(grpc.RpcError, match="there is no file"):
        plugin.create(OBJECT, {"bucket": NAME, "key": "k", "source": str(tmp_path / "none")})
    with pytest.raises(CheckFailed, match="one of source, content is required"):
        plugin.check(OBJECT, {"bucket": NAME, "key": "k"})
    with pytest.raises(CheckFailed, match="conflicts with"):
        plugin.check(OBJECT, {"bucket": NAME, "key": "k", "source": "a", "content": "b"})
    with pytest.raises(grpc.RpcError, match="InvalidDigest"):
        plugin.create(
            OBJECT, {"bucket": NAME, "key": "k", "content": "b", "contentMd5": "mB6fzKLlbqmMu0bjOZqOiQ=="}
        )
    with pytest.raises(grpc.RpcError, match="NoSuchBucket"):
        plugin.create(OBJECT, {"bucket": "nowhere-there", "key": "k", "content": "b"})
    assert not oss.list_objects(o.ListObjectsRequest(bucket=NAME)).contents


def test_a_key_of_the_kms_makes_no_difference_without_the_kms(plugin: PluginClient) -> None:
    plugin.create(BUCKET, {"bucket": NAME}, name="bucket")
    inputs = {"bucket": NAME, "key": "k", "content": "x"}
    made = plugin.create(OBJECT, inputs)
    assert plugin.diff(made, {**inputs, "kmsKeyId": "key-1"}).paths == {}
    kms = {**inputs, "kmsKeyId": "key-1", "serverSideEncryption": "KMS"}
    assert set(plugin.diff(made, kms).paths) == {"kmsKeyId", "serverSideEncryption"}
