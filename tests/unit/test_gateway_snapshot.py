"""The gateway system in every mode: all children, inputs and options, as reviewed. URNs are a contract."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from stacks.build import build
from stacks.settings import load
from tests.unit.program import SECRET, Registration, register

PROJECT = Path(__file__).parents[2]
KEY = "a-key-that-must-not-show"


def gateway(settings: dict[str, Any], **stack: Any) -> list[Registration]:
    config = {"systems": ["gateway"], "images": {"source": "local"}, "gateway": settings, **stack}
    raw = {f"berth:{key}": json.dumps(value) for key, value in config.items()}
    if settings.get("mode") != "gateway":
        raw["berth:secrets"] = json.dumps({"aliyun_access_key": KEY})
    return register(lambda: build(load(raw, ["berth:secrets"], stack="dev"), project=PROJECT))


def plain(registrations: list[Registration]) -> list[dict[str, Any]]:
    """As the snapshot keeps it: tags that follow the files of workloads/ are left out."""
    text = json.dumps([vars(registration) for registration in registrations])
    assert KEY not in text
    return json.loads(re.sub(r"(berth/[a-z-]+):[0-9a-f]{12}", r"\1:<content>", text))  # type: ignore[no-any-return]


MODES: dict[str, dict[str, Any]] = {
    "unified": {},
    "unified-replicas": {
        "processor": {"replicas": 3, "workers": 4, "memory": "1GiB"},
        "network": {"subnet": "172.28.0.0/24"},
    },
    "files-elsewhere": {"files": {"kind": "elsewhere", "base_url": "http://10.0.0.7:8000"}},
    "standalone-gateway": {"mode": "gateway"},
    "standalone-processor-by-name": {"mode": "processor"},
    "standalone-processor-by-stack": {
        "mode": "processor",
        "network": {"kind": "stack", "stack": "organization/berth/door"},
    },
}


@cache
def mode_of(name: str) -> list[Registration]:
    """What that mode registers; made once."""
    return gateway(MODES[name])


@pytest.mark.parametrize("mode", MODES)
def test_system_is_as_reviewed(mode: str, snapshot: SnapshotAssertion) -> None:
    assert plain(mode_of(mode)) == snapshot


def test_registry_images_are_pulled_through_the_mirror() -> None:
    found = gateway({}, images={"source": "registry", "tag": "1.2.3", "mirror": "registry.example/acme"})
    pulled = [item.inputs["name"] for item in found if item.type.endswith(":RemoteImage")]
    assert sorted(pulled) == [
        f"registry.example/acme/{role}:1.2.3"
        for role in ("api-gateway", "douyin-processor", "file-system-go")
    ]


def containers(registrations: list[Registration]) -> list[Registration]:
    """Those that run."""
    found = [item for item in registrations if item.type.endswith(":Container")]
    return [item for item in found if item.inputs.get("start", True)]


@pytest.mark.parametrize("mode", MODES)
def test_every_container_keeps_the_rules_of_the_house(mode: str) -> None:
    for container in containers(mode_of(mode)):
        inputs = container.inputs
        assert inputs["readOnly"] and inputs["user"] == "10001:10001" and not inputs.get("privileged")
        assert inputs["capabilities"] == {"drops": ["ALL"]} and inputs["securityOpts"] == [
            "no-new-privileges"
        ]
        assert inputs["memory"] == inputs["memorySwap"] > 0 and float(inputs["cpus"]) > 0
        assert inputs["restart"] == "unless-stopped" and inputs["wait"]
        assert inputs["healthcheck"]["tests"][:2] == ["CMD", "probe"]
        assert (inputs["logDriver"], inputs["logOpts"]) == ("json-file", {"max-file": "3", "max-size": "10m"})
        labels = {label["label"]: label["value"] for label in inputs["labels"]}
        assert (
            labels["berth.stack"] == "dev" and labels["berth.system"] == "gateway" and labels["berth.service"]
        )


def test_only_the_gateway_is_published() -> None:
    published = {
        item.name: item.inputs["ports"] for item in containers(mode_of("unified")) if item.inputs.get("ports")
    }
    assert published == {
        "gateway-api-gateway-1": [{"internal": 8010, "external": 8010, "ip": "0.0.0.0", "protocol": "tcp"}]
    }


def test_the_secret_reaches_the_processor_as_a_file_only() -> None:
    found = mode_of("unified")
    (carrier,) = [item for item in found if item.name == "gateway-douyin-processor-secrets-carrier"]
    assert SECRET in json.dumps(carrier.inputs["uploads"]) or carrier.inputs["uploads"] == SECRET
    (processor,) = [item for item in found if item.name == "gateway-douyin-processor-1"]
    assert processor.inputs["envs"] == ["ALIYUN_ACCESS_KEY_FILE=/run/secrets/aliyun_access_key"]


def test_replicas_are_replaced_one_after_the_other() -> None:
    found = {item.name: item.options for item in containers(mode_of("unified-replicas"))}
    for number in (2, 3):
        assert (
            f"gateway-douyin-processor-{number - 1}"
            in found[f"gateway-douyin-processor-{number}"]["depends_on"]
        )


def test_data_is_protected_and_retained() -> None:
    volumes = {item.name: item.options for item in mode_of("unified") if item.type.endswith(":Volume")}
    kept = {
        name
        for name, options in volumes.items()
        if options.get("protect") and options.get("retain_on_delete")
    }
    assert kept == {"gateway-audio-data-local", "gateway-processor-data-local"}


def test_a_cloud_host_is_refused_by_name() -> None:
    host = {"kind": "ecs", "region": "cn-hangzhou", "zone": "cn-hangzhou-h", "instance_type": "ecs.c7.large"}
    with pytest.raises(Exception, match=r"berth:host\.kind: 'ecs' comes with the cloud work"):
        gateway({}, host=host)
