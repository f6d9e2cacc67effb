"""Whether a certificate can serve: one PEM text with the private key, the leaf and its chain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


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
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    fix = "give one PEM text: private key, then the certificate, then its chain"
    data = pem.encode()
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError):
        return Fault("no private key without a passphrase in it", fix)
    try:
        chain = x509.load_pem_x509_certificates(data)
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
        if certificate.not_valid_after_utc <= now:
            return Fault(f"{subject} expired on {certificate.not_valid_after_utc:%Y-%m-%d}", "renew it")
        if certificate.not_valid_before_utc > now:
            return Fault(
                f"{subject} is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on",
                "wait, or correct this machine's clock",
            )
    return None
