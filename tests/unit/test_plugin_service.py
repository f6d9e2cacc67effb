"""What the plugin asks of a swarm for a service, and what it makes of the answer; no engine is needed."""

from __future__ import annotations

from typing import Any

import pytest

from offline.docker import service_create, service_read
from offline.docker.service_check import failures
from offline.docker.service_fields import FIELDS
from offline.provider.difference import compare

SPEC = {"image": "web:1"}
_BIND = {"propagation": "rprivate"}
PLAIN: dict[str, Any] = {"name": "web", "taskSpec": {"containerSpec": SPEC}}
FULL: dict[str, Any] = {
    "name": "web",
    "labels": [{"label": "a", "value": "1"}],
    "mode": {"replicated": {"replicas": 3}},
    "updateConfig": {"parallelism": 2, "delay": "60s", "maxFailureRatio": "0.05", "order": "start-first"},
    "rollbackConfig": {"monitor": "1m30s"},
    "endpointSpec": {"mode": "vip", "ports": [{"targetPort": 80, "publishedPort": 8010, "name": "http"}]},
    "taskSpec": {
        "containerSpec": SPEC
        | {
            "args": ["b"],
            "commands": ["a"],
            "capAdds": ["CAP_CHOWN"],
            "capDrops": ["ALL"],
            "configs": [{"configId": "c1", "configName": "c", "fileName": "/c", "fileMode": 0o400}],
            "dir": "/srv",
            "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["s"], "options": ["o"]},
            "env": {"B": "2", "A": "x=y"},
            "groups": ["g"],
            "healthcheck": {"tests": ["CMD", "probe"], "interval": "60s", "retries": 3},
            "hostname": "h",
            "hosts": [{"host": "db", "ip": "10.0.0.1"}],
            "init": False,
            "labels": [{"label": "l", "value": "m"}],
            "mounts": [
                {"type": "bind", "target": "/b", "source": "/s", "readOnly": True, "bindOptions": _BIND},
                {
                    "type": "volume",
                    "target": "/v",
                    "volumeOptions": {"driverName": "local", "driverOptions": {"o": "p"}},
                },
                {"type": "tmpfs", "target": "/t", "tmpfsOptions": {"sizeBytes": 1, "mode": 448}},
            ],
            "privileges": {
                "credentialSpec": {"registry": "r"},
                "seLinuxContext": {"disable": True, "user": "u", "role": "r", "type": "t", "level": "l"},
            },
            "readOnly": True,
            "secrets": [{"secretId": "s1", "secretName": "s", "fileName": "/s", "fileUid": "7"}],
            "stopGracePeriod": "90s",
            "stopSignal": "SIGINT",
            "sysctl": {"k": "v"},
            "user": "u",
        },
        "forceUpdate": 4,
        "logDriver": {"name": "json-file", "options": {"max-size": "1m"}},
        "networksAdvanceds": [{"id": "n1", "aliases": ["x"], "driverOpts": ["k=v"]}],
        "placement": {
            "constraints": ["c"],
            "maxReplicas": 2,
            "platforms": [{"architecture": "amd64", "os": "linux"}],
            "prefs": ["p"],
        },
        "resources": {
            "limits": {"memoryBytes": 2, "nanoCpus": 1},
            "reservation": {
                "memoryBytes": 4,
                "nanoCpus": 3,
                "genericResources": {
                    "discreteResourcesSpecs": ["SSD=3"],
                    "namedResourcesSpecs": ["GPU=UUID1"],
                },
            },
        },
        "restartPolicy": {"condition": "on-failure", "delay": "3s", "maxAttempts": 4, "window": "120s"},
        "runtime": "container",
    },
}


def test_the_spec_of_next_to_nothing() -> None:
    assert service_create.spec(PLAIN) == {
        "Name": "web",
        "TaskTemplate": {"ContainerSpec": {"Image": "web:1", "Isolation": "default"}},
        "Mode": {"Replicated": {"Replicas": 1}},
    }


