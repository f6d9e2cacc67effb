"""The gateway system in every mode: all children, inputs and options, as reviewed. URNs are a contract."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.unit.program import SECRET, Registration
from tests.unit.systems import HIDDEN, containers, keeps_the_rules, kept, plain, published, system


def gateway(settings: dict[str, Any], **stack: Any) -> list[Registration]:
    secrets = {} if settings.get("mode") == "gateway" else {"aliyun_access_key": HIDDEN}
    return system("gateway", settings, secrets, **stack)


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


@pytest.mark.parametrize("mode", MODES)
def test_every_container_keeps_the_rules_of_the_house(mode: str) -> None:
    for container in containers(mode_of(mode)):
        keeps_the_rules(container, system="gateway")
        assert container.inputs["user"] == "10001:10001"
        assert container.inputs["healthcheck"]["tests"][:2] == ["CMD", "probe"]


def test_only_the_gateway_is_published() -> None:
    assert published(mode_of("unified")) == {
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
    assert kept(mode_of("unified")) == {"gateway-audio-data-local", "gateway-processor-data-local"}


def test_a_cloud_host_is_refused_by_name() -> None:
    host = {"kind": "ecs", "region": "cn-hangzhou", "zone": "cn-hangzhou-h", "instance_type": "ecs.c7.large"}
    with pytest.raises(Exception, match=r"berth:host\.kind: 'ecs' comes with the cloud work"):
        gateway({}, host=host)
