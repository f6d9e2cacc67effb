"""How long the certificate of a door still serves, as its clients see it."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from urllib.parse import urlsplit

from ops.condition import Finding, State
from ops.health import TIMEOUT, trust
from ops.recorded import Door

WARNING, CRITICAL = 21, 3  # days; whoever renews by themselves do so before
_HINT = "renew it (docs/certificates.md), then ./berth up; `./berth logs certbot` says why it is not renewed"


def look(door: Door, *, now: datetime | None = None) -> list[Finding]:
    """Of a door with HTTPS; nothing of another one."""
    parts = urlsplit(door.url)
    if parts.scheme != "https" or parts.hostname is None:
        return []
    try:
        ends = _ends(door, parts.hostname, parts.port or 443)
    except ssl.SSLCertVerificationError as error:
        return [_finding(door, State.UNHEALTHY, f"no client accepts it: {error.verify_message}")]
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return [_finding(door, State.UNHEALTHY, f"{door.url} shows none: {reason}")]
    days = (ends - (now or datetime.now(UTC))).total_seconds() / 86400
    return [_finding(door, judge(days), f"{door.url} has one for {days:.0f} more days")]


def judge(days: float) -> State:
    """How it is with so many days left."""
    if days < CRITICAL:
        return State.UNHEALTHY
    return State.WARNING if days < WARNING else State.HEALTHY


def _ends(door: Door, host: str, port: int) -> datetime:
    from cryptography.x509 import load_der_x509_certificate

    with (
        socket.create_connection((host, port), timeout=TIMEOUT) as wire,
        trust(door).wrap_socket(wire, server_hostname=host) as secure,
    ):
        shown = secure.getpeercert(binary_form=True)
    if shown is None:
        raise ssl.SSLError("no certificate")
    return load_der_x509_certificate(shown).not_valid_after_utc


def _finding(door: Door, state: State, reason: str) -> Finding:
    hint = "" if state is State.HEALTHY else _HINT
    return Finding(system=door.system, check="door-certificate", state=state, reason=reason, hint=hint)
