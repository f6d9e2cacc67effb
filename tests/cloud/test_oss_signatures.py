"""OSS's signatures: made by both official SDKs, and by hand where no SDK would make them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import alibabacloud_oss_v2 as o
import httpx
import oss2
import pytest

from emulator.access import AccessKey
from emulator.cloud import Cloud
from tests.cloud.conftest import Refused
from tests.cloud.running import Clock, Listener

B = "some-bucket"
KEY = "a folder/ü+?&=%41.txt"


def client(key: AccessKey, server: Listener, version: str, secret: str | None = None) -> Any:
    config = o.config.load_default()
    config.credentials_provider = o.credentials.StaticCredentialsProvider(key.id, secret or key.secret)
    config.region, config.endpoint, config.use_path_style = "cn-hangzhou", server.url, True
    config.signature_version, config.retry_max_attempts = version, 1
    return o.Client(config)


@pytest.fixture
def bucket(oss: o.Client) -> str:
    oss.put_bucket(o.PutBucketRequest(bucket=B))
    oss.put_object(o.PutObjectRequest(bucket=B, key=KEY, body=b"hello"))
    return B


def said(answer: httpx.Response) -> dict[str, str | None]:
    """The error's elements."""
    assert answer.headers["content-type"] == "application/xml"
    return {one.tag: one.text for one in ElementTree.fromstring(answer.text)}


def signed_1(key: Any, method: str, place: str, headers: dict[str, str]) -> dict[str, str]:
    """Headers with signature version 1. place: /bucket/key, with the signed part of the query."""
    own = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-oss-"))
    text = f"{method}\n\n{headers.get('content-type', '')}\n{headers['date']}\n{own}{place}"
    digest = hmac.new(key.secret.encode(), text.encode(), hashlib.sha1).digest()
    return headers | {"authorization": f"OSS {key.id}:{base64.b64encode(digest).decode()}"}


def http_date(time: datetime) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT")


# --- what the SDKs sign


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_the_sdk_signs_headers_and_addresses(
    bucket: str, key: AccessKey, server: Listener, version: str
) -> None:
    mine = client(key, server, version)
    made = mine.put_object(
        o.PutObjectRequest(
            bucket=B, key=KEY, body=b"again", metadata={"a": "b"}, content_type="text/plain", tagging="x=y"
        )
    )
    assert made.status_code == 200
    assert mine.get_object_tagging(o.GetObjectTaggingRequest(bucket=B, key=KEY)).tag_set.tags
    assert mine.list_objects_v2(o.ListObjectsV2Request(bucket=B, prefix="a folder/ü")).contents
    asked = mine.presign(o.GetObjectRequest(bucket=B, key=KEY), expires=timedelta(seconds=60))
    assert httpx.get(asked.url).text == "again"
    upload = mine.presign(o.PutObjectRequest(bucket=B, key="up", content_type="text/plain"))
    assert httpx.put(upload.url, content=b"x", headers=upload.signed_headers).status_code == 200
    assert httpx.put(upload.url, content=b"x", headers={"content-type": "text/html"}).status_code == 403


@pytest.mark.parametrize("kind", [oss2.Auth, oss2.AuthV4], ids=["v1", "v4"])
def test_the_old_sdk_signs_too(bucket: str, key: AccessKey, server: Listener, kind: Any) -> None:
    mine = oss2.Bucket(kind(key.id, key.secret), server.url, B, region="cn-hangzhou", is_path_style=True)
    mine.put_object(KEY, b"more", headers={"x-oss-meta-who": "me", "Content-Type": "text/plain"})
    assert mine.get_object(KEY).read() == b"more"
    assert mine.head_object(KEY).headers["x-oss-meta-who"] == "me"
    assert [one.key for one in oss2.ObjectIterator(mine, prefix="a folder/")] == [KEY]
    assert mine.get_bucket_info().acl.grant == "private"
    assert [
        one.name for one in oss2.BucketIterator(oss2.Service(mine.auth, server.url, region="cn-hangzhou"))
    ] == [B]
    assert httpx.get(mine.sign_url("GET", KEY, 60, slash_safe=True)).text == "more"
    upload = mine.init_multipart_upload("parts").upload_id
    part = mine.upload_part("parts", upload, 1, b"data")
    mine.complete_multipart_upload("parts", upload, [oss2.models.PartInfo(1, part.etag)])
    assert mine.get_object("parts").read() == b"data"
    mine.put_bucket_lifecycle(
        oss2.models.BucketLifecycle(
            [oss2.models.LifecycleRule("r", "log/", expiration=oss2.models.LifecycleExpiration(days=2))]
        )
    )
    assert mine.get_bucket_lifecycle().rules[0].expiration.days == 2
    mine.batch_delete_objects(["parts", KEY])
    with pytest.raises(oss2.exceptions.NoSuchKey):
        mine.get_object(KEY)


