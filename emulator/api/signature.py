"""Who asks: the two signatures of the RPC APIs, both over the whole request.

HMAC-SHA1 ("signature version 1.0") signs the parameters; ACS3-HMAC-SHA256 signs method, path, query, the
headers that it names and the body's digest. Source: Alibaba Cloud's documents "Request syntax and signature
method V2/V3" and the official Python SDK (alibabacloud_tea_openapi.utils).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from emulator.api import errors

ALGORITHM: Final = "ACS3-HMAC-SHA256"
LEEWAY: Final = timedelta(minutes=15)
"""How far a request's time may be from the server's."""


@dataclass(frozen=True)
class Signed:
    """A request as a signature sees it. Header names are lower case; `parameters` are query and form."""

    method: str
    path: str
    query: Mapping[str, str]
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Claim:
    """What a request says of its sender; true once `expected` was given the key's secret and agrees."""

    access_key: str
    token: str
    nonce: str
    time: datetime
    given: str
    string_to_sign: str
    version_3: bool

    def expected(self, secret: str) -> str:
        if self.version_3:
            return hmac.new(secret.encode(), self.string_to_sign.encode(), hashlib.sha256).hexdigest()
        digest = hmac.new(f"{secret}&".encode(), self.string_to_sign.encode(), hashlib.sha1).digest()
        return base64.b64encode(digest).decode()

    def check(self, secret: str) -> None:
        """Raises ApiError unless the signature is the one of that secret."""
        if not hmac.compare_digest(self.expected(secret).encode(), self.given.encode()):
            raise errors.wrong_signature(self.string_to_sign)


def claim(request: Signed) -> Claim:
    """Read the signature. Raises ApiError where a part of it is missing or has no such form."""
    return _version_3(request) if "authorization" in request.headers else _version_1(request)


def _version_1(request: Signed) -> Claim:
    given = request.parameters
    for name in (
        "AccessKeyId",
        "Signature",
        "SignatureMethod",
        "SignatureVersion",
        "SignatureNonce",
        "Timestamp",
    ):
        if not given.get(name):
            raise errors.missing(name)
    if given["SignatureMethod"].upper() != "HMAC-SHA1":
        raise errors.invalid("SignatureMethod")
    if given["SignatureVersion"] != "1.0":
        raise errors.invalid("SignatureVersion")
    canonical = "&".join(
        f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(given.items()) if name != "Signature"
    )
    return Claim(
        given["AccessKeyId"],
        given.get("SecurityToken", ""),
        given["SignatureNonce"],
        _time(given["Timestamp"]),
        given["Signature"],
        f"{request.method}&%2F&{_encoded(canonical)}",
        version_3=False,
    )


def _version_3(request: Signed) -> Claim:
    headers = request.headers
    algorithm, _, rest = headers["authorization"].partition(" ")
    if algorithm != ALGORITHM:
        raise errors.incomplete_signature(f"The algorithm {algorithm} is not {ALGORITHM}.")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not parts.get(name):
            raise errors.incomplete_signature(f"Authorization has no {name}.")
    for name in ("x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256"):
        if not headers.get(name):
            raise errors.missing(name)
    signed = parts["SignedHeaders"].split(";")
    for name in {"host", *(name for name in headers if name.startswith("x-acs-"))}:
        if name not in signed:
            raise errors.incomplete_signature(f"SignedHeaders does not name {name}.")
    if hashlib.sha256(request.body).hexdigest() != headers["x-acs-content-sha256"].lower():
        raise errors.incomplete_signature("x-acs-content-sha256 is not the body's.")
    canonical = "\n".join(
        (
            request.method,
            quote(request.path, safe="/~"),
            "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(request.query.items())),
            "".join(f"{name}:{headers.get(name, '').strip()}\n" for name in signed),
            parts["SignedHeaders"],
            headers["x-acs-content-sha256"],
        )
    )
    return Claim(
        parts["Credential"],
        headers.get("x-acs-security-token", ""),
        headers["x-acs-signature-nonce"],
        _time(headers["x-acs-date"]),
        parts["Signature"],
        f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}",
        version_3=True,
    )


def _encoded(text: str) -> str:
    return quote(text, safe="~")


def _time(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise errors.not_a_time() from None
