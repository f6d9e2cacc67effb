"""The settings of a system's public door, as they reach its nginx."""

from __future__ import annotations

from typing import Any

from components.edge.sites import SECURITY
from stacks.certificates import Authority
from stacks.edge_settings import EdgeService
from tests.unit.program import Registration
from tests.unit.systems import HIDDEN, system


def text(**nginx: Any) -> str:
    """The configuration of celery's door."""
    bundle = Authority.new("tests").issue(["localhost", "postgres"])
    secrets = {
        "celery_postgres_password": f"{HIDDEN}-1",
        "celery_redis_password": f"{HIDDEN}-2",
        "celery_postgres_certificate": bundle,
        "celery_certificate": bundle,
    }
    found = system("celery", {"nginx": nginx}, secrets)
    (said,) = [upload for item in found for upload in uploads(item) if upload.startswith("worker_processes")]
    return said


def uploads(item: Registration) -> list[str]:
    """The texts that a container is made with."""
    given = item.inputs.get("uploads")
    return [str(upload.get("content")) for upload in given] if isinstance(given, list) else []


def test_a_door_answers_to_its_hosts_and_to_this_machine() -> None:
    door = EdgeService(hosts=("audio.example.com", "example.com"))
    own = ("localhost", "127.0.0.1")
    assert door.names("127.0.0.1") == ("audio.example.com", "example.com", *own)
    assert door.names("Shop.example.com")[-1] == "shop.example.com"
    assert door.names("no_name_of_the_web") == door.names("127.0.0.1")
    assert EdgeService(address="10.0.0.5").names("127.0.0.1") == (*own, "10.0.0.5")


def test_only_known_names_are_answered() -> None:
    said = text(hosts=["audio.example.com"])
    assert said.count("server_name audio.example.com localhost 127.0.0.1;") == 2
    assert "return 301 https://audio.example.com$request_uri;" in said


def test_headers_and_hsts_are_settings() -> None:
    said = text(
        hsts="0s",
        headers={"content-security-policy": "default-src *", "X-Frame-Options": None, "X-Robots-Tag": "none"},
    )
    assert 'add_header content-security-policy "default-src *" always;' in said
    assert "add_header X-Robots-Tag none always;" in said
    assert "X-Frame-Options" not in said and "default-src 'self'" not in said
    assert "default max-age=0;" in said
    assert all(f"add_header {header.name} " in text() for header in SECURITY)


def test_a_clients_requests_can_be_limited() -> None:
    assert "limit_req_zone" not in text() and "limit_req zone" not in text()
    said = text(rate={"per_second": 30, "burst": 60})
    # All four routes but none twice.
    assert said.count("limit_req_zone ") == said.count("limit_req zone=") == 4
    assert said.count("rate=30r/s;") == said.count("burst=60 nodelay;") == 4