def test_a_bucket_in_the_host_s_name(bucket: str, key: AccessKey, server: Listener, cloud: Cloud) -> None:
    """As everywhere but on loopback; the region may stand there, too."""
    for host in (
        f"{B}.localhost:1",
        f"{B}.oss-cn-hangzhou.localhost",
        f"{B}.oss-cn-hangzhou-internal.aliyuncs.com",
    ):
        headers = signed_1(key, "GET", f"/{B}/?acl", {"date": http_date(cloud.now()), "host": host})
        answer = httpx.get(f"{server.url}/?acl", headers=headers)
        assert answer.status_code == 200, answer.text
        assert "<Grant>private</Grant>" in answer.text
    host = f"{B}.oss-cn-beijing.aliyuncs.com"
    headers = signed_1(key, "GET", f"/{B}/?acl", {"date": http_date(cloud.now()), "host": host})
    error = said(httpx.get(f"{server.url}/?acl", headers=headers))
    assert (error["Code"], error["Endpoint"]) == ("AccessDenied", "oss-cn-hangzhou.aliyuncs.com")


# --- what is wrong


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_a_wrong_secret(
    bucket: str, key: AccessKey, server: Listener, refused: Refused, version: str
) -> None:
    with refused("SignatureDoesNotMatch", 403):
        client(key, server, version, secret="wrong").list_buckets(o.ListBucketsRequest())
    with refused("SignatureDoesNotMatch", 403):
        client(key, server, version, secret="wrong").head_object(o.HeadObjectRequest(bucket=B, key=KEY))


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_an_address_is_good_for_what_was_signed(
    bucket: str, key: AccessKey, server: Listener, version: str
) -> None:
    url = client(key, server, version).presign(o.GetObjectRequest(bucket=B, key=KEY)).url
    assert httpx.put(url, content=b"x").status_code == 403
    error = said(httpx.get(url.replace(B, "other-bucket")))
    assert error["Code"] == "SignatureDoesNotMatch"
    assert error["RequestId"]
    assert error["HostId"] == f"127.0.0.1:{server.port}"
    assert error["StringToSign"]
    assert said(httpx.get(f"{url}&acl"))["Code"] == "SignatureDoesNotMatch"


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_an_address_expires(
    bucket: str, key: AccessKey, server: Listener, clock: Clock, version: str
) -> None:
    url = (
        client(key, server, version)
        .presign(o.GetObjectRequest(bucket=B, key=KEY), expires=timedelta(seconds=60))
        .url
    )
    clock.later(55)
    assert httpx.get(url).text == "hello"
    clock.later(10)
    error = said(httpx.get(url))
    assert (error["Code"], error["Message"]) == ("AccessDenied", "Request has expired.")


def test_a_time_without_end(bucket: str, server: Listener) -> None:
    long = "9" * 5000
    url = f"http://127.0.0.1:{server.port}/{B}/{KEY}"
    error = said(httpx.get(f"{url}?OSSAccessKeyId=a&Signature=b&Expires={long}"))
    assert error["Code"] == "AccessDenied"
    signed = "x-oss-signature-version=OSS4-HMAC-SHA256&x-oss-credential=a&x-oss-signature=b"
    error = said(httpx.get(f"{url}?{signed}&x-oss-date=20250101T000000Z&x-oss-expires={long}"))
    assert error["Code"] == "InvalidArgument"


