"""Who asks: OSS's signatures, version 1 (HMAC-SHA1) and 4 (OSS4-HMAC-SHA256), in headers or in the URL.

Sources: https://help.aliyun.com/zh/oss/developer-reference/include-signatures-in-the-authorization-header and
its neighbours, and the official SDKs for Python.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final
from urllib.parse import quote

from emulator.services.oss import errors

LEEWAY: Final = timedelta(minutes=15)
LONGEST_URL: Final = timedelta(days=7)
"""How long an address that is signed by version 4 may be good for."""
V4: Final = "OSS4-HMAC-SHA256"

SIGNED_IN_1: Final = frozenset(
    (
        "acl", "append", "bucketArchiveDirectRead", "bucketInfo", "callback", "callback-var", "cname",
        "comp", "continuation-token", "cors", "delete", "encryption", "endTime", "group", "httpsConfig",
        "inventory", "inventoryId", "lifecycle", "link", "live", "location", "logging", "metaQuery",
        "objectInfo", "objectMeta", "partNumber", "policy", "position", "publicAccessBlock", "qos",
        "qosInfo", "redundancyTransition", "referer", "regionList", "replication", "replicationLocation",
        "replicationProgress", "requestPayment", "resourceGroup", "response-cache-control",
        "response-content-disposition", "response-content-encoding", "response-content-language",
        "response-content-type", "response-expires", "restore", "security-token", "sequential",
        "startTime", "stat", "status", "style", "styleName", "symlink", "tagging", "transferAcceleration",
        "uploadId", "uploads", "userDefinedLogFieldsConfig", "versionId", "versioning", "versions", "vod",
        "website", "worm", "wormExtend", "wormId", "x-oss-process", "x-oss-traffic-limit",
        "x-oss-request-payer", "accessPoint", "accessPointPolicy", "accessmonitor", "asyncFetch",
        "x-oss-async-process", "x-oss-ac-source-ip", "x-oss-ac-subnet-mask", "x-oss-ac-vpc-id",
        "x-oss-ac-forward-allow",
    )
)  # fmt: skip
"""The parts of a query that version 1 signs; version 4 signs all."""

IN_URL: Final = frozenset(
    (
        "OSSAccessKeyId", "Expires", "Signature", "security-token", "x-oss-signature-version",
        "x-oss-credential", "x-oss-date", "x-oss-expires", "x-oss-signature",
        "x-oss-additional-headers", "x-oss-security-token",
    )
)  # fmt: skip
IN_HEADERS: Final = frozenset(("x-oss-date", "x-oss-content-sha256", "x-oss-security-token"))
"""The parts of a signature: they belong to no operation."""


@dataclass(frozen=True)
class Asked:
    """A request as far as a signature sees it. Header names are lower case."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Claim:
    """What a request says of its sender."""

    access_key: str
    token: str
    given: str
    string_to_sign: bytes
    region: str = ""
    """Of version 4, which signs it."""
    date: str = ""
    version_4: bool = False

    def expected(self, secret: str) -> str:
        if not self.version_4:
            return base64.b64encode(
                hmac.new(secret.encode(), self.string_to_sign, hashlib.sha1).digest()
            ).decode()
        key = ("aliyun_v4" + secret).encode()
        for step in (self.date, self.region, "oss", "aliyun_v4_request"):
            key = hmac.new(key, step.encode(), hashlib.sha256).digest()
        return hmac.new(key, self.string_to_sign, hashlib.sha256).hexdigest()

    def check(self, secret: str) -> None:
        """Raises OssError unless the signature is the one of that secret."""
        if not hmac.compare_digest(self.expected(secret).encode(), self.given.encode("latin-1", "replace")):
            text = self.string_to_sign.decode(errors="replace")
            raise errors.wrong_signature(self.access_key, self.given, text)


def claim(asked: Asked, now: datetime) -> Claim | None:
    """Read the signature and its time; None where nobody signed. Raises OssError."""
    if authorization := asked.headers.get("authorization", ""):
        kind, _, rest = authorization.partition(" ")
        if kind == V4:
            return _header_4(asked, rest, now)
        if kind == "OSS":
            return _header_1(asked, rest, now)
        if kind == "OSS2":
            raise errors.not_served("Signature version 2")
        raise errors.argument("Authorization", authorization, "Authorization header is invalid.")
    if "x-oss-signature-version" in asked.query or "x-oss-signature" in asked.query:
        return _url_4(asked, now)
    if "Signature" in asked.query or "OSSAccessKeyId" in asked.query:
        return _url_1(asked, now)
    return None


def _header_1(asked: Asked, rest: str, now: datetime) -> Claim:
    key, colon, given = rest.strip().rpartition(":")
    if not colon:
        raise errors.argument("Authorization", rest, "Authorization header is invalid.")
    date = asked.headers.get("x-oss-date") or asked.headers.get("date", "")
    _near(_http_date(date), date, now)
    token = asked.headers.get("x-oss-security-token") or asked.headers.get("security-token", "")
    return Claim(key, token, given, _string_1(asked, date))


