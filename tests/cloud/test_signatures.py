"""Who may call: both signatures, by the SDKs and by hand."""

from __future__ import annotations

import hashlib
import uuid
from datetime import timedelta

import pytest
from alibabacloud_sts20150401.client import Client as Sts
from alibabacloud_vpc20160428 import models as m
from alibabacloud_vpc20160428.client import Client as Vpc

from emulator.access import AccessKey, Session
from emulator.cloud import Cloud
from tests.cloud.conftest import REGION, Refused, config_of
from tests.cloud.raw import Raw, authorization_3, envelope, headers_3, signature_1
from tests.cloud.running import Clock, Listener


@pytest.mark.parametrize("algorithm", [None, "v2"])
def test_the_sdk_signs_with_both(key: AccessKey, server: Listener, algorithm: str | None) -> None:
    config = config_of(key, server, signature_algorithm=algorithm)
    assert Sts(config).get_caller_identity().body.user_id == key.principal
    made = Vpc(config).create_vpc(
        m.CreateVpcRequest(
            region_id=REGION,
            vpc_name="a b+c*~/%&=é世界",
            tag=[m.CreateVpcRequestTag(key="k é", value="v&=+~ *")],
        )
    )
    request = m.DescribeVpcAttributeRequest(region_id=REGION, vpc_id=made.body.vpc_id)
    found = Vpc(config).describe_vpc_attribute(request).body
    assert found.vpc_name == "a b+c*~/%&=é世界"
    assert [(tag.key, tag.value) for tag in found.tags.tag] == [("k é", "v&=+~ *")]


@pytest.mark.parametrize("algorithm", [None, "v2"])
def test_a_wrong_secret_is_refused(
    key: AccessKey, server: Listener, refused: Refused, algorithm: str | None
) -> None:
    wrong = Sts(config_of(key, server, signature_algorithm=algorithm, access_key_secret="x" * 30))
    with refused("SignatureDoesNotMatch"):
        wrong.get_caller_identity()
    nobody = Sts(config_of(key, server, signature_algorithm=algorithm, access_key_id="LTAI5tNobody"))
    with refused("InvalidAccessKeyId.NotFound", 404):
        nobody.get_caller_identity()


def test_a_disabled_key_is_refused(cloud: Cloud, key: AccessKey, server: Listener, refused: Refused) -> None:
    cloud.store.put(key.but(status="Inactive"))
    with refused("InvalidAccessKeyId.Inactive"):
        Sts(config_of(key, server)).get_caller_identity()


def test_a_role_signs_with_its_token_until_it_expires(
    cloud: Cloud, clock: Clock, server: Listener, refused: Refused
) -> None:
    session = Session(
        id="STS.NTx",
        region="",
        secret="s" * 30,
        token="t" * 40,
        role="deploy",
        role_id="300",
        name="ci",
        expires=clock() + timedelta(seconds=60),
    )
    cloud.store.put(session)
    account = AccessKey(id=session.id, region="", secret=session.secret, principal="")
    for algorithm in (None, "v2"):
        client = Sts(config_of(account, server, security_token=session.token, signature_algorithm=algorithm))
        body = client.get_caller_identity().body
        assert body.identity_type == "AssumedRoleUser"
        assert body.arn == f"acs:ram::{cloud.account}:assumed-role/deploy/ci"
        assert body.principal_id == "300:ci"
    with refused("InvalidSecurityToken.MismatchWithAccessKey"):
        Sts(config_of(account, server, security_token="u" * 40)).get_caller_identity()
    clock.later(60)
    with refused("InvalidSecurityToken.Expired"):
        client.get_caller_identity()


def test_a_long_lived_key_has_no_token(key: AccessKey, server: Listener, refused: Refused) -> None:
    with refused("InvalidSecurityToken.MismatchWithAccessKey"):
        Sts(config_of(key, server, security_token="t")).get_caller_identity()


@pytest.mark.parametrize("seconds", [-901, 901])
def test_a_request_expires(raw: Raw, clock: Clock, key: AccessKey, seconds: int) -> None:
    when = clock() + timedelta(seconds=seconds)
    answer = raw.ask("sts", "GetCallerIdentity", time=when)
    assert (answer.status, answer.code) == (400, "InvalidTimeStamp.Expired")
    headers = headers_3(raw.http.base_url.netloc.decode(), key.id, "sts", "GetCallerIdentity", time=when)
    headers["authorization"] = authorization_3("POST", headers, {}, key.id, key.secret)
    assert raw.send_3("POST", {}, headers).code == "InvalidTimeStamp.Expired"


