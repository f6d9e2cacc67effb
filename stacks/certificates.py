"""Certificates for development: a small authority of this machine, and what it signs for a stack.

A certificate is one PEM text: its private key, itself, and the authority's certificate last. Imports nothing
of ours; `cryptography` is loaded only where one is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import CertificateBuilder, GeneralName, KeyUsage, Name

AUTHORITY_DAYS: Final = 3650
LEAF_DAYS: Final = 397
"""The most that browsers take from an authority that they trust (CA/Browser Forum, ballot SC31: 398 days)."""


@dataclass(frozen=True)
class Authority:
    """Signs certificates. `certificate`: public PEM, for developers to trust. `key` stays on the machine."""

    certificate: str
    key: str

    @classmethod
    def new(cls, name: str) -> Authority:
        """A new one; `name` shows in the browser's list of authorities."""
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        builder = _builder(subject, subject, key, days=AUTHORITY_DAYS).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        signing = _usage(key_cert_sign=True, crl_sign=True)
        return cls(_pem(builder.add_extension(signing, critical=True), key), _key_pem(key))

    def issue(self, hosts: Sequence[str]) -> str:
        """A new certificate with its key and this authority, for these names and addresses of a server."""
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
        from cryptography.x509.oid import ExtendedKeyUsageOID

        issuer = x509.load_pem_x509_certificate(self.certificate.encode())
        signer = load_pem_private_key(self.key.encode(), password=None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _builder(_name(hosts[0]), issuer.subject, key, days=LEAF_DAYS)
            .add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
            )
        )
        return _key_pem(key) + _pem(builder, signer) + self.certificate


def authority_of(bundle: str) -> str:
    """The last certificate of a PEM bundle: what clients check the others with. It is public."""
    return BEGIN + bundle.rpartition(BEGIN)[2].rstrip() + "\n"


def public_of(bundle: str) -> str:
    """The certificates of a PEM bundle, without its private key."""
    return "".join(BEGIN + part.partition(_END)[0] + _END + "\n" for part in bundle.split(BEGIN)[1:])


BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def _builder(subject: Name, issuer: Name, key: EllipticCurvePrivateKey, *, days: int) -> CertificateBuilder:
    from cryptography import x509

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # Clocks of containers and browsers are not all right to the second.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _host(host: str) -> GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(builder: CertificateBuilder, signer: EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _key_pem(key: EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