def test_the_spec_of_everything() -> None:
    spec = service_create.spec(FULL)
    container = spec["TaskTemplate"].pop("ContainerSpec")
    assert spec == {
        "Name": "web",
        "Labels": {"a": "1"},
        "Mode": {"Replicated": {"Replicas": 3}},
        "UpdateConfig": {
            "Parallelism": 2,
            "Delay": 60 * 10**9,
            "FailureAction": "pause",
            "Monitor": 5 * 10**9,
            "MaxFailureRatio": 0.05,
            "Order": "start-first",
        },
        "RollbackConfig": {
            "Parallelism": 1,
            "Delay": 0,
            "FailureAction": "pause",
            "Monitor": 90 * 10**9,
            "MaxFailureRatio": 0.0,
            "Order": "stop-first",
        },
        "EndpointSpec": {
            "Mode": "vip",
            "Ports": [
                {
                    "Name": "http",
                    "Protocol": "tcp",
                    "TargetPort": 80,
                    "PublishedPort": 8010,
                    "PublishMode": "ingress",
                }
            ],
        },
        "TaskTemplate": {
            "Resources": {
                "Limits": {"NanoCPUs": 1, "MemoryBytes": 2},
                "Reservations": {
                    "NanoCPUs": 3,
                    "MemoryBytes": 4,
                    "GenericResources": [
                        {"NamedResourceSpec": {"Kind": "GPU", "Value": "UUID1"}},
                        {"DiscreteResourceSpec": {"Kind": "SSD", "Value": 3}},
                    ],
                },
            },
            "RestartPolicy": {
                "Condition": "on-failure",
                "Delay": 3 * 10**9,
                "MaxAttempts": 4,
                "Window": 120 * 10**9,
            },
            "Placement": {
                "Constraints": ["c"],
                "Preferences": [{"Spread": {"SpreadDescriptor": "p"}}],
                "Platforms": [{"Architecture": "amd64", "OS": "linux"}],
                "MaxReplicas": 2,
            },
            "ForceUpdate": 4,
            "Runtime": "container",
            "Networks": [{"Target": "n1", "Aliases": ["x"], "DriverOpts": {"k": "v"}}],
            "LogDriver": {"Name": "json-file", "Options": {"max-size": "1m"}},
        },
    }
    assert container == {
        "Image": "web:1",
        "Labels": {"l": "m"},
        "Command": ["a"],
        "Args": ["b"],
        "Hostname": "h",
        "Env": ["A=x=y", "B=2"],
        "Dir": "/srv",
        "User": "u",
        "Groups": ["g"],
        "Privileges": {
            "CredentialSpec": {"Registry": "r"},
            "SELinuxContext": {"Disable": True, "User": "u", "Role": "r", "Type": "t", "Level": "l"},
        },
        "ReadOnly": True,
        "Mounts": [
            {
                "Type": "bind",
                "Target": "/b",
                "Source": "/s",
                "ReadOnly": True,
                "BindOptions": {"Propagation": "rprivate"},
            },
            {
                "Type": "volume",
                "Target": "/v",
                "VolumeOptions": {"DriverConfig": {"Name": "local", "Options": {"o": "p"}}},
            },
            {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1, "Mode": 448}},
        ],
        "StopSignal": "SIGINT",
        "StopGracePeriod": 90 * 10**9,
        "Healthcheck": {"Test": ["CMD", "probe"], "Interval": 60 * 10**9, "Retries": 3},
        "Hosts": ["10.0.0.1 db"],
        "DNSConfig": {"Nameservers": ["1.1.1.1"], "Search": ["s"], "Options": ["o"]},
        "Secrets": [
            {
                "SecretID": "s1",
                "SecretName": "s",
                "File": {"Name": "/s", "UID": "7", "GID": "0", "Mode": 0o444},
            }
        ],
        "Configs": [
            {
                "ConfigID": "c1",
                "ConfigName": "c",
                "File": {"Name": "/c", "UID": "0", "GID": "0", "Mode": 0o400},
            }
        ],
        "Isolation": "default",
        "Sysctls": {"k": "v"},
        "CapabilityAdd": ["CAP_CHOWN"],
        "CapabilityDrop": ["ALL"],
        "Init": False,
    }


@pytest.mark.parametrize(
    "inputs", [PLAIN, FULL, PLAIN | {"mode": {"global": True}}], ids=["plain", "full", "global"]
)
def test_what_comes_back_shows_no_change(inputs: dict[str, Any]) -> None:
    answer = {"Spec": service_create.spec(inputs), "Endpoint": {}}
    state = service_read.state(answer, inputs, {})
    assert not compare(FIELDS, state, inputs)
    assert not compare(FIELDS, state, service_read.imported(state))


def test_a_digest_that_the_official_provider_pinned_is_the_tags_image() -> None:
    state = service_read.state({"Spec": service_create.spec(PLAIN)}, PLAIN, {})
    state["taskSpec"]["containerSpec"]["image"] = "web:1@sha256:abc"
    assert not compare(FIELDS, state, PLAIN)
    newer = {"name": "web", "taskSpec": {"containerSpec": {"image": "web:2"}}}
    assert [change.path for change in compare(FIELDS, state, newer)] == ["taskSpec.containerSpec.image"]


def test_a_network_keeps_the_spelling_of_the_program() -> None:
    inputs = {"name": "web", "taskSpec": {"containerSpec": SPEC, "networksAdvanceds": [{"name": "net"}]}}
    spec = service_create.spec(inputs)
    spec["TaskTemplate"]["Networks"] = [{"Target": "n1"}]  # the engine answers with ids
    assert not compare(FIELDS, service_read.state({"Spec": spec}, inputs, {"n1": "net"}), inputs)
    assert compare(FIELDS, service_read.state({"Spec": spec}, inputs, {"n1": "other"}), inputs)


def test_what_replaces() -> None:
    state = service_read.state({"Spec": service_create.spec(FULL)}, FULL, {})

    def replaced(**change: Any) -> bool:
        return any(found.replace for found in compare(FIELDS, state, FULL | change))

    assert (
        replaced(name="other") and replaced(mode={"global": True}) and replaced(auth={"serverAddress": "r"})
    )
    assert not replaced(mode={"replicated": {"replicas": 1}}) and not replaced(labels=[])
    container = FULL["taskSpec"]["containerSpec"] | {"mounts": [{"type": "tmpfs", "target": "/new"}]}
    assert not replaced(taskSpec=FULL["taskSpec"] | {"containerSpec": container})
    container = FULL["taskSpec"]["containerSpec"] | {"labels": []}
    assert replaced(taskSpec=FULL["taskSpec"] | {"containerSpec": container})


def test_conflicts_are_named() -> None:
    wrong = PLAIN | {"mode": {"global": True, "replicated": {"replicas": 1}}, "convergeConfig": {}}
    assert [failure.property for failure in failures(wrong)] == ["mode.global"]
    wrong["convergeConfig"] = {"timeout": "1m"}
    assert [failure.property for failure in failures(wrong)] == ["mode.global", "convergeConfig"]
