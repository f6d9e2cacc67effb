"""The RPC APIs over HTTP: one address for all of them, as `endpoints` of the official provider wants it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse

from emulator.api import errors, wire
from emulator.api.dispatch import Answered, Dispatcher, named
from emulator.api.errors import ApiError
from emulator.api.signature import Signed

LARGEST = 1 << 20
"""Bytes of a body: user data and commands are the largest, at 16 and 24 KiB before their encoding."""


def is_rpc(request: HttpRequest) -> bool:
    """Whether the request is for these APIs. Others may be for OSS, which has an address for each object."""
    if request.url.path != "/":
        return False
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return "x-acs-action" in request.headers or "Action" in request.query_params or form


async def serve(dispatcher: Dispatcher, request: HttpRequest) -> Response:
    """Answer one call."""
    suffered = None
    try:
        signed = await _signed(request)
        suffered = dispatcher.cloud.faults.of(named(signed))
    except ApiError as refusal:
        body = {"RequestId": dispatcher.cloud.ids.request(), "Code": refusal.code, "Message": refusal.message}
        return _response(Answered(refusal.status, body))
    if suffered.delay:
        await asyncio.sleep(suffered.delay)
    if dispatcher.slow(signed):
        return _response(await asyncio.to_thread(dispatcher.answer, signed, suffered))
    return _response(dispatcher.answer(signed, suffered))


async def _signed(request: HttpRequest) -> Signed:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise ApiError(413, "RequestEntityTooLarge", f"The body is larger than {LARGEST} bytes.")
    query = _pairs(request.url.query)
    parameters = dict(query)
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    try:
        if kind == "application/x-www-form-urlencoded":
            form = _pairs(body.decode())
        elif kind == "application/json" and body:
            given = json.loads(body)
            if not isinstance(given, dict):
                raise errors.invalid("Body")
            form = {k: v for name, value in given.items() for k, v in wire.flat(name, value).items()}
        elif body:
            raise ApiError(
                415, "UnsupportedHTTPMethod", f"A body of type {kind or '(none)'} is not supported."
            )
        else:
            form = {}
    except (ValueError, RecursionError):  # brackets in brackets, as many as fit
        raise errors.invalid("Body") from None
    if unlike := sorted(name for name in query.keys() & form.keys() if query[name] != form[name]):
        raise errors.invalid(unlike[0])
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Signed(request.method, request.url.path, query, parameters | form, headers, body)


def _pairs(text: str) -> dict[str, str]:
    """Names and values. Raises ApiError for a name that stands twice: which one counts would be a guess."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name in found:
            raise errors.invalid(name)
        found[name] = value
    return found


def _response(answered: Answered) -> Response:
    text = json.dumps(answered.body, ensure_ascii=False, separators=(",", ":")).encode()
    if not answered.cut:
        return Response(text, answered.status, media_type="application/json")

    async def half() -> AsyncIterator[bytes]:
        yield text[: len(text) // 2]
        raise ConnectionResetError("the answer was ordered to be cut")

    length: dict[str, Any] = {"content-length": str(len(text)), "content-type": "application/json"}
    return StreamingResponse(half(), answered.status, headers=length)
