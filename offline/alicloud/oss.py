"""OSS through its official SDK: operations by name, and the documents that they send and answer."""

from __future__ import annotations

import base64
import hashlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes
from xml.etree.ElementTree import Element

from offline.alicloud.api import Answer, Refused, Settings, Unreached
from offline.alicloud.form import parsed
from offline.provider.resource import ResourceError

_SETTINGS: Final = {
    "AccessMonitor": "accessmonitor",
    "Acl": "acl",
    "Cors": "cors",
    "Encryption": "encryption",
    "HttpsConfig": "httpsConfig",
    "Lifecycle": "lifecycle",
    "Logging": "logging",
    "Policy": "policy",
    "PublicAccessBlock": "publicAccessBlock",
    "Referer": "referer",
    "ResourceGroup": "resourceGroup",
    "Tags": "tagging",
    "TransferAcceleration": "transferAcceleration",
    "Versioning": "versioning",
    "Website": "website",
}
"""What the operations on a bucket's setting are called, and the sub-resource that they are on."""

OPERATIONS: Final[dict[str, tuple[str, str]]] = {
    "PutBucket": ("PUT", ""),
    "DeleteBucket": ("DELETE", ""),
    "GetBucketInfo": ("GET", "bucketInfo"),
    "ListObjectVersions": ("GET", "versions"),
    "DeleteMultipleObjects": ("POST", "delete"),
    "ListMultipartUploads": ("GET", "uploads"),
    "AbortMultipartUpload": ("DELETE", ""),
    "PutObject": ("PUT", ""),
    "HeadObject": ("HEAD", ""),
    "PutObjectAcl": ("PUT", "acl"),
    "DeleteObject": ("DELETE", ""),
    **{
        f"{verb}Bucket{name}": (verb.upper(), sub)
        for name, sub in _SETTINGS.items()
        for verb in ("Put", "Get", "Delete")
    },
}
"""The method and the sub-resource of each operation."""


class Oss:
    """OSS's SDK.

    An operation takes Bucket, Key, Query, Headers and Body (bytes, or a file's path); it answers Headers, in
    lower case, Body, and Xml where that is a document.
    """

    def __init__(self, settings: Settings, credential: Any) -> None:
        import alibabacloud_oss_v2 as sdk

        def keys() -> Any:
            now = credential.get_credential()
            return sdk.credentials.Credentials(
                now.access_key_id, now.access_key_secret, now.security_token or None
            )

        config = sdk.config.load_default()
        config.credentials_provider = sdk.credentials.CredentialsProviderFunc(keys)
        config.region = settings.region
        config.endpoint = settings.endpoints.get("oss") or None
        config.disable_ssl = settings.protocol == "HTTP"
        config.connect_timeout = settings.connect_timeout / 1000
        config.readwrite_timeout = settings.read_timeout / 1000
        config.retry_max_attempts = 1  # what repeats is in Api, and knows more
        config.user_agent = settings.user_agent or None
        self._client = sdk.Client(config)
        self._input = sdk.OperationInput

    def call(self, action: str, parameters: Answer) -> Answer:
        from alibabacloud_oss_v2 import exceptions

        method, sub = OPERATIONS[action]
        body: bytes | Path | None = parameters.get("Body")
        headers = dict(parameters.get("Headers") or {})
        if isinstance(body, bytes) and "Key" not in parameters:
            headers["Content-Type"] = "application/xml"
            headers["Content-MD5"] = base64.b64encode(
                hashlib.md5(body, usedforsecurity=False).digest()
            ).decode()
        with ExitStack() as open_:
            asked = self._input(
                op_name=action,
                method=method,
                bucket=parameters["Bucket"],
                key=parameters.get("Key"),
                parameters={**({sub: ""} if sub else {}), **(parameters.get("Query") or {})},
                headers=headers,
                body=open_.enter_context(body.open("rb")) if isinstance(body, Path) else body,
            )
            try:
                answer = self._client.invoke_operation(asked)
            except exceptions.OperationError as error:
                raise _told(action, error.unwrap()) from None
        content = b"" if method == "HEAD" else (answer.http_response.content or b"")
        told = {name.lower(): text for name, text in (answer.headers or {}).items()}
        document = "xml" in told.get("content-type", "") and content
        return {"Headers": told, "Body": content, "Xml": parsed(content) if document else None}


def _told(action: str, error: Exception) -> Exception:
    """What went wrong, in the words of all products."""
    from alibabacloud_oss_v2 import exceptions

    if isinstance(error, exceptions.ServiceError):
        return Refused(
            action,
            str(error.code),
            str(error.message),
            int(error.status_code),
            str(error.request_id),
        )
    if isinstance(error, Refused | Unreached | ResourceError):  # of what gets the credentials
        return error
    if isinstance(error, exceptions.CredentialsBaseError):
        return ResourceError(f"no credentials: {error}", fix="check the role or profile that they come from")
    if isinstance(error, exceptions.BucketNameInvalidError):
        return Refused(
            action, "InvalidBucketName", "The specified bucket is not valid.", 400, "none: not sent"
        )
    if isinstance(error, exceptions.ObjectNameInvalidError):
        return Refused(
            action, "InvalidObjectName", "The specified object is not valid.", 400, "none: not sent"
        )
    return Unreached(action, str(error).strip())


def text_of(answer: Answer | None, path: str) -> str:
    """The text of an element in an answer; empty where there is none."""
    document: Element | None = answer["Xml"] if answer else None
    return (document.findtext(path) or "") if document is not None else ""


def decoded(name: str) -> str:
    """A key as it is, of a list that was asked for with encoding-type=url."""
    return unquote_to_bytes(name.replace("+", " ")).decode()
