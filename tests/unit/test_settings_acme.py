"""Certificates from ACME servers that cannot be had are named in the one report, with what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stacks.edge_settings import EdgeService
from tests.unit.test_settings_certificates import problems, settings

WISH = {"kind": "acme", "email": "ops@example.com"}
HOSTS = ["audio.example.com"]
OWN = {"server": "https://ca.example.com/acme/directory"}


def door(certificate: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"hosts": HOSTS, "certificate": {**WISH, **(certificate or {})}, **fields}


@pytest.mark.parametrize(
    "nginx",
    [
        door(),
        door({"staging": True}),
        door(OWN, hosts=["audio.berth.test", "nginx"], http_port=8080, address="127.0.0.1"),
    ],
)
def test_what_can_be_had_asks_for_no_secret(nginx: dict[str, Any]) -> None:
    assert EdgeService(**nginx).bundle("cloud-api", {}) is None
    assert [*EdgeService(**nginx).certificate_requests("cloud-api")] == []


@pytest.mark.parametrize(
    ("nginx", "problem"),
    [
        (door(hosts=["localhost"]), "'localhost' in hosts: no name that is certified; allowed: names like"),
        ({"certificate": WISH}, "'localhost' in hosts: no name that is certified"),
        (door(hosts=["203.0.113.7"]), "'203.0.113.7' in hosts: no name that is certified"),
        (
            door(hosts=["audio"]),
            "'audio' in hosts: Let's Encrypt certifies public names only; allowed: a name",
        ),
        (door(hosts=["a.example.com", "audio.local"]), "'audio.local' in hosts: Let's Encrypt certifies"),
        (
            door(hosts=[f"h{n}.example.com" for n in range(101)]),
            "101 hosts in one certificate; allowed: up to",
        ),
        (door(http_port=8010), "Let's Encrypt asks port 80 of the host, and this door has port 8010"),
        (door(address="127.0.0.1"), "this door has port 80 on 127.0.0.1; allowed: http_port 80 on a public"),
    ],
)
def test_a_door_that_nobody_certifies_is_refused(nginx: dict[str, Any], problem: str) -> None:
    found = problems(nginx=nginx)
    assert any(it.startswith("berth:cloud-api.nginx.certificate") and problem in it for it in found), found


@pytest.mark.parametrize(
    ("wish", "path", "problem"),
    [
        ({"email": "ops"}, ".email", "an e-mail address, like ops@example.com"),
        ({"email": None}, ".email", "allowed"),
        ({**OWN, "staging": True}, "", "staging is Let's Encrypt's; allowed: either staging or server"),
        ({"server": "ca.example.com"}, ".server", "http"),
        (
            {"authority": "no/such.pem"},
            ".authority",
            "cannot be used (No such file or directory); allowed: a",
        ),
        ({"authority": "README.md"}, ".authority", "cannot be used (no certificate in it); allowed: a PEM"),
        ({"domains": ["x.example.com"]}, ".domains", "unknown"),
    ],
)
def test_a_wrong_field_is_named_with_its_path(wish: dict[str, Any], path: str, problem: str) -> None:
    found = problems(nginx=door(wish))
    where = f"berth:cloud-api.nginx.certificate{path}: "
    assert any(it.startswith(where) and problem in it for it in found), found


def test_a_key_in_the_place_of_an_authority_is_not_shown(tmp_path: Path) -> None:
    from tests.unit.test_settings_certificates import GOOD

    (tmp_path / "ca.pem").write_text(GOOD)
    read = EdgeService(**door({**OWN, "authority": str(tmp_path / "ca.pem")})).certificate
    assert "PRIVATE" not in str(read.trusted())  # type: ignore[union-attr]


def test_the_secret_of_before_is_named() -> None:
    assert problems(nginx=door()) == [
        "berth:secrets.cloud_api_certificate: no chosen system has such a secret; known: "
        "cloud_api_mysql_root_password, cloud_api_mysql_password, cloud_api_mysql_certificate, "
        "cloud_api_redis_password, cosyvoice_api_key, gpt_sovits_api_key"
    ]
    assert settings().stack
