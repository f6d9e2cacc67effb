"""Requests as a test wants them, signed by hand from the documents: not with the emulator's code."""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

VERSIONS = {"vpc": "2016-04-28", "ecs": "2014-05-26", "sts": "2015-04-01"}


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]

    @property
    def code(self) -> str:
        return str(self.body.get("Code", ""))


def stamp(time: datetime | None = None) -> str:
    return (time or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def envelope(key: str, product: str, action: str, time: datetime | None = None) -> dict[str, str]:
    """The parameters that version 1 wants beside the action's own."""
    return {
        "Action": action,
        "Version": VERSIONS[product],
        "Format": "JSON",
        "AccessKeyId": key,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": uuid.uuid4().hex,
        "Timestamp": stamp(time),
    }


def signature_1(method: str, parameters: dict[str, str], secret: str) -> str:
    query = "&".join(f"{_quoted(k)}={_quoted(v)}" for k, v in sorted(parameters.items()))
    text = f"{method}&{_quoted('/')}&{_quoted(query)}"
    return base64.b64encode(hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha1).digest()).decode()


def _quoted(text: str) -> str:
    return quote(text, safe="-_.~")


def headers_3(
    host: str, key: str, product: str, action: str, body: bytes = b"", time: datetime | None = None
) -> dict[str, str]:
    """The headers that version 3 wants."""
    return {
        "host": host,
        "x-acs-action": action,
        "x-acs-version": VERSIONS[product],
        "x-acs-date": stamp(time),
        "x-acs-signature-nonce": uuid.uuid4().hex,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
    }


def authorization_3(
    method: str, headers: dict[str, str], query: dict[str, str], key: str, secret: str
) -> str:
    names = sorted(headers)
    canonical = "\n".join(
        (
            method,
            "/",
            "&".join(f"{_quoted(k)}={_quoted(v)}" for k, v in sorted(query.items())),
            "".join(f"{name}:{headers[name].strip()}\n" for name in names),
            ";".join(names),
            headers["x-acs-content-sha256"],
        )
    )
    text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return f"ACS3-HMAC-SHA256 Credential={key},SignedHeaders={';'.join(names)},Signature={signature}"


class Raw:
    """A client with no opinion of its own."""

    def __init__(self, url: str, key: str, secret: str) -> None:
        self.url = url
        self.key = key
        self.secret = secret
        self.http = httpx.Client(base_url=url, timeout=20)

    def ask(self, product: str, action: str, /, time: datetime | None = None, **given: Any) -> Answer:
        """A call with signature version 1, by POST. given: names as on the wire, `__` for a dot."""
        own = {name.replace("__", "."): value for name, value in given.items()}
        parameters = envelope(self.key, product, action, time) | own
        return self.send(parameters | {"Signature": signature_1("POST", parameters, self.secret)})

    def send(self, form: dict[str, str], method: str = "POST") -> Answer:
        """Parameters as they are."""
        part: Any = {"params": form} if method == "GET" else {"data": form}
        return _read(self.http.request(method, "/", **part))

    def send_3(
        self, method: str, query: dict[str, str], headers: dict[str, str], body: bytes = b""
    ) -> Answer:
        return _read(self.http.request(method, "/", params=query, headers=headers, content=body))


def _read(answer: httpx.Response) -> Answer:
    return Answer(answer.status_code, answer.json())
