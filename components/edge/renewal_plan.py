"""When a certificate is asked for, and when not: backoff, and the limits of Let's Encrypt. Pure.

Runs in the container of certbot, too: nothing but Python.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from .renewal_files import Served

LETS_ENCRYPT: Final = "https://acme-v02.api.letsencrypt.org/directory"
STAGING: Final = "https://acme-staging-v02.api.letsencrypt.org/directory"

ALARM: Final = timedelta(days=14)
_KEPT: Final = timedelta(days=90)

Outcome = Literal["begun", "issued", "refused", "unasked"]


@dataclass(frozen=True)
class Wish:
    """What is asked of which ACME server. name: of the file that the edge reads."""

    domains: tuple[str, ...]
    email: str
    server: str
    name: str

    @property
    def key(self) -> str:
        """Of certbot's files: another server or other names are another certificate, and both are kept."""
        words = "\0".join([self.server, *sorted(self.domains)])
        return f"{self.domains[0]}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class Failure:
    """Why there is no certificate, and what helps. asked: the server spent one of its limits on it.

    until: when the server wants to be asked again, if it said so.
    """

    cause: str
    fix: str
    asked: bool = True
    until: datetime | None = None


@dataclass(frozen=True)
class Request:
    """One line of the ledger. `begun` is one that never ended: its process was stopped."""

    at: datetime
    key: str
    server: str
    domains: tuple[str, ...]
    outcome: Outcome
    cause: str = ""
    fix: str = ""
    until: datetime | None = None


@dataclass(frozen=True)
class Limit:
    """A limit of Let's Encrypt's production server; its staging server has none that matters here.

    https://letsencrypt.org/docs/rate-limits/, as of 2025.
    """

    what: str
    most: int
    within: timedelta


_SAME: Final = Limit("certificates for exactly the same names", 5, timedelta(days=7))
_FAILED: Final = Limit("failed validations of one name", 5, timedelta(hours=1))
_DOMAIN: Final = Limit("certificates below one registered domain", 50, timedelta(days=7))


@dataclass(frozen=True)
class Wait:
    """Not before this moment, and why not."""

    until: datetime
    why: str


def due(served: Served | None, now: datetime) -> bool:
    """Whether it is time for a new one: none yet, or a third of the lifetime is left (30 days of 90)."""
    return served is None or now >= served.ends - served.lifetime / 3


def alarming(served: Served) -> timedelta:
    """So much before the end something is wrong; a renewal should have come long before."""
    return min(ALARM, served.lifetime / 4)


def wait(ledger: Sequence[Request], wish: Wish, now: datetime) -> Wait | None:
    """Why not to ask now, the longest reason first; None when nothing stands against it."""
    return _longest([*_limits(ledger, wish, now), *_backoff(ledger, wish)], now)


def limited(ledger: Sequence[Request], wish: Wish, now: datetime) -> Wait | None:
    """As `wait`, but for the limits alone: who asks by hand does not wait for a backoff."""
    return _longest(_limits(ledger, wish, now), now)


def last(ledger: Sequence[Request], wish: Wish) -> Request | None:
    """The newest request for this certificate."""
    return next((it for it in reversed(ledger) if it.key == wish.key), None)


def kept(ledger: Sequence[Request], now: datetime) -> list[Request]:
    """What of the ledger may still count."""
    return [it for it in ledger if it.at > now - _KEPT]


def _longest(waits: Sequence[Wait], now: datetime) -> Wait | None:
    return max((it for it in waits if it.until > now), key=lambda it: it.until, default=None)


def _backoff(ledger: Sequence[Request], wish: Wish) -> list[Wait]:
    mine = [it for it in ledger if it.key == wish.key]
    failed = 0
    for request in reversed(mine):
        if request.outcome == "issued":
            break
        failed += 1
    if not failed:
        return []
    newest = mine[-1]
    # What cost nothing may be tried again soon; the rest never comes near five an hour.
    first, longest = (1, 60) if newest.outcome == "unasked" else (15, 720)
    minutes = min(first * 2 ** min(failed - 1, 20), longest)
    waits = [Wait(newest.at + timedelta(minutes=minutes), f"failure number {failed} in a row")]
    if newest.until:
        waits.append(Wait(newest.until, "the ACME server asked for it"))
    return waits


def _limits(ledger: Sequence[Request], wish: Wish, now: datetime) -> list[Wait]:
    if wish.server != LETS_ENCRYPT:
        return []
    mine = [it for it in ledger if it.server == wish.server]
    issued = [it for it in mine if it.outcome == "issued"]
    asked = [it for it in mine if it.outcome in ("refused", "begun")]
    counted = [(_SAME, [it for it in issued if set(it.domains) == set(wish.domains)])]
    counted += [(_FAILED, [it for it in asked if domain in it.domains]) for domain in wish.domains]
    for registered in {_registered(domain) for domain in wish.domains}:
        below = [it for it in issued if any(_registered(domain) == registered for domain in it.domains)]
        counted.append((_DOMAIN, below))
    waits = []
    for limit, requests in counted:
        recent = [it.at for it in requests if it.at > now - limit.within]
        if len(recent) >= limit.most:
            hours = int(limit.within.total_seconds() // 3600)
            span = "an hour" if hours == 1 else f"{hours // 24} days"
            why = f"Let's Encrypt's limit would be hit: {limit.most} {limit.what} in {span}"
            waits.append(Wait(sorted(recent)[-limit.most] + limit.within, why))
    return waits


def _registered(domain: str) -> str:
    """Near enough: what it counts together wrongly, such as all of co.uk, makes it wait."""
    return ".".join(domain.split(".")[-2:])
