"""A door whose certificate comes from an ACME server: what differs from one whose certificate is given."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from stacks.certificates import Authority
from tests.unit.program import Registration
from tests.unit.systems import HIDDEN, containers, keeps_the_rules, kept, plain, published, services, system

BUNDLE = Authority.new("tests").issue(["localhost", "postgres", "mysql"])
SECRETS = {
    "celery": {
        "celery_postgres_password": HIDDEN,
        "celery_redis_password": HIDDEN,
        "celery_postgres_certificate": BUNDLE,
    },
    "cloud-api": {
        **dict.fromkeys(
            (
                "cloud_api_mysql_root_password",
                "cloud_api_mysql_password",
                "cloud_api_redis_password",
                "cosyvoice_api_key",
                "gpt_sovits_api_key",
            ),
            HIDDEN,
        ),
        "cloud_api_mysql_certificate": BUNDLE,
    },
    "gpu": dict.fromkeys(("gpu_jwt_secret", "gpu_admin_password"), f"{HIDDEN}-of-at-least-32-characters"),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "celery": {},
    "cloud-api": {"apis": {"kind": "stand-in"}},
    "gpu": {"device": "cpu", "texts": {"kind": "built-in"}},
}
HOSTS = ["audio.example.com", "www.audio.example.com"]


@cache
def given(name: str) -> list[Registration]:
    """With the certificate as a secret."""
    secrets = {**SECRETS[name], f"{name.replace('-', '_')}_certificate": BUNDLE}
    return system(name, {**SETTINGS[name], "nginx": {"hosts": HOSTS}}, secrets)


def issued(name: str, **certificate: Any) -> list[Registration]:
    """With one from Let's Encrypt."""
    wish = {"kind": "acme", "email": "ops@example.com", **certificate}
    return system(name, {**SETTINGS[name], "nginx": {"hosts": HOSTS, "certificate": wish}}, SECRETS[name])


def uploads(inputs: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that are no secrets."""
    found = inputs.get("uploads")
    return found if isinstance(found, list) else []


def reviewed(registrations: list[Registration]) -> list[dict[str, Any]]:
    """Without what differs in every run, and without the text of programs, which have tests of their own."""
    found = plain(registrations)
    for item in found:
        for upload in uploads(item["inputs"]):
            if Path(upload["file"]).suffix in (".py", ".sh"):
                upload["content"] = "<program>"
    certificate = "-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----"
    made: list[dict[str, Any]] = json.loads(re.sub(certificate, "<certificate>", json.dumps(found)))
    return made


@pytest.mark.parametrize("name", SETTINGS)
def test_what_differs_is_as_reviewed(name: str, snapshot: SnapshotAssertion) -> None:
    usual, here = reviewed(given(name)), reviewed(issued(name))
    urns = {item["urn"] for item in here}
    gone = [item["urn"] for item in usual if item["urn"] not in urns]
    assert {"gone": gone, "other": [item for item in here if item not in usual]} == snapshot


@pytest.mark.parametrize("name", SETTINGS)
def test_the_rules_of_the_house_are_kept(name: str) -> None:
    found = issued(name)
    for container in containers(found):
        keeps_the_rules(container, system=name)
    assert published(found).keys() - {"gpu-admin-1"} == {f"{name}-edge-nginx-1"}
    assert {f"{name}-nginx-certs-local", f"{name}-certbot-account-local"} <= kept(found)


def certbot(registrations: list[Registration]) -> Registration:
    (found,) = [item for item in services(registrations) if item.name == "celery-certbot-1"]
    return found


@pytest.mark.parametrize(
    ("wish", "server"),
    [
        ({}, "https://acme-v02.api.letsencrypt.org/directory"),
        ({"staging": True}, "https://acme-staging-v02.api.letsencrypt.org/directory"),
        ({"server": "https://ca.example.com/acme/directory"}, "https://ca.example.com/acme/directory"),
    ],
)
def test_one_setting_chooses_the_server(wish: dict[str, Any], server: str) -> None:
    found = certbot(issued("celery", **wish))
    assert f"ACME_SERVER={server}" in found.inputs["envs"]
    assert f"ACME_DOMAINS={' '.join(HOSTS)}" in found.inputs["envs"]
    assert found.inputs["user"] == "101:101"


def test_an_authority_is_trusted_by_certbot_and_exported(tmp_path: Path) -> None:
    file, root = tmp_path / "ca.pem", Authority.new("ours").certificate
    file.write_text(root)
    found = issued("celery", server="https://ca.example.com/d", authority=str(file))
    assert "ACME_AUTHORITY=/etc/acme/authority.pem" in certbot(found).inputs["envs"]
    carried = [it for item in found for it in uploads(item.inputs) if it["content"] == root]
    assert [it["file"] for it in carried] == ["/etc/acme/authority.pem"]


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_issued_again_is_in_no_backup(name: str) -> None:
    """Only the edge's user may read it, besides."""
    wish = {"kind": "acme", "email": "ops@example.com"}
    settings = {**SETTINGS[name], "nginx": {"hosts": HOSTS, "certificate": wish}, "snapshots": {}}
    secrets = {**SECRETS[name], f"{name.replace('-', '_')}_backup_password": HIDDEN}
    (backup,) = [item for item in system(name, settings, secrets) if item.name == f"{name}-backup-1"]
    held = {mount["target"] for mount in backup.inputs["mounts"] if mount["target"].startswith("/data/")}
    assert held and not [target for target in held if "cert" in target]


@pytest.mark.parametrize(
    ("staging", "checked"),
    [(False, True), (True, False)],
)
def test_health_asks_for_the_certificate_once_there_is_one(staging: bool, checked: bool) -> None:
    found = {item.name: item for item in issued("gpu", staging=staging)}
    (text,) = [
        file["content"]
        for file in found["gpu-healthcheck-config-carrier"].inputs["uploads"]
        if file["file"].endswith("health.json")
    ]
    labels = {check["label"] for check in json.loads(text)["checks"]}
    assert ("certificate" in labels) is checked and "door" in labels
    assert "gpu-certbot-1" in found["gpu-healthcheck-1"].options["depends_on"]