def _url_1(asked: Asked, now: datetime) -> Claim:
    for name in ("OSSAccessKeyId", "Expires", "Signature"):
        if not asked.query.get(name):
            raise errors.denied("AccessDenied: the query has no " + name)
    expires = asked.query["Expires"]
    if not (expires.isascii() and expires.isdigit() and len(expires) < 20):
        raise errors.denied("Invalid date (should be seconds since epoch): " + expires)
    if int(expires) < now.timestamp():
        raise errors.denied("Request has expired.")
    return Claim(
        asked.query["OSSAccessKeyId"],
        asked.query.get("security-token", ""),
        asked.query["Signature"],
        _string_1(asked, expires),
    )


def _string_1(asked: Asked, date: str) -> bytes:
    headers = asked.headers
    own = "".join(
        f"{name}:{headers[name].strip()}\n" for name in sorted(headers) if name.startswith("x-oss-")
    )
    resource = _place(asked)
    if signed := sorted(name for name in asked.query if name in SIGNED_IN_1):
        resource += "?" + "&".join(
            name + (f"={asked.query[name]}" if asked.query[name] else "") for name in signed
        )
    first = (asked.method, headers.get("content-md5", ""), headers.get("content-type", ""), date)
    return "\n".join(first).encode("latin-1") + b"\n" + own.encode("latin-1") + resource.encode()


def _header_4(asked: Asked, rest: str, now: datetime) -> Claim:
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    for name in ("Credential", "Signature"):
        if not parts.get(name):
            raise errors.argument("Authorization", rest, f"Authorization has no {name}.")
    if asked.headers.get("x-oss-content-sha256") != "UNSIGNED-PAYLOAD":
        raise errors.argument(
            "x-oss-content-sha256",
            asked.headers.get("x-oss-content-sha256", ""),
            "The x-oss-content-sha256 header is UNSIGNED-PAYLOAD.",
        )
    stamp = asked.headers.get("x-oss-date") or asked.headers.get("date", "")
    _near(_iso(stamp), stamp, now)
    token = asked.headers.get("x-oss-security-token", "")
    return _claim_4(
        asked, stamp, parts["Credential"], parts.get("AdditionalHeaders", ""), token, parts["Signature"]
    )


def _url_4(asked: Asked, now: datetime) -> Claim:
    query = asked.query
    for name in ("x-oss-credential", "x-oss-date", "x-oss-expires", "x-oss-signature"):
        if not query.get(name):
            raise errors.argument(name, "", f"The query has no {name}.")
    if query.get("x-oss-signature-version") != V4:
        raise errors.argument("x-oss-signature-version", query.get("x-oss-signature-version", ""))
    began, seconds = _iso(query["x-oss-date"]), query["x-oss-expires"]
    number = int(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < 20 else 0
    if not 1 <= number <= LONGEST_URL.total_seconds():
        raise errors.argument("x-oss-expires", seconds, "x-oss-expires is from 1 to 604800.")
    if began - now > LEEWAY:
        raise errors.denied("Request is not yet valid.")
    if began + timedelta(seconds=number) < now:
        raise errors.denied("Request has expired.")
    return _claim_4(
        asked,
        query["x-oss-date"],
        query["x-oss-credential"],
        query.get("x-oss-additional-headers", ""),
        query.get("x-oss-security-token", ""),
        query["x-oss-signature"],
    )


def _claim_4(asked: Asked, stamp: str, credential: str, additional: str, token: str, given: str) -> Claim:
    key, *scope = credential.split("/")
    if len(scope) != 4 or scope[2:] != ["oss", "aliyun_v4_request"]:
        raise errors.argument("Credential", credential, "Invalid credential in Authorization.")
    if scope[0] != stamp[:8]:
        raise errors.argument("Credential", credential, "Invalid signing date in Authorization.")
    more = sorted(name.lower() for name in additional.split(";") if name)
    headers = asked.headers
    signed = sorted(
        name
        for name in headers
        if name.startswith("x-oss-") or name in ("content-type", "content-md5") or name in more
    )
    query = sorted(
        (quote(name, safe="~"), quote(value, safe="~"))
        for name, value in asked.query.items()
        if name != "x-oss-signature"
    )
    canonical = b"\n".join(
        (
            asked.method.encode(),
            quote(_place(asked), safe="/~").encode(),
            "&".join(name + (f"={value}" if value else "") for name, value in query).encode(),
            "".join(f"{name}:{headers[name].strip()}\n" for name in signed).encode("latin-1"),
            ";".join(more).encode(),
            headers.get("x-oss-content-sha256", "UNSIGNED-PAYLOAD").encode("latin-1"),
        )
    )
    text = "\n".join((V4, stamp, "/".join(scope), hashlib.sha256(canonical).hexdigest()))
    return Claim(key, token, given, text.encode(), scope[1], scope[0], version_4=True)


def _place(asked: Asked) -> str:
    """Bucket and key, however they were addressed."""
    return f"/{asked.bucket}/{asked.key}" if asked.bucket else "/"


def _near(time: datetime, given: str, now: datetime) -> None:
    if abs(time - now) > LEEWAY:
        raise errors.skewed(given, format_datetime(now.astimezone(UTC), usegmt=True))


def _http_date(text: str) -> datetime:
    try:
        time = parsedate_to_datetime(text)
    except ValueError:
        raise errors.denied("OSS authentication requires a valid Date.") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _iso(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise errors.argument("x-oss-date", text, "OSS authentication requires a valid x-oss-date.") from None
