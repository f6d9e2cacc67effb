"""Certificates that cannot serve are named in the one report, before anything is registered."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from components.edge import certificate
from stacks.certificates import Authority
from stacks.edge_settings import EdgeService
from stacks.problems import SettingsError
from stacks.secrets import SEALED
from stacks.settings import Settings, load

AUTHORITY = Authority.new("berth in a test")
GOOD, OTHER = (AUTHORITY.issue(["localhost", "mysql"]) for _ in range(2))
WORD = "a-word-that-must-not-show"
BEGIN = "-----BEGIN CERTIFICATE-----"


def key_of(bundle: str) -> str:
    return bundle.partition(BEGIN)[0]


def chain_of(bundle: str) -> str:
    return BEGIN + bundle.partition(BEGIN)[2]


def settings(secrets: dict[str, Any] | None = None, *, certificates: bool = True, **system: Any) -> Settings:
    config = {
        "berth:systems": json.dumps(["cloud-api"]),
        "berth:images": json.dumps({"source": "local"}),
        "berth:cloud-api": json.dumps({"apis": {"kind": "stand-in"}, **system}),
        "berth:secrets": json.dumps(
            dict.fromkeys(
                (
                    "cloud_api_mysql_root_password",
                    "cloud_api_mysql_password",
                    "cloud_api_redis_password",
                    "cosyvoice_api_key",
                    "gpt_sovits_api_key",
                ),
                WORD,
            )
            | {"cloud_api_mysql_certificate": GOOD, "cloud_api_certificate": GOOD}
            | (secrets or {})
        ),
    }
    return load(config, ["berth:secrets"], stack="dev", certificates=certificates)


def problems(secrets: dict[str, Any] | None = None, **system: Any) -> list[str]:
    with pytest.raises(SettingsError) as error:
        settings(secrets, **system)
    text = str(error.value)
    assert WORD not in text and "BEGIN" not in text
    assert not any(line in text for line in key_of(GOOD).splitlines()[1:-1])
    return [str(problem) for problem in error.value.problems]


def test_good_and_sealed_ones_pass() -> None:
    assert settings().secrets["cloud_api_certificate"] == GOOD
    settings({"cloud_api_certificate": SEALED, "cloud_api_mysql_certificate": SEALED})


def test_all_wrong_secrets_are_named_together() -> None:
    mixed = key_of(GOOD) + chain_of(OTHER)
    assert problems({"cloud_api_mysql_certificate": mixed, "cloud_api_certificate": chain_of(GOOD)}) == [
        "berth:secrets.cloud_api_certificate: no private key without a passphrase in it; fix: give one PEM "
        "text: private key, then the certificate, then its chain",
        "berth:secrets.cloud_api_mysql_certificate: its first certificate does not match its private key; "
        "fix: give the key that the certificate was asked for with, and the leaf before its chain",
    ]


def test_an_expired_one_is_refused_with_its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    later = datetime.now(UTC) + timedelta(days=400)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Clock":
            return cls.fromtimestamp(later.timestamp(), tz)

    monkeypatch.setattr(certificate, "datetime", Clock)
    found = problems()
    assert len(found) == 2
    assert found[0].startswith("berth:secrets.cloud_api_certificate: CN=localhost expired on 20")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "tls.key").write_text(key_of(GOOD))
    (tmp_path / "tls.pem").write_text(chain_of(GOOD))
    given = {"kind": "files", "certificate": str(tmp_path / "tls.pem"), "key": str(tmp_path / "tls.key")}
    return {"certificate": given}


def test_files_that_match_pass_and_ask_for_no_secret(files: dict[str, Any]) -> None:
    assert problems(nginx=files) == [
        "berth:secrets.cloud_api_certificate: no chosen system has such a secret; known: "
        "cloud_api_mysql_root_password, cloud_api_mysql_password, cloud_api_mysql_certificate, "
        "cloud_api_redis_password, cosyvoice_api_key, gpt_sovits_api_key"
    ]


def test_files_that_do_not_match_are_named(files: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "tls.key").write_text(key_of(OTHER))
    assert any(
        line.startswith("berth:cloud-api.nginx.certificate: ") and "does not match its private key" in line
        for line in problems(nginx=files)
    )


def test_a_certificate_beside_the_key_does_not_hide_the_given_one(
    files: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "tls.key").write_text(OTHER)
    assert any("does not match its private key" in line for line in problems(nginx=files))
    (tmp_path / "tls.key").write_text(GOOD)
    (tmp_path / "tls.pem").write_text(GOOD)
    assert EdgeService(certificate=files["certificate"]).bundle("cloud-api", {}) == GOOD


def test_files_that_are_not_there_are_named_each(files: dict[str, Any], tmp_path: Path) -> None:
    for name in ("tls.key", "tls.pem"):
        (tmp_path / name).unlink()
    found = [line for line in problems(nginx=files) if "nginx" in line]
    assert [line.partition(":")[2].split(": ")[0] for line in found] == [
        "cloud-api.nginx.certificate.certificate",
        "cloud-api.nginx.certificate.key",
    ]
    assert all("cannot be read (No such file or directory)" in line for line in found)


def test_files_are_left_alone_where_the_program_does_not_run(files: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "tls.key").unlink()
    with pytest.raises(SettingsError) as error:
        settings(certificates=False, nginx=files)
    assert [it.path for it in error.value.problems] == ["berth:secrets.cloud_api_certificate"]


def test_a_key_given_in_the_place_of_its_path_is_not_shown(files: dict[str, Any]) -> None:
    files["certificate"]["key"] = key_of(GOOD)
    assert any("certificate.key: cannot be read" in line for line in problems(nginx=files))
