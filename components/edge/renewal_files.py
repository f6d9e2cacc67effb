"""The certificates that an edge reads, as files: whole or not at all, and the one before is kept.

Runs in the container of certbot, too: nothing but Python, cryptography and certificate.py.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from .certificate import certificates, fault, span

_PLACEHOLDER: Final = "no certificate was issued yet"


@dataclass(frozen=True)
class Served:
    """What is known of a certificate. `placeholder`: made here, so that the edge could start."""

    text: str
    names: frozenset[str]
    begins: datetime
    ends: datetime
    placeholder: bool = False

    @property
    def lifetime(self) -> timedelta:
        return self.ends - self.begins


class Certificates:
    """A folder with `NAME.pem` (key, leaf, chain) and `previous/NAME.pem`; its owner alone may read them."""

    def __init__(self, folder: Path, name: str) -> None:
        self.file, self.previous = folder / f"{name}.pem", folder / "previous" / f"{name}.pem"

    def current(self) -> Served | None:
        """The one that the edge reads; None without one, or with one that nothing can be made of."""
        try:
            return described(self.file.read_text())
        except (OSError, ValueError):
            return None

    def place(self, text: str, *, now: datetime | None = None) -> None:
        """Lets the edge have this one. Raises ValueError for one that no client would accept."""
        if found := fault(text, now=now):
            raise ValueError(f"{found.cause}; fix: {found.fix}")
        self.previous.parent.mkdir(mode=0o700, exist_ok=True)
        if (served := self.current()) and not served.placeholder:
            _write(self.previous, served.text)
        _write(self.file, text)

    def hold_place(self, names: tuple[str, ...]) -> None:
        """A certificate that nobody trusts, where there is none: nginx does not start without."""
        self.previous.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.current() is None:
            _write(self.file, placeholder(names))


def described(text: str) -> Served:
    """Raises ValueError for a text without a certificate."""
    from cryptography import x509

    leaf = certificates(text)[0]
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = frozenset(extension.value.get_values_for_type(x509.DNSName))
    except x509.ExtensionNotFound:
        names = frozenset()
    begins, ends = span(leaf)
    return Served(text, names, begins, ends, placeholder=_PLACEHOLDER in leaf.subject.rfc4514_string())


def placeholder(names: tuple[str, ...]) -> str:
    """Key and self-signed certificate as one PEM text, for longer than any first request may take."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, _PLACEHOLDER)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return (private + certificate.public_bytes(Encoding.PEM)).decode()


def _write(file: Path, text: str) -> None:
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)