@pytest.mark.parametrize("seconds", [-899, 899])
def test_a_clock_may_be_off_by_almost_a_quarter_of_an_hour(raw: Raw, clock: Clock, seconds: int) -> None:
    assert raw.ask("sts", "GetCallerIdentity", time=clock() + timedelta(seconds=seconds)).status == 200


def test_a_nonce_serves_once(raw: Raw, key: AccessKey, clock: Clock) -> None:
    parameters = envelope(key.id, "sts", "GetCallerIdentity")
    signed = parameters | {"Signature": signature_1("POST", parameters, key.secret)}
    assert raw.send(signed).status == 200
    assert raw.send(signed).code == "SignatureNonceUsed"
    # As long as the request's time would still be taken, so long the nonce is remembered.
    clock.later(890)
    assert raw.send(signed).code == "SignatureNonceUsed"


def test_a_nonce_that_nobody_signed_is_not_used_up(raw: Raw, key: AccessKey) -> None:
    parameters = envelope(key.id, "sts", "GetCallerIdentity")
    assert raw.send(parameters | {"Signature": "AAAA"}).code == "SignatureDoesNotMatch"
    assert raw.send(parameters | {"Signature": signature_1("POST", parameters, key.secret)}).status == 200


def test_version_1_by_get(raw: Raw, key: AccessKey) -> None:
    parameters = envelope(key.id, "sts", "GetCallerIdentity")
    signed = parameters | {"Signature": signature_1("GET", parameters, key.secret)}
    assert raw.send(signed, "GET").body["AccountId"] == key.principal
    other = envelope(key.id, "sts", "GetCallerIdentity")
    swapped = other | {"Signature": signature_1("POST", other, key.secret)}
    assert raw.send(swapped, "GET").code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    ("part", "value", "code"),
    [
        ("AccessKeyId", None, "MissingAccessKeyId"),
        ("Signature", None, "MissingSignature"),
        ("SignatureNonce", None, "MissingSignatureNonce"),
        ("SignatureMethod", None, "MissingSignatureMethod"),
        ("SignatureMethod", "HMAC-MD5", "InvalidSignatureMethod"),
        ("SignatureVersion", "0.9", "InvalidSignatureVersion"),
        ("Timestamp", None, "MissingTimestamp"),
        ("Timestamp", "2026-11-23 07:00:00", "InvalidTimeStamp.Format"),
        ("Timestamp", "2026-13-41T07:00:00Z", "InvalidTimeStamp.Format"),
    ],
)
def test_the_parts_of_version_1(raw: Raw, key: AccessKey, part: str, value: str | None, code: str) -> None:
    parameters = envelope(key.id, "sts", "GetCallerIdentity")
    if value is None:
        parameters.pop(part, None)
    else:
        parameters[part] = value
    signed = parameters | {"Signature": signature_1("POST", parameters, key.secret)}
    if part == "Signature":
        del signed["Signature"]
    answer = raw.send(signed)
    assert (answer.status, answer.code) == (400, code)
    assert set(answer.body) >= {"RequestId", "HostId", "Code", "Message"}


def test_every_byte_of_version_1_is_signed(raw: Raw, key: AccessKey) -> None:
    parameters = envelope(key.id, "vpc", "DescribeVpcs") | {"RegionId": REGION, "VpcName": "a"}
    signed = parameters | {"Signature": signature_1("POST", parameters, key.secret)}
    assert raw.send(signed | {"VpcName": "b"}).code == "SignatureDoesNotMatch"
    assert raw.send(signed | {"VpcId": "vpc-1"}).code == "SignatureDoesNotMatch"
    assert raw.send(signed).status == 200


QUERY = {"RegionId": REGION, "VpcName": "a b*~/é"}


