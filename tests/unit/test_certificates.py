"""Certificates for development: what is signed is what a client accepts."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from ops import authority
from ops.errors import UserError
from stacks.certificates import LEAF_DAYS, Authority, authority_of


def certificates(bundle: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(bundle[bundle.index("-----BEGIN CERT") :].encode())


def test_a_bundle_is_key_certificate_and_authority() -> None:
    signer = Authority.new("berth on here")
    bundle = signer.issue(["nginx", "localhost", "127.0.0.1"])
    assert bundle.startswith("-----BEGIN PRIVATE KEY-----")
    leaf, root = certificates(bundle)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["nginx", "localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days == LEAF_DAYS
    leaf.verify_directly_issued_by(root)
    assert authority_of(bundle) == signer.certificate
    assert "PRIVATE" not in authority_of(bundle)


def test_openssl_accepts_it_for_its_hosts_and_no_other(tmp_path: Path) -> None:
    if (openssl := shutil.which("openssl")) is None:
        pytest.fail("openssl is missing")
    signer = Authority.new("berth on here")
    (tmp_path / "ca.pem").write_text(signer.certificate)
    (tmp_path / "leaf.pem").write_text(signer.issue(["nginx"]))

    def verified(host: str) -> bool:
        command = [openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", host]
        command += ["-CAfile", tmp_path / "ca.pem", tmp_path / "leaf.pem"]
        return subprocess.run(command, capture_output=True).returncode == 0

    assert verified("nginx")
    assert not verified("mysql")
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    context.load_cert_chain(tmp_path / "leaf.pem")  # one file is certificate and key


def test_the_authority_of_the_machine_is_made_once_and_kept_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    first = authority.ensure()
    assert authority.ensure() == first
    key = tmp_path / "config" / "berth" / "authority.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_text() == first.key
    assert authority.certificate().read_text() == first.certificate

    key.unlink()
    with pytest.raises(UserError, match=r"not whole: there is .*authority\.pem"):
        authority.ensure()
