"""Whether a certificate can serve: one PEM text with the private key, the leaf and its chain.

Runs in the container of certbot, too: nothing but Python and cryptography, also that of Debian 12 (38).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class Fault:
    """Why no client would accept a certificate, and what helps. Neither has any of its text."""

    cause: str
    fix: str


def check_certificate(name: str, pem: str, *, now: datetime | None = None) -> str:
    """`pem` as it is. Raises ValueError, never with any of the text, for one that no client would accept."""
    if found := fault(pem, now=now):
        raise ValueError(f"certificate {name}: {found.cause}\n  fix: {found.fix}")
    return pem


def fault(pem: str, *, now: datetime | None = None) -> Fault | None:
    """What is wrong with a certificate, if anything is."""
    # Loaded late: a program without certificates does without it.
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    fix = "give one PEM text: private key, then the certificate, then its chain"
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError):
        return Fault("no private key without a passphrase in it", fix)
    try:
        chain = certificates(pem)
    except ValueError:
        return Fault("no certificate in it", fix)
    leaf = chain[0]
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if leaf.public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        return Fault(
            "its first certificate does not match its private key",
            "give the key that the certificate was asked for with, and the leaf before its chain",
        )
    now = now or datetime.now(UTC)
    for certificate in chain:
        subject = certificate.subject.rfc4514_string() or "a certificate"
        begins, ends = span(certificate)
        if ends <= now:
            return Fault(f"{subject} expired on {ends:%Y-%m-%d}", "renew it")
        if begins > now:
            return Fault(
                f"{subject} is valid from {begins:%Y-%m-%d %H:%M} UTC on",
                "wait, or correct this machine's clock",
            )
    return None


def certificates(pem: str) -> list[Certificate]:
    """Those of a PEM text, in its order. Raises ValueError when there is none, or one that is none."""
    from cryptography import x509

    found = [x509.load_pem_x509_certificate((_BEGIN + part).encode()) for part in pem.split(_BEGIN)[1:]]
    if not found:
        raise ValueError("no certificate")
    return found


def span(certificate: Certificate) -> tuple[datetime, datetime]:
    """From when until when it is valid, in UTC."""
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc
    # Before cryptography 42.
    return certificate.not_valid_before.replace(tzinfo=UTC), certificate.not_valid_after.replace(tzinfo=UTC)