class TestVersion3:
    """ACS3-HMAC-SHA256, by hand."""

    def headers(self, raw: Raw, key: AccessKey, body: bytes = b"") -> dict[str, str]:
        return headers_3(raw.http.base_url.netloc.decode(), key.id, "vpc", "DescribeVpcs", body)

    def test_parameters_in_the_query(self, raw: Raw, key: AccessKey) -> None:
        for method in ("GET", "POST"):
            headers = self.headers(raw, key)
            headers["authorization"] = authorization_3(method, headers, QUERY, key.id, key.secret)
            assert raw.send_3(method, QUERY, headers).body["TotalCount"] == 0

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("application/x-www-form-urlencoded", b"RegionId=cn-hangzhou&PageSize=7"),
            ("application/json; charset=utf-8", b'{"RegionId": "cn-hangzhou", "PageSize": 7}'),
        ],
    )
    def test_parameters_in_the_body(self, raw: Raw, key: AccessKey, kind: str, body: bytes) -> None:
        headers = self.headers(raw, key, body) | {"content-type": kind}
        headers["authorization"] = authorization_3("POST", headers, {}, key.id, key.secret)
        assert raw.send_3("POST", {}, headers, body).body["PageSize"] == 7
        other = self.headers(raw, key, body) | {"content-type": kind}
        other["authorization"] = authorization_3("POST", other, {}, key.id, key.secret)
        assert raw.send_3("POST", {}, other, body.replace(b"7", b"8")).code == "IncompleteSignature"

    def test_a_nonce_serves_once(self, raw: Raw, key: AccessKey) -> None:
        headers = self.headers(raw, key)
        headers["authorization"] = authorization_3("POST", headers, QUERY, key.id, key.secret)
        assert raw.send_3("POST", QUERY, headers).status == 200
        assert raw.send_3("POST", QUERY, headers).code == "SignatureNonceUsed"

    def test_what_is_changed_after_signing(self, raw: Raw, key: AccessKey) -> None:
        headers = self.headers(raw, key)
        headers["authorization"] = authorization_3("POST", headers, QUERY, key.id, key.secret)
        for changed in (
            {"x-acs-action": "DescribeVSwitches"},
            {"x-acs-signature-nonce": uuid.uuid4().hex},
        ):
            assert raw.send_3("POST", QUERY, headers | changed).code == "SignatureDoesNotMatch"
        assert raw.send_3("GET", QUERY, headers).code == "SignatureDoesNotMatch"
        other = QUERY | {"VpcName": "c"}
        assert raw.send_3("POST", other, headers).code == "SignatureDoesNotMatch"

    def test_headers_that_are_not_signed(self, raw: Raw, key: AccessKey) -> None:
        """One that a middleman could add or change is not taken."""
        headers = self.headers(raw, key)
        headers["authorization"] = authorization_3("POST", headers, QUERY, key.id, key.secret)
        headers["x-acs-security-token"] = "t"
        assert raw.send_3("POST", QUERY, headers).code == "IncompleteSignature"

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("ACS3-HMAC-SM3 Credential=a,SignedHeaders=host,Signature=b", "IncompleteSignature"),
            ("ACS3-HMAC-SHA256", "IncompleteSignature"),
            ("ACS3-HMAC-SHA256 Credential=,SignedHeaders=host,Signature=b", "IncompleteSignature"),
            ("ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host", "IncompleteSignature"),
            ("ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=b", "IncompleteSignature"),
            ("Basic YTpi", "IncompleteSignature"),
        ],
    )
    def test_an_authorization_of_another_form(self, raw: Raw, key: AccessKey, text: str, code: str) -> None:
        answer = raw.send_3("POST", {}, self.headers(raw, key) | {"authorization": text})
        assert (answer.status, answer.code) == (400, code)

    @pytest.mark.parametrize("name", ["x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"])
    def test_a_header_that_is_missing(self, raw: Raw, key: AccessKey, name: str) -> None:
        headers = self.headers(raw, key)
        text = authorization_3("POST", headers, {}, key.id, key.secret)
        del headers[name]
        assert raw.send_3("POST", {}, headers | {"authorization": text}).code == f"Missing{name}"

    def test_the_body_has_the_digest_that_is_signed(self, raw: Raw, key: AccessKey) -> None:
        headers = self.headers(raw, key) | {"x-acs-content-sha256": hashlib.sha256(b"x").hexdigest()}
        headers["authorization"] = authorization_3("POST", headers, {}, key.id, key.secret)
        assert raw.send_3("POST", {}, headers).code == "IncompleteSignature"
