"""Answers held against the SDKs' models: no field that a client does not know, no value of another type.

It stands between the server and the application, so that it sees what every client is answered. What it saw
is the record that COVERAGE.md is made from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from emulator import coverage
from emulator.server import SERVICES

_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "str": str,
    "int": int,
    "bool": bool,
    "float": (int, float),
}
_AGENTS: Final = (("Terraform", "provider"), ("berth", "plugin"), ("AlibabaCloud", "SDK"))
"""What stands in the User-Agent of a client, and its name in COVERAGE.md."""


class Watched:
    """The application, and what was wrong with its answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.problems: list[str] = []
        self.seen: coverage.Answered = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = bytearray()
        answered = bytearray()
        status = 0

        async def reading() -> Message:
            message = await receive()
            asked.extend(message.get("body", b""))
            return message

        async def sending(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            answered.extend(message.get("body", b""))
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body") and status == 200:
                self._look(scope, asked.decode(errors="replace"), answered.decode(errors="replace"))

        await self._app(scope, reading, sending)

    def _look(self, scope: Scope, asked: str, answered: str) -> None:
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        given = dict(parse_qsl(scope["query_string"].decode())) | dict(parse_qsl(asked))
        action = headers.get("x-acs-action") or given.get("Action", "")
        service = SERVICES.get(headers.get("x-acs-version") or given.get("Version", ""))
        if service is None or action not in service.actions:
            return
        seen = self.seen.setdefault(service.product, {}).setdefault(action, {"fields": [], "clients": []})
        fields: set[str] = set()
        model = coverage.answer_of(service.product, action)
        for problem in compared(model, json.loads(answered), action, "", fields):
            self.problems.append(problem)
        agent = headers.get("user-agent", "")
        client = next((name for mark, name in _AGENTS if mark in agent), None)
        seen["fields"] = sorted(fields.union(seen["fields"]))
        seen["clients"] = sorted({*seen["clients"], *([client] if client else [])})


def compared(model: type, answer: dict[str, Any], action: str, above: str, fields: set[str]) -> Iterator[str]:
    """What is wrong with an answer, in words; the fields that it has are added to `fields`."""
    known = coverage.kinds(model)
    for name, value in answer.items():
        place = f"{action}: {above}{name}"
        kind = known.get(name)
        if kind is None:
            yield f"{place} is not known to {model.__name__}"
            continue
        fields.add(f"{above}{name}")
        if kind.listed and not isinstance(value, list):
            yield f"{place} is no list"
            continue
        for one in value if kind.listed else [value]:
            if kind.model is not None:
                if isinstance(one, dict):
                    yield from compared(kind.model, one, action, f"{above}{name}.", fields)
                else:
                    yield f"{place} is no object: {one!r}"
            elif (type_ := _TYPES.get(kind.name)) is not None and (
                not isinstance(one, type_) or (isinstance(one, bool) and kind.name != "bool")
            ):
                yield f"{place} is no {kind.name}: {one!r}"


_all: coverage.Answered = {}


def record(watched: Watched) -> None:
    """Keep what was seen, for `write`."""
    for product, actions in watched.seen.items():
        for action, seen in actions.items():
            kept = _all.setdefault(product, {}).setdefault(action, {"fields": [], "clients": []})
            for part, values in seen.items():
                kept[part] = sorted({*kept[part], *values})


def write() -> None:
    """With BERTH_ANSWERED in the environment: write down what was answered, for the actions that were called.

    For a run of all of tests/cloud in one process: fields that no test of this run saw leave the record.
    Clients stay, as some need what is not there in every run.
    """
    if not os.environ.get("BERTH_ANSWERED"):
        return
    kept = coverage.recorded() if coverage.ANSWERED.exists() else {}
    for product, actions in _all.items():
        before = kept.setdefault(product, {})
        for action, seen in actions.items():
            clients = {*seen["clients"], *before.get(action, {}).get("clients", ())}
            before[action] = {"fields": seen["fields"], "clients": sorted(clients)}
    coverage.ANSWERED.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
