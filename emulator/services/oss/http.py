"""OSS over HTTP: which bucket, key and operation a request is for, whose it is, and what goes back."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Final
from urllib.parse import unquote_plus, unquote_to_bytes

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from emulator.access import secret_of
from emulator.api.errors import ApiError
from emulator.api.faults import Suffered
from emulator.cloud import Cloud, Logged
from emulator.services.oss import errors, objects, signature, xml
from emulator.services.oss.api import OPERATIONS
from emulator.services.oss.call import Operation, OssCall, Reply, Scope
from emulator.services.oss.errors import OssError
from emulator.services.oss.files import Files
from emulator.services.oss.signature import IN_HEADERS, IN_URL, Asked

_log = logging.getLogger(__name__)
DEFAULT_REGION: Final = "cn-hangzhou"
DRAINED: Final = 16 << 20
"""Bytes of a body that are read away after a refusal, so that the client gets to read why."""
_HOST: Final = re.compile(
    r"(?:(?P<bucket>[^.]+)\.)??(?:oss-(?P<region>[a-z0-9-]+?)(?:-internal)?\.)?(?:localhost|aliyuncs\.com)"
)
_MODIFIERS: Final = frozenset(
    (
        "prefix", "marker", "delimiter", "max-keys", "encoding-type", "tag-key", "tag-value",
        "continuation-token", "start-after", "fetch-owner", "key-marker", "version-id-marker",
        "upload-id-marker", "max-uploads", "max-parts", "part-number-marker", "partNumber", "position",
        "sequential", "versionId", "response-cache-control", "response-content-disposition",
        "response-content-encoding", "response-content-language", "response-content-type",
        "response-expires",
    )
)  # fmt: skip
"""Parts of a query that change an operation; all others name one."""


class Oss:
    """Serves buckets and objects."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._files = Files(cloud)

    async def serve(self, request: Request) -> Response:
        """Answer one request, an error included."""
        began, cloud = time.monotonic(), self._cloud
        request_id = cloud.ids.request().replace("-", "")[:24]
        stream = _Stream(request)
        name, who, region, suffered, code = request.method, "", "", None, ""
        try:
            query = _query(request.scope["query_string"].decode("latin-1"))
            headers = _headers(request)
            bucket, key, region = _place(request, headers.get("host", ""))
            known = bool(region)
            chosen = _operation(request.method, bucket, key, query, headers)
            name = chosen.name
            suffered = cloud.faults.of(name)
            if suffered.delay:
                await asyncio.sleep(suffered.delay)
            call = OssCall(
                cloud, self._files, name, bucket, key, query, headers, region or DEFAULT_REGION, known, None,
                request_id, cloud.now(), stream.chunks,
            )  # fmt: skip
            call = _signed(call, request.method)
            region = call.region
            who = call.caller.user if call.caller else ""
            suffered.check(began)
            if call.caller is None and not (chosen.public and objects.allows(call, chosen.public)):
                what = "object" if key else "bucket"
                raise errors.denied(f"You have no right to access this object because of {what} acl.")
            chosen.check(call, IN_URL | IN_HEADERS)
            reply = await chosen.run(call)
        except ClientDisconnect:
            reply, code = Reply(400), "RequestTimeout"
        except ApiError as refusal:
            await stream.drain()
            code = refusal.code
            reply = _refused(refusal, request_id, request.headers.get("host", ""))
        except (sqlite3.OperationalError, OSError) as failure:  # a full disk
            await stream.drain()
            full = OssError(503, "ServiceUnavailable", f"The emulator's state cannot be written: {failure}")
            code = full.code
            reply = _refused(full, request_id, request.headers.get("host", ""))
        except Exception:  # a mistake here: the client is told so, and the log has where it was made
            _log.exception("%s %s", name, request_id)
            wrong = OssError(500, "InternalError", "We encountered an internal error. Please try again.")
            code = wrong.code
            reply = _refused(wrong, request_id, request.headers.get("host", ""))
        took = time.monotonic() - began
        cloud.calls.append(Logged(cloud.now(), name, region, who, reply.status, code, request_id, took))
        return _response(reply, request.method, request_id, took, suffered)


def _signed(call: OssCall, method: str) -> OssCall:
    """The call with its caller, and the region that a signature of version 4 names."""
    asked = Asked(method, call.bucket, call.key, call.query, call.headers)
    claim = signature.claim(asked, call.now)
    if claim is None:
        return call
    try:
        secret, caller = secret_of(call.cloud, claim.access_key, claim.token)
    except ApiError as refusal:
        code, message = errors.KEYS[refusal.code]
        raise OssError(403, code, message, OSSAccessKeyId=claim.access_key) from None
    claim.check(secret)
    if claim.region and call.region_known and claim.region != call.region:
        raise errors.argument("Credential", claim.region, "Invalid signing region in Authorization header.")
    region = claim.region or call.region
    known = call.region_known or bool(claim.region)
    return replace(call, caller=caller, region=region, region_known=known)


