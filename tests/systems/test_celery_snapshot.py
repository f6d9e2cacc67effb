"""The celery system: all children, inputs and options, as reviewed. URNs are a contract."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from stacks.certificates import Authority
from tests.unit.program import SECRET, Registration
from tests.unit.systems import (
    HIDDEN,
    containers,
    keeps_the_rules,
    kept,
    labels,
    plain,
    published,
    services,
    system,
)

MODES: dict[str, dict[str, Any]] = {
    "default": {},
    "engine": {"data": {"kind": "engine"}, "app": {"replicas": 1}, "worker": {"replicas": 1}},
    "encrypted": {"data": {"kind": "encrypted", "root": "/srv/sealed"}},
}
ADDRESSES = {
    "celery-edge-nginx-1": "172.20.0.10",
    "celery-app-1": "172.20.0.20",
    "celery-postgres-server-1": "172.20.0.30",
    "celery-redis-server-1": "172.20.0.40",
}
# Of the official images, and of our own.
USERS = {"postgres": "70:70", "dump": "70:70", "redis": "999:1000", "nginx": "101:101"}


@cache
def _secrets() -> dict[str, str]:
    # No bundle as the engine reads it would be the same twice, nor would the texts made of it.
    bundle = Authority.new("tests").issue(["localhost", "postgres"])
    return {
        "celery_postgres_password": f"{HIDDEN}-1",
        "celery_redis_password": f"{HIDDEN}-2",
        "celery_postgres_certificate": bundle,
        "celery_certificate": bundle,
    }


@cache
def mode_of(name: str) -> list[Registration]:
    """What that mode registers; made once."""
    return system("celery", MODES[name], _secrets())


def called(name: str, mode: str = "default") -> Registration:
    """The one with this name."""
    (found,) = [item for item in mode_of(mode) if item.name == name]
    return found


def without_certificates(found: list[dict[str, Any]]) -> Any:
    """Certificates differ in every run; what they are is in what they replace."""
    text = json.dumps(found)
    bundle = _secrets()["celery_certificate"]
    begin = "-----BEGIN CERTIFICATE-----"
    whole, last = begin + bundle.partition(begin)[2], begin + bundle.rpartition(begin)[2]
    for pem, word in ((whole, "<certificates>\n"), (last, "<authority>\n")):
        text = text.replace(json.dumps(pem)[1:-1], json.dumps(word)[1:-1])
    assert "-----BEGIN" not in text
    return json.loads(text)


@pytest.mark.parametrize("mode", MODES)
def test_system_is_as_reviewed(mode: str, snapshot: SnapshotAssertion) -> None:
    found = mode_of(mode) if mode == "default" else _different(mode_of(mode), mode_of("default"))
    assert without_certificates(plain(found)) == snapshot


def _different(registrations: list[Registration], than: list[Registration]) -> list[Registration]:
    return [item for item in registrations if item not in than]


@pytest.mark.parametrize("mode", MODES)
def test_every_container_keeps_the_rules_of_the_house(mode: str) -> None:
    for container in containers(mode_of(mode)):
        keeps_the_rules(container, system="celery")
        role = labels(container)["berth.service"]
        if container.name == "celery-directories-make-run":
            assert container.inputs["user"] == "0:0", "only root hands folders over"
            assert container.inputs["capabilities"]["adds"] == [
                "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"
            ]  # fmt: skip
        elif container.name.endswith("-step"):
            assert container.inputs["user"] in ("10001:10001", "101:101")
        else:
            assert container.inputs["user"] == USERS.get(role, "10001:10001"), container.name


def test_only_the_doors_ports_are_published() -> None:
    assert published(mode_of("default")) == {
        "celery-edge-nginx-1": [
            {"internal": port, "external": port, "ip": "0.0.0.0", "protocol": "tcp"} for port in (80, 443)
        ]
    }


def test_secrets_are_files_and_nothing_else() -> None:
    for item in mode_of("default"):
        told = dict(item.inputs)
        if item.name.endswith("-carrier"):
            assert SECRET in json.dumps(told.pop("uploads")) or "-secrets-" not in item.name
        assert SECRET not in json.dumps(told), item.name
    env = called("celery-app-1").inputs["envs"]
    assert "DATABASE_PASSWORD_FILE=/run/secrets/celery_postgres_password" in env
    assert "REDIS_PASSWORD_FILE=/run/secrets/celery_redis_password" in env


def test_addresses_are_those_of_the_document() -> None:
    found = {
        item.name: network["ipv4Address"]
        for item in services(mode_of("default"))
        for network in item.inputs["networksAdvanced"]
        if "ipv4Address" in network
    }
    assert found == ADDRESSES
    network = called("celery-network-bridge").inputs
    assert network["name"] == "taifish_network"
    assert network["ipamConfigs"] == [{"subnet": "172.20.0.0/16", "ipRange": "172.20.128.0/17"}]


def test_data_is_protected_and_retained_in_the_folders_of_the_document() -> None:
    devices = {
        item.name: item.inputs["driverOpts"]["device"]
        for item in mode_of("default")
        if item.name in kept(mode_of("default"))
    }
    assert devices == {
        "celery-postgres-data-local": "/opt/taifish/data/postgres",
        "celery-redis-data-local": "/opt/taifish/data/redis",
        "celery-backups-local": "/opt/taifish/backups",
        **{
            f"celery-app-{folder}-local": f"/opt/taifish/data/app/{folder}"
            for folder in ("logs", "uploads", "exports", "backups")
        },
    }
    assert kept(mode_of("engine")) == set(devices)


def test_the_folders_are_made_with_their_owners() -> None:
    script = called("celery-directories-make-run").inputs["command"][0]
    made = {line[5:] for line in script.splitlines() if line.startswith("make ")}
    assert made == {
        "data/postgres 70:70 700",
        "data/redis 999:1000 700",
        *(f"data/app/{folder} 10001:10001 750" for folder in ("logs", "uploads", "exports", "backups")),
        "ssl 10001:10001 755",
        "logs 10001:10001 755",
        "backups 70:70 700",
    }
    assert "is not encrypted (dm-crypt)" not in script
    sealed = called("celery-directories-make-run", "encrypted").inputs["command"][0]
    assert "/srv/sealed lies on device $device, which is not encrypted (dm-crypt)" in sealed


def test_nothing_starts_before_what_it_needs() -> None:
    """Folders, PostgreSQL, Redis, the schema, the application, then workers, beat and the door."""

    def waits(name: str) -> set[str]:
        return set(called(name).options["depends_on"])

    assert "celery-directories-make-run" in waits("celery-postgres-guard-run")
    assert "celery-postgres-guard-run" in waits("celery-postgres-server-1")
    assert "celery-postgres-server-1" in waits("celery-redis-guard-run")
    assert {"celery-postgres-server-1", "celery-redis-server-1"} <= waits("celery-migrate-run")
    assert {"celery-migrate-run", "celery-redis-server-1"} <= waits("celery-app-1")
    for name in ("celery-worker-1", "celery-beat-1", "celery-edge-nginx-1"):
        assert {f"celery-app-{number}" for number in (1, 2, 3)} <= waits(name)


def test_replicas_are_replaced_one_after_the_other_with_a_pause() -> None:
    for number in (2, 3):
        before = set(called(f"celery-app-{number}").options["depends_on"])
        assert f"celery-app-handover-{number - 1}-served-step" in before
        assert f"celery-worker-{number - 1}" in called(f"celery-worker-{number}").options["depends_on"]
    pauses = [
        called(f"celery-app-handover-{number}-served-step").inputs["command"][1] for number in (1, 2, 3)
    ]
    assert pauses == ["10", "10", "0"]


def test_the_nightly_dump_can_be_set_and_left_out() -> None:
    names = {item.name for item in system("celery", {"backup": None}, _secrets())}
    assert names == {
        item.name
        for item in mode_of("default")
        if not item.name.startswith(("celery-dump", "celery-backups"))
    }
    found = system("celery", {"backup": {"hour": 4, "keep_days": 7}}, _secrets())
    (carrier,) = [item for item in found if item.name == "celery-dump-config-carrier"]
    script = json.dumps(carrier.inputs["uploads"])
    assert "until_next 4 0" in script and "-mmin +10080" in script


def test_there_is_exactly_one_beat() -> None:
    beats = [item for item in services(mode_of("default")) if labels(item)["berth.service"] == "beat"]
    (beat,) = beats
    # The old one stops before the new one starts: two would start every task twice.
    assert beat.options["delete_before_replace"] is True
    assert beat.inputs["command"] == ["taifish-beat"]


def test_the_application_is_as_the_document_says() -> None:
    inputs = called("celery-app-1").inputs
    assert (inputs["cpus"], inputs["memory"]) == ("2", 2048)
    assert (inputs["cpuShares"], inputs["memoryReservation"]) == (1024, 1024)
    health = inputs["healthcheck"]
    assert (health["interval"], health["timeout"], health["startPeriod"]) == ("30s", "10s", "40s")
    assert health["retries"] == 3 and "http://127.0.0.1:5000/health" in health["tests"]
    assert labels(called("celery-app-1"))["prometheus.io/port"] == "5000"
    assert len([item for item in services(mode_of("default")) if item.name.startswith("celery-worker-")]) == 3
