"""A bucket's settings through the plugin, each a resource."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import alibabacloud_oss_v2 as o
import grpc
import pytest

from emulator.access import AccessKey
from emulator.api.faults import Fault
from emulator.cloud import Cloud
from tests.cloud.plugins import Life, live, running
from tests.cloud.running import Listener
from tests.cloud.test_plugin_buckets import BUCKET, CORS, NAME, rights
from tests.docker.plugin import CheckFailed, Made, PluginClient, plain

Outside = Callable[[o.Client], Mapping[str, Any]]


def token(name: str) -> str:
    return f"alicloud:oss/bucket{name}:Bucket{name}"


@pytest.fixture
def plugin(cloud: Cloud, key: AccessKey, server: Listener) -> Iterator[PluginClient]:
    with running(cloud, key, server) as made:
        made.create(BUCKET, {"bucket": NAME}, name="bucket")
        made.create(BUCKET, {"bucket": "berth-logs"}, name="logs")
        yield made


def acl(oss: o.Client) -> Mapping[str, Any]:
    oss.put_bucket_acl(o.PutBucketAclRequest(bucket=NAME, acl="public-read-write"))
    return {"acl": "public-read-write"}


def encryption(oss: o.Client) -> Mapping[str, Any]:
    default = o.ApplyServerSideEncryptionByDefault(sse_algorithm="SM4")
    rule = o.ServerSideEncryptionRule(apply_server_side_encryption_by_default=default)
    oss.put_bucket_encryption(o.PutBucketEncryptionRequest(bucket=NAME, server_side_encryption_rule=rule))
    return {"sseAlgorithm": "SM4"}


def cors(oss: o.Client) -> Mapping[str, Any]:
    rule = o.CORSRule(allowed_origins=["*"], allowed_methods=["HEAD"])
    config = o.CORSConfiguration(cors_rules=[rule], response_vary=True)
    oss.put_bucket_cors(o.PutBucketCorsRequest(bucket=NAME, cors_configuration=config))
    return {"corsRules": [{"allowedOrigins": ["*"], "allowedMethods": ["HEAD"]}]}


def https(oss: o.Client) -> Mapping[str, Any]:
    suite = o.CipherSuite(enable=True, strong_cipher_suite=True)
    config = o.HttpsConfiguration(tls=o.TLS(enable=True, tls_versions=["TLSv1.3"]), cipher_suite=suite)
    oss.put_bucket_https_config(o.PutBucketHttpsConfigRequest(bucket=NAME, https_configuration=config))
    suite = {"enable": True, "strongCipherSuite": True}
    return {"enable": True, "tlsVersions": ["TLSv1.3"], "cipherSuit": suite}


def policy(oss: o.Client) -> Mapping[str, Any]:
    oss.put_bucket_policy(o.PutBucketPolicyRequest(bucket=NAME, body=rights("oss:ListObjects")))
    return {"policy": rights("oss:ListObjects")}


def block(oss: o.Client) -> Mapping[str, Any]:
    config = o.PublicAccessBlockConfiguration(block_public_access=True)
    oss.put_bucket_public_access_block(
        o.PutBucketPublicAccessBlockRequest(bucket=NAME, public_access_block_configuration=config)
    )
    return {"blockPublicAccess": True}


def logging(oss: o.Client) -> Mapping[str, Any]:
    enabled = o.LoggingEnabled(target_bucket="berth-logs", target_prefix="by-hand/")
    status = o.BucketLoggingStatus(logging_enabled=enabled)
    oss.put_bucket_logging(o.PutBucketLoggingRequest(bucket=NAME, bucket_logging_status=status))
    return {"targetBucket": "berth-logs", "targetPrefix": "by-hand/"}


def referer(oss: o.Client) -> Mapping[str, Any]:
    config = o.RefererConfiguration(
        allow_empty_referer=True,
        allow_truncate_query_string=True,
        truncate_path=True,
        referer_list=o.RefererList(referers=["https://x.example"]),
    )
    oss.put_bucket_referer(o.PutBucketRefererRequest(bucket=NAME, referer_configuration=config))
    return {"refererLists": ["https://x.example"]}


def website(oss: o.Client) -> Mapping[str, Any]:
    config = o.WebsiteConfiguration(index_document=o.IndexDocument(suffix="other.html"))
    oss.put_bucket_website(o.PutBucketWebsiteRequest(bucket=NAME, website_configuration=config))
    return {"indexDocument": {"suffix": "other.html"}}


LIVES: dict[str, tuple[dict[str, Any], dict[str, Any], Outside, bool]] = {
    "Acl": ({"acl": "private"}, {"acl": "public-read"}, acl, True),
    "ServerSideEncryption": (
        {"sseAlgorithm": "KMS", "kmsDataEncryption": "SM4", "kmsMasterKeyId": "key-1"},
        {"sseAlgorithm": "AES256", "kmsDataEncryption": None, "kmsMasterKeyId": None},
        encryption,
        False,
    ),
    "Cors": (
        {"corsRules": [CORS], "responseVary": True},
        {"corsRules": [{**CORS, "maxAgeSeconds": 5}, {"allowedOrigins": ["*"], "allowedMethods": ["GET"]}]},
        cors,
        False,
    ),
    "HttpsConfig": (
        {
            "enable": True,
            "tlsVersions": ["TLSv1.2"],
            "cipherSuit": {"enable": True, "strongCipherSuite": True},
        },
        {"enable": False, "tlsVersions": None, "cipherSuit": {"enable": False}},
        https,
        True,
    ),
    "Policy": ({"policy": rights("oss:GetObject")}, {"policy": rights("oss:PutObject")}, policy, False),
    "PublicAccessBlock": ({"blockPublicAccess": True}, {"blockPublicAccess": False}, block, True),
    "Logging": (
        {"targetBucket": NAME, "targetPrefix": "log/", "loggingRole": "writer"},
        {"targetBucket": NAME, "targetPrefix": "more/", "loggingRole": None},
        logging,
        False,
    ),
    "Referer": (
        {
            "allowEmptyReferer": True,
            "allowTruncateQueryString": True,
            "truncatePath": True,
            "refererLists": ["https://a.example", "https://b.example"],
            "refererBlacklists": ["https://c.example"],
        },
        {"refererLists": ["https://d.example"], "refererBlacklists": None},
        referer,
        True,
    ),
    "Website": (
        {
            "indexDocument": {"suffix": "index.html", "supportSubDir": True, "type": "1"},
            "errorDocument": {"key": "error.html", "httpStatus": 404},
        },
        {"indexDocument": {"suffix": "start.html"}, "errorDocument": None},
        website,
        False,
    ),
}


@pytest.mark.parametrize("name", LIVES)
def test_a_setting_lives(plugin: PluginClient, oss: o.Client, name: str) -> None:
    inputs, updated, outside, stays = LIVES[name]

    def changed(made: Made) -> Mapping[str, Any]:
        assert made.id == NAME
        before = plain(made.state)
        return {key: value for key, value in outside(oss).items() if before.get(key) != value}

    live(
        plugin,
        Life(
            token(name),
            {"bucket": NAME, **inputs},
            updated=updated,
            replaced={"bucket": "another-name"},
            outside=changed,
            stays=stays,
        ),
    )


@pytest.mark.parametrize("name", LIVES)
def test_a_setting_ends_with_its_bucket(plugin: PluginClient, oss: o.Client, name: str) -> None:
    made = plugin.create(token(name), {"bucket": NAME, **LIVES[name][0]})
    oss.delete_bucket(o.DeleteBucketRequest(bucket=NAME))
    assert plugin.read(made) is None
    plugin.delete(made)


@pytest.mark.parametrize("name", LIVES)
def test_a_setting_of_no_bucket_leaves_nothing(plugin: PluginClient, oss: o.Client, name: str) -> None:
    with pytest.raises(grpc.RpcError, match="NoSuchBucket"):
        plugin.create(token(name), {"bucket": "nowhere-there", **LIVES[name][0]})
    assert plugin.import_(token(name), "nowhere-there") is None


@pytest.mark.parametrize("name", LIVES)
def test_a_setting_whose_answer_is_lost_is_put_again(plugin: PluginClient, cloud: Cloud, name: str) -> None:
    action = {"ServerSideEncryption": "Encryption"}.get(name, name)
    cloud.faults.order(Fault(action=f"PutBucket{action}", times=1, cut=True))
    wanted = {"bucket": NAME, **LIVES[name][0]}
    made = plugin.create(token(name), wanted)
    assert plugin.diff(made, wanted).paths == {}


def test_what_no_resource_can_take_away_stays(plugin: PluginClient, oss: o.Client) -> None:
    """As with the official provider: neither the ACL nor TLS can be unset."""
    plugin.delete(plugin.create(token("Acl"), {"bucket": NAME, "acl": "public-read"}))
    assert oss.get_bucket_acl(o.GetBucketAclRequest(bucket=NAME)).acl == "public-read"
    tls = {"bucket": NAME, "enable": True, "tlsVersions": ["TLSv1.3"]}
    plugin.delete(plugin.create(token("HttpsConfig"), tls))
    config = oss.get_bucket_https_config(o.GetBucketHttpsConfigRequest(bucket=NAME)).https_configuration
    assert config.tls.enable and config.tls.tls_versions == ["TLSv1.3"]


def test_what_is_taken_away_is_as_it_was(plugin: PluginClient, oss: o.Client) -> None:
    plugin.delete(plugin.create(token("PublicAccessBlock"), {"bucket": NAME, "blockPublicAccess": True}))
    told = oss.get_bucket_public_access_block(o.GetBucketPublicAccessBlockRequest(bucket=NAME))
    assert told.public_access_block_configuration.block_public_access is False
    referers = {"bucket": NAME, "allowEmptyReferer": False, "refererLists": ["https://a.example"]}
    plugin.delete(plugin.create(token("Referer"), referers))
    known = oss.get_bucket_referer(o.GetBucketRefererRequest(bucket=NAME)).referer_configuration
    assert not (known.referer_list and known.referer_list.referers)


def test_what_is_left_to_the_service_is_put_back(plugin: PluginClient) -> None:
    """The whole of a setting is put: what a program says nothing of stays as it is."""
    inputs = {"bucket": NAME, "corsRules": [CORS], "responseVary": True}
    made = plugin.create(token("Cors"), inputs)
    fewer = {"bucket": NAME, "corsRules": [{**CORS, "maxAgeSeconds": 1}]}
    assert plain(plugin.update(made, fewer).state)["responseVary"] is True
    again = plugin.create(token("Cors"), {"bucket": "berth-logs", "corsRules": [CORS]})
    assert plain(again.state)["responseVary"] is False


def test_sets_have_no_order(plugin: PluginClient) -> None:
    made = plugin.create(token("Cors"), {"bucket": NAME, "corsRules": [CORS]})
    turned = {**CORS, "allowedOrigins": CORS["allowedOrigins"][::-1], "allowedMethods": ["GET", "PUT"]}
    assert plugin.diff(made, {"bucket": NAME, "corsRules": [turned]}).paths == {}


def test_a_policy_is_the_same_however_it_is_written(plugin: PluginClient) -> None:
    made = plugin.create(token("Policy"), {"bucket": NAME, "policy": rights("oss:GetObject")})
    wide = json.dumps(json.loads(rights("oss:GetObject")), indent=2, sort_keys=True)
    assert plugin.diff(made, {"bucket": NAME, "policy": wide}).paths == {}


def test_rules_of_routing_are_refused(plugin: PluginClient) -> None:
    with pytest.raises(CheckFailed, match="rules of routing are not served"):
        plugin.check(token("Website"), {"bucket": NAME, "routingRules": {"routingRules": []}})