def _query(text: str) -> dict[str, str]:
    """Names and values. Raises OssError for a name that stands twice."""
    found: dict[str, str] = {}
    for pair in filter(None, text.split("&")):
        name, _, value = pair.partition("=")
        name, value = unquote_plus(name), unquote_plus(value)
        if name in found:
            raise errors.argument(name, value, f"The parameter {name} stands twice.")
        found[name] = value
    return found


def _headers(request: Request) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        if name in found and (name.startswith("x-oss-") or name == "authorization"):
            raise errors.argument(name, value, f"The header {name} stands twice.")
        found[name] = value
    return found


def _place(request: Request, host: str) -> tuple[str, str, str]:
    """Bucket, key and region. The host may name bucket and region; else the path begins with the bucket."""
    named = _HOST.fullmatch(host.rpartition(":")[0] if ":" in host else host)
    bucket = (named["bucket"] if named else "") or ""
    region = (named["region"] if named else "") or ""
    path = request.scope.get("raw_path") or request.url.path.encode()
    try:
        text = unquote_to_bytes(path.partition(b"?")[0]).decode()[1:]
    except UnicodeDecodeError:
        raise errors.key_name(repr(path)) from None
    if bucket:
        return bucket, text, region
    bucket, _, key = text.partition("/")
    return bucket, key, region


def _operation(
    method: str, bucket: str, key: str, query: dict[str, str], headers: dict[str, str]
) -> Operation:
    """Raises OssError for what is not served, by name."""
    scope: Scope = "object" if key else "bucket" if bucket else "service"
    names = [name for name in query if name not in _MODIFIERS and name not in IN_URL]
    copied = "+copy" if "x-oss-copy-source" in headers else ""
    for sub in names or [""]:
        if (found := OPERATIONS.get((scope, method, sub + copied))) is not None:
            return found
    what = f"{method} of a {scope}" + (f" with {', '.join(names)}" if names else "")
    raise errors.not_served(what)


class _Stream:
    """The body, once."""

    def __init__(self, request: Request) -> None:
        self._chunks = request.stream()

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            if chunk:
                yield chunk

    async def drain(self) -> None:
        seen = 0
        try:
            async for chunk in self._chunks:
                seen += len(chunk)
                if seen > DRAINED:
                    return
        except (ClientDisconnect, RuntimeError):
            return


def _refused(refusal: ApiError, request_id: str, host: str) -> Reply:
    details = refusal.details if isinstance(refusal, OssError) else {}
    content = {"Code": refusal.code, "Message": refusal.message, "RequestId": request_id, "HostId": host}
    content |= {name.replace("_", "-"): text for name, text in details.items()}
    if refusal.status == 304:
        return Reply(304)
    return Reply(refusal.status, {"content-type": "application/xml"}, xml.document("Error", content))


def _response(reply: Reply, method: str, request_id: str, took: float, suffered: Suffered | None) -> Response:
    headers = {
        "x-oss-request-id": request_id,
        "x-oss-server-time": str(round(took * 1000)),
    } | reply.headers
    if method == "HEAD":
        if reply.status >= 400:  # a HEAD has no body: the SDKs read the error from a header
            headers["x-oss-err"] = base64.b64encode(reply.body).decode()
        if reply.chunks is not None:
            reply.chunks = None
        response = Response(b"", reply.status)
        headers.setdefault("content-length", str(len(reply.body)))
        response.raw_headers = _raw(headers)
        return response
    if suffered is not None and suffered.cut:
        return _cut(reply, headers)
    if reply.chunks is not None:
        streamed = StreamingResponse(reply.chunks, reply.status)
        streamed.raw_headers = _raw(headers)
        return streamed
    response = Response(reply.body, reply.status)
    if reply.status not in (204, 304):
        headers["content-length"] = str(len(reply.body))
    response.raw_headers = _raw(headers)
    return response


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode("latin-1"), text.encode("latin-1", "replace")) for name, text in headers.items()
    ]


def _cut(reply: Reply, headers: dict[str, str]) -> Response:
    """The answer ends in its middle; where it has no body, before its first byte."""
    length = int(headers.get("content-length", len(reply.body)))
    chunks: Iterator[bytes] = reply.chunks if reply.chunks is not None else iter([reply.body])

    async def half() -> AsyncIterator[bytes]:
        left = length // 2
        for chunk in chunks:
            yield chunk[:left]
            left -= len(chunk[:left])
            if left <= 0:
                break
        raise ConnectionResetError("the answer was ordered to be cut")

    response = StreamingResponse(half(), reply.status)
    response.raw_headers = _raw(headers | {"content-length": str(length or 1)})
    return response
