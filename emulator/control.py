"""Control of a running emulator, under /_berth/: what state it is in, trouble on demand, an empty cloud.

Only for who can read the token in the emulator's folder, and only under loopback's own names: a web page that
a browser on this machine has open can reach the port, but has neither.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulator.access import AccessKey
from emulator.api.faults import Fault
from emulator.cloud import Cloud
from emulator.services.oss.files import Files
from emulator.store import kinds

PREFIX: Final = "/_berth"
HOSTS: Final = frozenset(("127.0.0.1", "localhost", "[::1]"))
"""What may stand in Host, beside the port."""
LARGEST: Final = 64 << 10
"""Bytes of a body."""


def token_of(folder: Path) -> str:
    """The token of the emulator whose folder it is; made where there is none, for its owner's eyes only."""
    path = folder / "token"
    if not path.exists():
        # Never readable by others, not even for the moment between making it and a chmod.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text()


def is_local(request: Request) -> bool:
    """Whether it was asked for under a name of loopback: DNS that was turned on it has another."""
    host = request.headers.get("host", "")
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return name in HOSTS


def status(cloud: Cloud) -> dict[str, Any]:
    """How much of what there is, and what is in force."""
    return {
        "pid": os.getpid(),
        "account": cloud.account,
        "pace": cloud.pace,
        "public": str(cloud.public),
        "things": {kind: len(cloud.store.all(cls)) for kind, cls in sorted(kinds().items())},
        "faults": _faults(cloud),
        "calls": len(cloud.calls),
        "machines": cloud.plane(),
    }


def _faults(cloud: Cloud) -> list[dict[str, Any]]:
    return [fault.model_dump(exclude_defaults=True) | {"seen": seen} for fault, seen in cloud.faults.listed()]


def reset(cloud: Cloud) -> None:
    """Everything that was made is gone; the account and its own keys stay, and the ids go on."""
    with cloud.store.transaction():
        for cls in kinds().values():
            for thing in cloud.store.all(cls):
                if not (isinstance(thing, AccessKey) and not thing.user):
                    cloud.store.remove(thing)
    Files(cloud)  # removes what no object has
    cloud.faults.lift()
    cloud.calls.clear()


def routes(cloud: Cloud, token: str) -> list[Route]:
    """The control API. token: what the caller must send, as `Authorization: Bearer ...`."""

    def guarded(run: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def checked(request: Request) -> Response:
            if not is_local(request):
                return JSONResponse({"error": "Host is none of loopback's"}, 421)
            given = request.headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, f"Bearer {token}".encode()):
                headers = {"www-authenticate": "Bearer"}
                return JSONResponse({"error": "the token is wrong or missing"}, 401, headers)
            try:
                return JSONResponse(await run(request))
            except ValidationError as wrong:
                return JSONResponse({"error": _words(wrong)}, 400)

        return checked

    async def show_status(request: Request) -> Any:  # noqa: ARG001
        return await asyncio.to_thread(status, cloud)

    async def faults(request: Request) -> Any:
        if request.method == "POST":
            cloud.faults.order(Fault.model_validate_json(await _body(request)))
        elif request.method == "DELETE":
            cloud.faults.lift()
        return {"faults": _faults(cloud)}

    async def start_over(request: Request) -> Any:  # noqa: ARG001
        reset(cloud)
        return await asyncio.to_thread(status, cloud)

    return [
        Route(f"{PREFIX}/status", guarded(show_status), methods=["GET"]),
        Route(f"{PREFIX}/faults", guarded(faults), methods=["GET", "POST", "DELETE"]),
        Route(f"{PREFIX}/reset", guarded(start_over), methods=["POST"]),
    ]


async def _body(request: Request) -> bytes:
    """What was sent; no more of it than makes sense: what is longer is no fault that can be read."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            return b""
    return body


def _words(wrong: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in wrong.errors(include_url=False)
    )
