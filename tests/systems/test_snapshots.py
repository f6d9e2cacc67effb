"""`snapshots`: one setting backs up all that a system keeps; without it nothing changes."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from stacks.certificates import Authority
from stacks.settings import load
from stacks.systems import SYSTEMS
from tests.unit.program import Registration
from tests.unit.systems import HIDDEN, containers, keeps_the_rules, kept, system

OFF_SITE = {"kind": "s3", "endpoint": "https://store:9000", "bucket": "acme", "path": "berth/all"}
HELD = {
    "celery": {"app-exports", "app-logs", "app-uploads", "app-backups"},
    "cloud-api": {"uploads", "logs"},
    "gateway": {"audio-data", "processor-data"},
    "gpu": {"app-data", "audio"},
}
DATABASES = {"celery": ["postgres"], "cloud-api": ["mysql"], "gateway": [], "gpu": []}


@cache
def wanted(name: str) -> dict[str, Registration]:
    """Everything of that system with snapshots that go off-site, too."""
    raw = {
        "berth:systems": json.dumps([name]),
        "berth:images": json.dumps({"source": "local"}),
        f"berth:{name}": json.dumps({"snapshots": {"off_site": OFF_SITE}}),
    }
    asked = load_requests(raw)
    bundle = Authority.new("tests").issue(["localhost", "postgres", "mysql"])
    secrets = {
        request: bundle if request.endswith("certificate") else f"{HIDDEN}-{number}-as-long-as-any-wants"
        for number, request in enumerate(asked)
    }
    found = system(name, {"snapshots": {"off_site": OFF_SITE}}, secrets)
    return {item.name: item for item in found}


def load_requests(raw: dict[str, Any]) -> list[str]:
    from stacks.settings import missing_secrets

    return [request.name for request in missing_secrets(raw)]


@pytest.mark.parametrize("name", SYSTEMS)
def test_all_that_a_system_keeps_is_backed_up(name: str) -> None:
    made = wanted(name)
    backup = made[f"{name}-backup-1"]
    keeps_the_rules(backup, system=name)
    mounts = {mount["target"] for mount in backup.inputs["mounts"]}
    assert mounts >= {"/backup", *(f"/data/{folder}" for folder in HELD[name])}
    assert {path.split("/")[2] for path in mounts if path.startswith("/data/")} == HELD[name]
    files = made[f"{name}-backup-config-carrier"].inputs["uploads"]
    (text,) = [file["content"] for file in files if file["file"].endswith("backup.json")]
    settings = json.loads(text)
    assert settings["owner"] == f"dev/{name}" and settings["keep_days"] == 28
    assert [one["host"] for one in settings["databases"]] == DATABASES[name]
    assert f"{name}-snapshots-local" in kept([*made.values()])
    assert HIDDEN not in json.dumps(backup.inputs)


@pytest.mark.parametrize("name", SYSTEMS)
def test_nothing_is_backed_up_unless_it_is_asked_for(name: str) -> None:
    raw = {
        "berth:systems": json.dumps([name]),
        "berth:images": json.dumps({"source": "local"}),
    }
    assert not [request for request in load_requests(raw) if "_backup_" in request]


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_verbs_learn_where_the_backups_are(name: str) -> None:
    (backup,) = [item for item in containers([*wanted(name).values()]) if item.name == f"{name}-backup-1"]
    assert backup.inputs["command"] == ["care-backup", "serve"]
    assert backup.inputs["healthcheck"]["tests"] == ["CMD", "care-backup", "health"]


def test_a_target_is_reported_by_its_setting() -> None:
    raw = {
        "berth:systems": '["gateway"]',
        "berth:images": '{"source": "local"}',
        "berth:gateway": json.dumps({"snapshots": {"off_site": {**OFF_SITE, "bucket": "A"}}}),
    }
    with pytest.raises(Exception, match=r"berth:gateway\.snapshots\.off_site.*bucket"):
        load(raw, [], stack="dev")
