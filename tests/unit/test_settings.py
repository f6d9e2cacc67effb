"""The stack file: every wrong input with its path, value and what is allowed, all in one report."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.units import Address, Cidr
from stacks.claims import PortClaim, SubnetClaim, port_clashes, subnet_clashes
from stacks.problems import SettingsError
from stacks.settings import Settings, json_schema, load, missing_secrets

PROJECT = Path(__file__).parents[2]
SECRET = "not-to-be-shown-anywhere"


def settings(*, secrets: dict[str, Any] | None = None, encrypted: bool = True, **values: Any) -> Settings:
    """Load `values` as a stack file that is right but for them."""
    values = {"systems": ["gateway"], "images": {"source": "local"}, **values}
    config = {
        f"berth:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in values.items()
    }
    config["berth:secrets"] = json.dumps({"aliyun_access_key": SECRET} if secrets is None else secrets)
    return load(config, ["berth:secrets"] if encrypted else [])


def report(**values: Any) -> list[str]:
    """The problems of that stack file."""
    with pytest.raises(SettingsError) as error:
        settings(**values)
    assert SECRET not in str(error.value) and SECRET not in repr(error.value)
    return [str(problem) for problem in error.value.problems]


def test_defaults_are_the_unified_gateway_on_this_machine() -> None:
    stack = settings().stack
    assert (stack.host.kind, stack.gateway.mode) == ("local", "unified")
    assert stack.gateway.gateway.port == 8010  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"systems": []}, "berth:systems: a list: allowed: tuple should have at least 1 item"),
        ({"systems": ["gatewey"]}, "berth:systems[0]: 'gatewey': allowed: 'gateway'"),
        ({"systems": ["gateway", "gateway"]}, "berth:systems: 'gateway': given twice"),
        ({"systms": 1}, "berth:systms: unknown setting"),
        (
            {"gateway": {"mode": "both"}},
            "berth:gateway.mode: 'both': allowed: 'unified', 'gateway', 'processor'",
        ),
        (
            {"gateway": {"processor": {"memory": "512"}}},
            "berth:gateway.processor.memory: '512': allowed: a size of",
        ),
        (
            {"gateway": {"processor": {"memory": 512}}},
            "berth:gateway.processor.memory: 512: allowed: a size of",
        ),
        ({"gateway": {"processor": {"memry": "1GiB"}}}, "berth:gateway.processor.memry: unknown setting"),
        (
            {"gateway": {"processor": {"replicas": 0}}},
            "berth:gateway.processor.replicas: 0: allowed: greater than",
        ),
        ({"gateway": {"gateway": {"port": 70000}}}, "berth:gateway.gateway.port: 70000: allowed: less than"),
        (
            {"gateway": {"gateway": {"address": "all"}}},
            "berth:gateway.gateway.address: 'all': allowed: an IPv4",
        ),
        (
            {"gateway": {"gateway": {"timeout": "30"}}},
            "berth:gateway.gateway.timeout: '30': allowed: a length of time",
        ),
        (
            {"gateway": {"network": {"subnet": "8.8.8.0/24"}}},
            "berth:gateway.network.subnet: '8.8.8.0/24': allowed:",
        ),
        ({"gateway": {"mode": "gateway", "processor": {}}}, "berth:gateway.processor: unknown setting"),
        (
            {"gateway": {"files": {"kind": "elsewhere"}}},
            "berth:gateway.files.base_url: required, but not set",
        ),
        (
            {"gateway": {"files": {"kind": "elsewhere", "base_url": "http://user:pw@host"}}},
            "berth:gateway.files.base_url: 'http://user:pw@host': allowed: an http or https address without",
        ),
        (
            {"gateway": {"gateway": {"routes": [{"method": "GET", "path": "/a", "target": "/{b}"}]}}},
            "berth:gateway.gateway.routes[0]: a mapping: target /{b} uses {b}, which path /a lacks",
        ),
        (
            {"gateway": {"gateway": {"routes": []}}},
            "berth:gateway.gateway.routes: a list: none given; allowed: one or more",
        ),
        (
            {"gateway": {"gateway": {"routes": [{"method": "GET", "path": "/a/{Id}", "target": "/"}]}}},
            "berth:gateway.gateway.routes[0].path: '/a/{Id}': allowed: a path of segments",
        ),
        (
            {"gateway": {"gateway": {"routes": [{"method": "GET", "path": "/health", "target": "/"}]}}},
            "berth:gateway.gateway.routes[0].path: '/health': the gateway's own; allowed: any other path",
        ),
        (
            {"gateway": {"mode": "gateway", "processor_url": "http://h:1/a b"}},
            "berth:gateway.processor_url: 'http://h:1/a b': allowed: http or https",
        ),
        (
            {"gateway": {"processor": {"image": {"source": "registry"}}}},
            "berth:gateway.processor.image.reference: req",
        ),
        ({"host": {"kind": "ssh"}}, "berth:host.address: required, but not set"),
        (
            {"host": {"kind": "ssh", "address": "10.0.0.5"}},
            "berth:host.address: '10.0.0.5': allowed: text that",
        ),
        ({"host": {"kind": "vm"}}, "berth:host.kind: 'vm': allowed: 'local', 'ssh', 'ecs'"),
        ({"images": {"source": "registry"}}, "berth:gateway.gateway.image: required while"),
        ({"images": {"source": "disk"}}, "berth:images.source: 'disk': allowed: 'registry' or 'local'"),
        ({"secrets": {}}, "berth:secrets.aliyun_access_key: required"),
        (
            {"secrets": {"aliyun_access_key": "short"}},
            "berth:secrets.aliyun_access_key: 5 characters: allowed: at l",
        ),
        ({"secrets": {"aliyun_access_key": SECRET, "key": SECRET}}, "berth:secrets.key: no chosen system"),
        ({"secrets": [SECRET]}, "berth:secrets: allowed: a mapping"),
        ({"secrets": {"aliyun_access_key": 123456789}}, "berth:secrets.aliyun_access_key: allowed: text"),
        ({"encrypted": False}, "berth:secrets: stored as plain text"),
        (
            {"images": {"source": "local", "login": {"address": "registry.example", "username": "ci"}}},
            "berth:secrets.registry_password: required",
        ),
    ],
)
def test_a_wrong_setting_names_its_path_and_value(values: dict[str, Any], problem: str) -> None:
    assert any(line.startswith(problem) for line in report(**values)), report(**values)


def test_all_problems_come_in_one_report() -> None:
    lines = report(
        systems=["gateway", "mail"],
        host={"kind": "ssh"},
        gateway={"processor": {"memory": "1GB", "workers": 0}, "network": {"subnet": "10.0.0.0"}},
        secrets={},
        extra=1,
    )
    paths = [line.split(": ")[0] for line in lines]
    assert paths == [
        "berth:extra",
        "berth:gateway.network.subnet",
        "berth:gateway.processor.memory",
        "berth:gateway.processor.workers",
        "berth:host.address",
        "berth:secrets.aliyun_access_key",
        "berth:systems[1]",
    ]


def test_a_provider_setting_that_would_be_ignored_is_refused() -> None:
    with pytest.raises(SettingsError, match="docker:host: would be ignored; allowed: berth:host"):
        load({"berth:systems": '["gateway"]', "docker:host": "tcp://10.0.0.1:2376"})


def test_secrets_do_not_show() -> None:
    assert SECRET not in repr(settings())


def test_missing_secrets_are_requested_and_made_strong() -> None:
    (request,) = missing_secrets({"berth:systems": '["gateway"]'})
    assert request.config_path == "berth:secrets.aliyun_access_key"
    first, second = request.generate(), request.generate()
    assert first != second and len(first) >= 32 and first.isalnum()
    given = json.dumps({request.name: first})
    assert missing_secrets({"berth:systems": '["gateway"]', "berth:secrets": given}) == []


def test_the_gateway_alone_needs_no_secret() -> None:
    assert settings(gateway={"mode": "gateway"}, secrets={}).secrets == {}


ADDRESSES = st.sampled_from([Address("0.0.0.0"), Address("127.0.0.1"), Address("10.0.0.1")])


@given(st.lists(st.tuples(ADDRESSES, st.integers(8000, 8005)), max_size=8))
def test_ports_clash_exactly_when_two_listen_on_one(listeners: list[tuple[Address, int]]) -> None:
    claims = [PortClaim(str(index), address, port) for index, (address, port) in enumerate(listeners)]
    expected = sum(
        1
        for index, (address, port) in enumerate(listeners)
        for other, number in listeners[:index]
        if port == number and (address == other or "0.0.0.0" in (address, other))
    )
    assert len(list(port_clashes(claims))) == expected


@given(st.lists(st.integers(0, 255), max_size=6))
def test_subnets_clash_exactly_when_they_overlap(octets: list[int]) -> None:
    claims = [SubnetClaim(str(index), Cidr(f"10.{octet}.0.0/16")) for index, octet in enumerate(octets)]
    pairs = sum(octets.count(octet) * (octets.count(octet) - 1) // 2 for octet in set(octets))
    assert len(list(subnet_clashes(claims))) == pairs


def test_a_clash_names_both_settings() -> None:
    claims = [
        PortClaim("berth:gateway.gateway.port", Address("0.0.0.0"), 8010),
        PortClaim("berth:other.port", Address("127.0.0.1"), 8010),
    ]
    (problem,) = port_clashes(claims)
    assert str(problem).startswith("berth:other.port: 127.0.0.1:8010: taken by berth:gateway.gateway.port")


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_committed_stack_files_are_valid(stack: str) -> None:
    path = PROJECT / f"Pulumi.{stack}.yaml"
    assert path.read_text().startswith("# yaml-language-server: $schema=docs/stack.schema.json\n")
    config = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in yaml.safe_load(path.read_text())["config"].items()
    }
    config["berth:secrets"] = json.dumps(
        {request.name: request.generate() for request in missing_secrets(config)}
    )
    assert load(config, ["berth:secrets"]).stack.systems == ("gateway",)


def test_the_committed_schema_is_current() -> None:
    committed = json.loads((PROJECT / "docs/stack.schema.json").read_text())
    assert committed == json_schema(), "run: ./berth config schema > docs/stack.schema.json"


def test_settings_load_without_the_sdk() -> None:
    code = "import sys, stacks.settings, stacks.outputs, stacks.content; sys.exit('pulumi' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)