def test_a_mistake_of_the_emulator_is_an_answer(
    bucket: str, server: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emulator.services.oss.http._place", lambda *_: 1 / 0)
    answer = httpx.get(f"http://127.0.0.1:{server.port}/{B}/{KEY}")
    assert (answer.status_code, said(answer)["Code"]) == (500, "InternalError")


@pytest.mark.parametrize("version", ["v1", "v4"])
@pytest.mark.parametrize("seconds", [-1000, 1000])
def test_a_time_that_is_too_far_away(
    bucket: str, key: AccessKey, server: Listener, clock: Clock, refused: Refused, version: str, seconds: int
) -> None:
    clock.later(seconds)
    with refused("RequestTimeTooSkewed", 403):
        client(key, server, version).get_bucket_acl(o.GetBucketAclRequest(bucket=B))


@pytest.mark.parametrize("version", ["v1", "v4"])
def test_a_key_that_is_not_there_or_off(
    bucket: str, cloud: Cloud, key: AccessKey, server: Listener, refused: Refused, version: str
) -> None:
    nobody = AccessKey(id="LTAInobody", region="", secret="x", principal="")
    with refused("InvalidAccessKeyId", 403):
        client(nobody, server, version).list_buckets(o.ListBucketsRequest())
    cloud.store.put(key.but(status="Inactive"))
    with refused("InvalidAccessKeyId", 403):
        client(key, server, version).list_buckets(o.ListBucketsRequest())


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"authorization": "OSS nocolon"}, "InvalidArgument"),
        ({"authorization": "Basic eA=="}, "InvalidArgument"),
        ({"authorization": "OSS2 a:b"}, "NotImplemented"),
        ({"authorization": "OSS a:b"}, "AccessDenied"),  # without a date
        ({"authorization": "OSS4-HMAC-SHA256 Credential=a"}, "InvalidArgument"),
        (
            {
                "authorization": "OSS4-HMAC-SHA256 Credential=a/b/c,Signature=x",
                "x-oss-content-sha256": "UNSIGNED-PAYLOAD",
                "x-oss-date": "NOW",
            },
            "InvalidArgument",
        ),
        ({}, "AccessDenied"),
    ],
)
def test_authorizations_of_no_form(
    bucket: str, server: Listener, cloud: Cloud, headers: dict[str, str], code: str
) -> None:
    stamp = cloud.now().strftime("%Y%m%dT%H%M%SZ")
    headers = {name: text.replace("NOW", stamp) for name, text in headers.items()}
    assert said(httpx.get(f"{server.url}/{B}/?acl", headers=headers))["Code"] == code


def test_the_region_is_signed(bucket: str, key: AccessKey, server: Listener) -> None:
    """Who changes it in the address changes what was signed."""
    url = client(key, server, "v4").presign(o.GetObjectRequest(bucket=B, key=KEY)).url
    assert said(httpx.get(url.replace("cn-hangzhou", "cn-beijing")))["Code"] == "SignatureDoesNotMatch"


def test_a_token_is_checked(
    bucket: str, cloud: Cloud, key: AccessKey, server: Listener, clock: Clock
) -> None:
    from emulator.access import Session

    session = cloud.store.put(
        Session(
            id="STS.x", region="", secret="secret", token="token", role="r", role_id="3", name="n",
            expires=cloud.now() + timedelta(seconds=60),
        )
    )  # fmt: skip

    def ask(token: str) -> Any:
        headers = {"date": http_date(clock()), "x-oss-security-token": token}
        return httpx.get(f"{server.url}/{B}/?acl", headers=signed_1(session, "GET", f"/{B}/?acl", headers))

    assert ask("token").status_code == 200
    assert said(ask("other"))["Code"] == "InvalidSecurityToken"
    clock.later(61)
    assert said(ask("token"))["Code"] == "SecurityTokenExpired"


def test_a_document_with_entities_is_refused(
    bucket: str, key: AccessKey, server: Listener, cloud: Cloud
) -> None:
    body = '<!DOCTYPE a [<!ENTITY x "y">]><Tagging><TagSet/></Tagging>'
    headers = {"date": http_date(cloud.now()), "content-type": "application/xml"}
    signed = signed_1(key, "PUT", f"/{B}/?tagging", headers)
    error = said(httpx.put(f"{server.url}/{B}/?tagging", content=body, headers=signed))
    assert error["Code"] == "MalformedXML"


def test_a_refused_body_is_still_answered(bucket: str, server: Listener) -> None:
    """The client is told why before it has sent everything, or after: not cut off."""
    began = time.monotonic()
    answer = httpx.put(f"{server.url}/{B}/{quote(KEY)}", content=b"x" * (4 << 20))
    assert said(answer)["Code"] == "AccessDenied"
    assert time.monotonic() - began < 10
