"""Whether the address that a stack gives out really answers, and what it answers."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass

from ops.recorded import Door

TIMEOUT = 5.0
# `pass` and `up`: health+json and Spring. A `warn` is told: who asks wants to know.
_GOOD = frozenset(
    {"alive", "available", "green", "healthy", "ok", "okay", "pass", "passing", "ready", "running", "up"}
)
_MOST = 1 << 20  # bytes of an answer that are read


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one public path answered. problem: in words; None when it is as it should be."""

    system: str
    url: str
    problem: str | None

    @property
    def ok(self) -> bool:
        return self.problem is None


def ask(door: Door) -> list[Answer]:
    """Asks every path of the door once."""
    return [
        Answer(system=door.system, url=url, problem=_problem(url, trust(door)))
        for url in (door.url.rstrip("/") + path for path in door.paths)
    ]


def _problem(url: str, trust: ssl.SSLContext) -> str | None:
    # Our own host is not behind a proxy.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
    )
    try:
        with opener.open(url, timeout=TIMEOUT) as answer:
            return complaint(answer.read(_MOST))
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {getattr(error, 'reason', error) or type(error).__name__}"


def trust(door: Door) -> ssl.SSLContext:
    """The world's authorities, and the stack's own."""
    context = ssl.create_default_context()
    if door.authority is not None:
        context.load_verify_locations(cadata=door.authority)
    if door.untrusted:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def complaint(body: bytes) -> str | None:
    """What a health document with status 200 complains about: it serves, but not what was asked of it."""
    try:
        said = json.loads(body)
    except ValueError:
        return None
    if not isinstance(said, dict):
        return None
    if said.get("config") == "rejected":
        return "its new configuration was rejected, it serves the old one (`docker logs` says why)"
    if "status" in said and not _is_good(said["status"]):
        return f"it answers with status {json.dumps(said['status'])[:80]}"
    return None


def _is_good(status: object) -> bool:
    """Whether a health document's status says that all is well; a word that nobody knows does not say so."""
    if isinstance(status, bool):
        return status
    if isinstance(status, int):  # some repeat HTTP's
        return 200 <= status < 300
    return isinstance(status, str) and status.strip().lower() in _GOOD
