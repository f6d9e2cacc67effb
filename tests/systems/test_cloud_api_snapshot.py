"""The cloud-api system in its variants: all children and inputs, as reviewed. URNs are a contract."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from stacks.certificates import Authority
from stacks.problems import SettingsError
from tests.unit.program import SECRET, Registration
from tests.unit.systems import (
    HIDDEN,
    PROJECT,
    containers,
    keeps_the_rules,
    kept,
    plain,
    published,
    services,
    system,
)

CERTIFICATE = Authority.new("berth in a test").issue(["localhost", "mysql"])
PASSWORDS = (
    "cloud_api_mysql_root_password",
    "cloud_api_mysql_password",
    "cloud_api_redis_password",
    "cosyvoice_api_key",
    "gpt_sovits_api_key",
)
SECRETS = dict.fromkeys(PASSWORDS, HIDDEN) | dict.fromkeys(
    ("cloud_api_mysql_certificate", "cloud_api_certificate"), CERTIFICATE
)
STAND_IN = {"apis": {"kind": "stand-in"}}
VOICE = {"provider": "gpt-sovits", "id": "ann", "languages": ["zh"], "ref_audio_path": "ann.wav"}
VOICES = {"voices": [{**VOICE, "prompt_lang": "zh"}]}
SOURCES = str(PROJECT / "workloads/frontend/src")
SOVITS = "https://api.example.com/gpt-sovits/v1"

VARIANTS: dict[str, dict[str, Any]] = {
    "stand-in": STAND_IN,
    "one-cloud": {},
    "both-clouds": {"apis": {"gpt_sovits": SOVITS}, "tts_proxy": VOICES},
    "development": {**STAND_IN, "frontend": {"mode": "development", "source": "workloads/frontend/src"}},
    "replicas": {
        **STAND_IN,
        **{role: {"replicas": 2} for role in ("frontend", "backend", "tts_proxy")},
        "mysql": {"replica": {}},
        "network": {"subnet": "172.28.0.0/24"},
    },
}


def asked(name: str) -> dict[str, str]:
    """The secrets that the variant asks for."""
    secrets = dict(SECRETS)
    if name == "one-cloud":
        del secrets["gpt_sovits_api_key"]
    if name == "replicas":
        secrets["cloud_api_mysql_replication_password"] = HIDDEN
    return secrets


@cache
def variant(name: str) -> list[Registration]:
    """What that variant registers; made once."""
    return system("cloud-api", VARIANTS[name], asked(name))


def named(name: str, container: str) -> Registration:
    (found,) = [item for item in variant(name) if item.name == f"cloud-api-{container}"]
    return found


def environment(container: Registration) -> dict[str, str]:
    return dict(entry.split("=", 1) for entry in container.inputs["envs"])


def reviewed(name: str) -> list[dict[str, Any]]:
    """As the snapshot keeps it; where the project lies and which certificate it was is no part of it."""
    text = json.dumps(plain(variant(name)))
    text = re.sub("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", "<certificate>", text)
    found = json.loads(text.replace(json.dumps(SOURCES), '"<project>/workloads/frontend/src"'))
    assert isinstance(found, list)
    return found


def test_the_whole_system_is_as_reviewed(snapshot: SnapshotAssertion) -> None:
    assert reviewed("stand-in") == snapshot


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "stand-in"])
def test_what_differs_in_a_variant_is_as_reviewed(name: str, snapshot: SnapshotAssertion) -> None:
    usual, here = reviewed("stand-in"), reviewed(name)
    urns = {item["urn"] for item in here}
    gone = [item["urn"] for item in usual if item["urn"] not in urns]
    assert {"gone": gone, "other": [item for item in here if item not in usual]} == snapshot


@pytest.mark.parametrize("name", VARIANTS)
def test_every_container_keeps_the_rules_of_the_house(name: str) -> None:
    for container in containers(variant(name)):
        keeps_the_rules(container, system="cloud-api")


def test_what_runs_is_what_the_document_lists() -> None:
    running = Counter(
        item.name.removeprefix("cloud-api-").rpartition("-")[0] for item in services(variant("replicas"))
    )
    assert running == {
        "edge-nginx": 1,
        "frontend": 2,
        "backend": 2,
        "tts-proxy": 2,
        "tts-stand-in": 1,
        "mysql-server": 1,
        "mysql-replica-server": 1,
        "redis-server": 1,
    }
    assert "cloud-api-tts-stand-in-1" not in {item.name for item in services(variant("one-cloud"))}


@pytest.mark.parametrize("name", VARIANTS)
def test_only_the_doors_ports_are_published(name: str) -> None:
    assert published(variant(name)) == {
        "cloud-api-edge-nginx-1": [
            {"internal": port, "external": port, "ip": "0.0.0.0", "protocol": "tcp"} for port in (80, 443)
        ]
    }


def test_volumes_are_those_of_the_document_protected_and_retained() -> None:
    found = {
        item.name: item.inputs["name"]
        for item in variant("stand-in")
        if item.name in kept(variant("stand-in"))
    }
    names = ("mysql_data", "redis_data", "uploads", "temp", "logs")
    assert sorted(found.values()) == sorted(f"cloud-api-dev-{name}" for name in names)
    others = [
        item for item in variant("stand-in") if item.type.endswith(":Volume") and item.name not in found
    ]
    # Carried files and state in memory; nothing of it is data.
    assert not [item for item in others if item.inputs.get("name")]


def test_secrets_are_files_only() -> None:
    text = json.dumps([vars(item) for item in variant("both-clouds")])
    assert HIDDEN not in text and "PRIVATE KEY" not in text
    carriers = [item for item in variant("both-clouds") if item.name.endswith("-secrets-carrier")]
    assert all(SECRET in json.dumps(item.inputs["uploads"]) for item in carriers)
    assert {item.name.removeprefix("cloud-api-").removesuffix("-secrets-carrier") for item in carriers} >= {
        "backend",
        "tts-proxy",
        "mysql-server",
        "redis-server",
        "edge-nginx",
    }
    for item in containers(variant("both-clouds")):
        shown = [item.inputs.get(field) for field in ("envs", "labels", "command", "entrypoints")]
        assert SECRET not in json.dumps(shown)


def test_clouds_that_are_not_used_are_not_asked_and_have_no_key() -> None:
    one, both = (environment(named(name, "tts-proxy-1")) for name in ("one-cloud", "both-clouds"))
    assert one["COSYVOICE_CLOUD_API_URL"].startswith("https://dashscope.aliyuncs.com/")
    assert not [name for name in one if name.startswith("GPT_SOVITS")]
    assert both["GPT_SOVITS_CLOUD_API_URL"] == SOVITS
    assert both["VOICES_FILE"] == "/etc/tts-proxy/voices.json"
    files = [
        item for item in variant("both-clouds") if "voices.json" in json.dumps(item.inputs.get("uploads"))
    ]
    (upload,) = [it for item in files for it in item.inputs["uploads"] if it["file"].endswith("voices.json")]
    assert json.loads(upload["content"]) == {
        "gpt-sovits": [
            {
                "id": "ann",
                "name": "ann",
                "languages": ["zh"],
                "ref_audio_path": "ann.wav",
                "prompt_lang": "zh",
                "prompt_text": "",
            }
        ]
    }


def test_the_proxys_times_agree_with_what_waits_for_it() -> None:
    proxy, backend = named("stand-in", "tts-proxy-1"), named("stand-in", "backend-1")
    given = environment(proxy)
    assert given["TIMEOUT_MS"] == given["MAX_TIMEOUT_MS"] == given["STOP_GRACE_MS"] == "30000"
    # The handover's drain, then what runs, then some seconds to end.
    assert proxy.inputs["stopTimeout"] == 30 + 30 + 10
    assert environment(backend)["TTS_TIMEOUT"] == "60"


def test_replicas_are_replaced_one_after_the_other_once_the_edge_serves_the_one_before() -> None:
    for role in ("frontend", "backend", "tts-proxy"):
        served = f"cloud-api-{role}-handover-1-served"
        assert any(name.startswith(served) for name in named("replicas", f"{role}-2").options["depends_on"])


def test_development_runs_vite_over_the_given_sources() -> None:
    page = named("development", "frontend-1")
    assert page.inputs["command"][1] == "node_modules/vite/bin/vite.js"
    (bind,) = [mount for mount in page.inputs["mounts"] if mount["type"] == "bind"]
    assert (bind["source"], bind["target"], bind["readOnly"]) == (SOURCES, "/app/src", True)


def problems(settings: dict[str, Any], secrets: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as error:
        system("cloud-api", {**STAND_IN, **settings}, SECRETS if secrets is None else secrets)
    return [str(problem) for problem in error.value.problems]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"apis": {"cosyvoice": None}}, "allowed: the address of one, or of both"),
        ({"apis": {"gpt_sovits": SOVITS}}, "apis.gpt_sovits is set, but no voice of gpt-sovits"),
        (
            {"frontend": {"mode": "development", "replicas": 2}},
            "berth:cloud-api.frontend.replicas: 2",
        ),
        (
            {"frontend": {"source": "workloads/frontend/src"}},
            "berth:cloud-api.frontend.source: 'workloads/frontend/src': the optimised build is in the image",
        ),
        (
            {"frontend": {"mode": "development", "source": "/etc"}},
            "berth:cloud-api.frontend.source: '/etc': it holds what hands over the whole host",
        ),
        ({"mysql": {"user": "root"}}, "berth:cloud-api.mysql.user: 'root': it is the server's own"),
        ({"mysql": {"memory": "128MiB"}}, "buffer_pool 256MiB and max_connections 100 need 816MiB"),
        (
            {"mysql": {"replica": {"memory": "128MiB"}}},
            "buffer_pool 256MiB and max_connections 100 need 816MiB",
        ),
        (
            {"redis": {"memory": "64MiB"}},
            "max_clients 1000 need 228MiB; allowed: limits.memory, which is 64MiB",
        ),
        (
            {"tts_proxy": {"timeout": "10m"}},
            "berth:cloud-api.tts_proxy.timeout: '10m': allowed: from 1s to 5m",
        ),
        (
            {"tts_proxy": {"voices": [VOICE]}},
            "berth:cloud-api.tts_proxy.voices[0].prompt_lang: required, but",
        ),
        (
            {"tts_proxy": {"voices": VOICES["voices"] * 2}},
            "berth:cloud-api.tts_proxy.voices: 'ann' of gpt-sovits is given twice",
        ),
        ({"backend": {"max_upload": "2GiB"}}, "max_upload: '2GiB': allowed: from 1MiB to 1GiB"),
        (
            {"nginx": {"https_port": 3000}},
            "berth:cloud-api.nginx.https_port: 3000 on 0.0.0.0: allowed: 8010, 80 or",
        ),
    ],
)
def test_a_wrong_setting_names_its_path(settings: dict[str, Any], problem: str) -> None:
    found = problems(settings)
    assert found[0].startswith("berth:cloud-api"), found
    assert any(problem in line for line in found), found


def test_all_missing_keys_are_reported_together() -> None:
    found = problems({"mysql": {"replica": {}}}, {})
    assert [line.partition(": required (")[0] for line in found] == sorted(
        f"berth:secrets.{name}" for name in (*SECRETS, "cloud_api_mysql_replication_password")
    )
