"""The gpu system: all children, inputs and options, as reviewed. URNs are a contract."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from stacks import gpu_host
from stacks.certificates import Authority
from tests.unit.composed import container, environment, files, location, made, nginx, waits_for
from tests.unit.program import Registration
from tests.unit.systems import HIDDEN, containers, keeps_the_rules, kept, plain, published, system

CPU = {"device": "cpu", "texts": {"kind": "built-in"}}
MODES: dict[str, dict[str, Any]] = {
    "cpu": CPU,
    "cuda": {"gpu": {"kind": "devices", "device_ids": ["0", "1"]}, "cuda": "11.8"},
    "stores": {**CPU, "postgres": {}, "redis": {}, "app": {"replicas": 2}},
}


@cache
def _secrets(*names: str) -> dict[str, str]:
    bundle = Authority.new("tests").issue(["localhost", "postgres"])
    return {
        name: bundle if name.endswith("certificate") else f"{HIDDEN}-{name}-of-at-least-32" for name in names
    }


@cache
def mode_of(name: str) -> list[Registration]:
    """What that mode registers; made once."""
    names = ["gpu_jwt_secret", "gpu_admin_password", "gpu_certificate"]
    if name == "cuda":
        names += ["cerebras_api_key"]
    if name == "stores":
        names += ["gpu_postgres_password", "gpu_postgres_certificate", "gpu_redis_password"]
    return system("gpu", MODES[name], _secrets(*names))


@cache
def parts(name: str) -> dict[str, Registration]:
    return {f"{item.type.rpartition(':')[2]} {item.name}": item for item in mode_of(name)}


@pytest.mark.parametrize("mode", MODES)
def test_system_is_as_reviewed(mode: str, snapshot: SnapshotAssertion) -> None:
    # A certificate is another one every time, and so is what is made of it.
    text = re.sub(
        r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----",
        "<certificate>",
        json.dumps(plain(mode_of(mode))),
    )
    assert json.loads(text) == snapshot


@pytest.mark.parametrize("mode", MODES)
def test_every_container_keeps_the_rules_of_the_house(mode: str) -> None:
    for item in containers(mode_of(mode)):
        keeps_the_rules(item, system="gpu")


@pytest.mark.parametrize("mode", MODES)
def test_only_the_door_is_published_and_the_administration_on_loopback(mode: str) -> None:
    ports = published(mode_of(mode))
    assert {name: {(p["ip"], p["external"]) for p in found} for name, found in ports.items()} == {
        "gpu-admin-1": {("127.0.0.1", 3005)},
        "gpu-edge-nginx-1": {("0.0.0.0", 80), ("0.0.0.0", 443)},
    }
    assert ":3005" not in nginx(parts(mode), "gpu") and "/admin" not in nginx(parts(mode), "gpu")


def test_a_gpu_is_asked_for_as_it_was_written() -> None:
    app = container(parts("cuda"), "gpu-app-1")
    assert app["deviceRequests"] == [
        {"driver": "nvidia", "deviceIds": ["0", "1"], "capabilities": ["gpu", "compute", "utility"]}
    ]
    assert app["runtime"] == "nvidia"
    env = environment(parts("cuda"), "gpu-app-1")
    assert env["KOKORO_DEVICE"] == "cuda" and env["NVIDIA_VISIBLE_DEVICES"] == "0,1"
    assert env["PYTORCH_CUDA_ALLOC_CONF"] == "max_split_size_mb:512"
    for item in containers(mode_of("cuda")):
        assert item.name == "gpu-app-1" or "deviceRequests" not in item.inputs
    for item in containers(mode_of("cpu")):
        assert "deviceRequests" not in item.inputs and "runtime" not in item.inputs


def test_all_gpus_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_host, "driver", lambda: "535.104.05")
    found = made("gpu", {})
    assert container(found, "gpu-app-1")["deviceRequests"] == [
        {"driver": "nvidia", "count": -1, "capabilities": ["gpu", "compute", "utility"]}
    ]
    assert environment(found, "gpu-app-1")["NVIDIA_VISIBLE_DEVICES"] == "all"


@pytest.mark.parametrize(
    ("driver", "flavour", "base"),
    [
        ("535.104.05", "cu121", "nvidia/cuda:12.1.1-cudnn8-runtime-ubuntu22.04"),
        ("470.82.01", "cu118", "nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04"),
    ],
)
def test_the_driver_chooses_the_image(
    monkeypatch: pytest.MonkeyPatch, driver: str, flavour: str, base: str
) -> None:
    monkeypatch.setattr(gpu_host, "driver", lambda: driver)
    build = made("gpu", {})["Image gpu-trainer-image-built"].inputs["build"]
    assert build["dockerfile"].endswith("Dockerfile.cuda")
    assert build["args"]["CUDA_IMAGE"] == base and build["args"]["TORCH_FLAVOUR"] == flavour
    pulled = made("gpu", {}, images={"tag": "1.2.3", "mirror": "registry.example/acme"})
    names = {item.inputs["name"] for item in pulled.values() if item.type.endswith(":RemoteImage")}
    assert f"registry.example/acme/trainer:1.2.3-{flavour}" in names


def test_speech_alone_may_take_two_minutes() -> None:
    text = nginx(parts("cpu"), "gpu")
    assert "proxy_read_timeout 120000ms" in location(text, "= /api/tts")
    assert text.count("120000ms") == 2  # and its sending
    assert "limit_req" in location(text, "= /api/tts") and "limit_req" in location(text, "/api/")


def test_the_door_serves_the_sound_itself() -> None:
    assert "alias /srv/audio/" in location(nginx(parts("cpu"), "gpu"), "/audio/")
    mounts = container(parts("cpu"), "gpu-edge-nginx-1")["mounts"]
    (served,) = [mount for mount in mounts if mount["target"] == "/srv/audio"]
    assert served["readOnly"] and served["source"] == "gpu-dev-audio"


def test_the_door_alone_is_on_both_networks() -> None:
    found = {
        item.name: {network["name"] for network in item.inputs["networksAdvanced"]}
        for item in containers(mode_of("stores"))
        if item.inputs.get("networksAdvanced")
    }
    assert found.pop("gpu-edge-nginx-1") == {"app-network", "nginx-network"}
    assert {network for networks in found.values() for network in networks} == {"app-network"}


@pytest.mark.parametrize("mode", ["cpu", "stores"])
def test_the_schema_comes_first_from_the_image_of_the_application(mode: str) -> None:
    migrate = container(parts(mode), "gpu-migrate-run")
    assert migrate["command"] == ["trainer-migrate"]
    assert migrate["image"] == container(parts(mode), "gpu-app-1")["image"]
    for name in ("gpu-app-1", "gpu-admin-1"):
        assert any("gpu-migrate-run" in one for one in waits_for(parts(mode), name)), name


def test_data_are_kept_whatever_the_database() -> None:
    for mode in MODES:
        assert {"gpu-app-data-local", "gpu-audio-local"} <= kept(mode_of(mode)), mode
    assert environment(parts("cpu"), "gpu-app-1")["DATABASE_URL"] == "file:/app/data/trainer.db"
    url = environment(parts("stores"), "gpu-app-1")["DATABASE_URL"]
    assert url.startswith("postgresql://trainer@postgres:5432/trainer?sslmode=verify-full")


def test_health_is_asked_of_what_there_is() -> None:
    def labels(mode: str) -> dict[str, dict[str, Any]]:
        rendered = json.loads(files(parts(mode), "gpu-healthcheck")["/etc/care/health.json"])
        return {check["label"]: check for check in rendered["checks"]}

    everywhere = {"door", "app", "admin", "speech", "audio", "cpu", "memory", "disk", "certificate"}
    assert {mode: set(labels(mode)) - everywhere for mode in MODES} == {
        "cpu": {"database"},
        "cuda": {"database", "cerebras"},
        "stores": {"database", "cache"},
    }
    assert labels("cpu")["database"]["kind"] == "sqlite"
    # PostgreSQL is asked without a password: the watch has no secret at all.
    asked = labels("stores")["database"]
    assert asked["kind"] == "postgres"
    rendered = files(parts("stores"), "gpu-healthcheck")
    assert rendered[asked["authority"]].startswith("-----BEGIN CERTIFICATE-----")
    assert set(rendered) == {f"/etc/care/{name}" for name in ("health.json", "authority.pem", "database.pem")}
    assert all(everywhere <= set(labels(mode)) for mode in MODES)
