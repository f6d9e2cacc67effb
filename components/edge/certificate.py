"""Whether a certificate can serve: one PEM text with the private key, the leaf and its chain."""

from __future__ import annotations

from datetime import UTC, datetime


def check_certificate(name: str, pem: str, *, now: datetime | None = None) -> str:
    """`pem` as it is. Raises ValueError, never with any of the text, for one that no client would accept."""
    # Loaded late: a program without certificates does without it.
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    fix = "fix: give one PEM text: private key, then the certificate, then its chain"
    data = pem.encode()
    try:
        key = load_pem_private_key(data, None)
    except (ValueError, TypeError) as error:
        raise ValueError(f"certificate {name}: no private key without a passphrase in it\n  {fix}") from error
    try:
        chain = x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise ValueError(f"certificate {name}: no certificate in it\n  {fix}") from error
    leaf = chain[0]
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if leaf.public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        raise ValueError(
            f"certificate {name}: its first certificate does not match its private key\n"
            "  fix: give the key that the certificate was asked for with, and the leaf before its chain"
        )
    now = now or datetime.now(UTC)
    for certificate in chain:
        subject = certificate.subject.rfc4514_string() or "a certificate"
        if certificate.not_valid_after_utc <= now:
            raise ValueError(
                f"certificate {name}: {subject} expired on {certificate.not_valid_after_utc:%Y-%m-%d}\n"
                "  fix: renew it"
            )
        if certificate.not_valid_before_utc > now:
            raise ValueError(
                f"certificate {name}: {subject} is valid from "
                f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on\n"
                "  fix: wait, or correct this machine's clock"
            )
    return pem
