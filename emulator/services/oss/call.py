"""How an operation of OSS is declared, and what it gets to know of its request.

An operation names the parts of the query and the x-oss- headers that it understands; a request with others is
refused by name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from emulator.api.call import Caller
from emulator.cloud import Cloud
from emulator.services.oss import errors, xml
from emulator.services.oss.files import Files

Scope = Literal["service", "bucket", "object"]
LARGEST_XML: Final = 2 << 20
META: Final = "x-oss-meta-"


@dataclass(frozen=True)
class OssCall:
    """One request. Header names are lower case."""

    cloud: Cloud
    files: Files
    operation: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    region: str
    """Where it was sent to: signed in version 4, or of the host's name; else the default."""
    region_known: bool
    caller: Caller | None
    """None: nobody signed it."""
    request_id: str
    now: datetime
    stream: Callable[[], AsyncIterator[bytes]]

    async def body(self) -> bytes:
        """All of it, where it is a document. Raises OssError for one that is too large."""
        found = b""
        async for chunk in self.stream():
            found += chunk
            if len(found) > LARGEST_XML:
                raise errors.OssError(
                    400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size."
                )
        return found

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A number of the query. Raises OssError."""
        text = self.query.get(name) or str(default)
        if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
            raise errors.argument(name, text)
        return int(text)

    def one_of(self, header: str, choices: tuple[str, ...], default: str) -> str:
        found = self.headers.get(header, default)
        if found not in choices:
            raise errors.argument(header, found)
        return found


@dataclass
class Reply:
    """What goes back. `chunks` instead of `body` where it is too large; its length is a header then."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: Iterator[bytes] | None = None


def answered(root: str, content: dict[str, Any], **headers: str) -> Reply:
    """An answer in XML."""
    said = {"content-type": "application/xml"} | headers
    return Reply(200, said, xml.document(root, content))


Run = Callable[[OssCall], Awaitable[Reply]]


@dataclass(frozen=True)
class Operation:
    name: str
    run: Run
    query: frozenset[str]
    headers: frozenset[str]
    public: str
    """What an ACL must allow for a caller who did not sign: read, write, or nothing would do."""

    def check(self, call: OssCall, ignored: frozenset[str]) -> None:
        """Refuse what the operation would ignore."""
        for name in call.query:
            if name not in self.query and name not in ignored:
                raise errors.not_served(f"{self.name} with {name}")
        for name in call.headers:
            if not name.startswith("x-oss-") or name in ignored or name in self.headers:
                continue
            if not (name.startswith(META) and META in self.headers):
                raise errors.not_served(f"{self.name} with {name}")


OPERATIONS: Final[dict[tuple[Scope, str, str], Operation]] = {}
"""By what they are for, the method, and the sub-resource."""


def operation(
    name: str,
    method: str,
    scope: Scope,
    sub: str = "",
    *,
    query: str = "",
    headers: str = "",
    public: str = "",
) -> Callable[[Run], Run]:
    """Serve the function. query, headers: what it understands beside the sub-resource, in one text."""

    def declared(run: Run) -> Run:
        parts = frozenset(query.split()) | ({sub.partition("+")[0]} if sub else set())
        OPERATIONS[(scope, method, sub)] = Operation(name, run, parts, frozenset(headers.split()), public)
        return run

    return declared
