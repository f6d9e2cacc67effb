"""The stack file: every wrong input with its path, value and what is allowed, all in one report."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from components.units import Address, Cidr
from policies import exposure
from stacks.claims import PUBLIC_PORTS, NetworkClaim, PortClaim, SubnetClaim, port_clashes, subnet_clashes
from stacks.gateway_settings import GatewaySettings, Unified
from stacks.image_settings import ImageChoice
from stacks.problems import SettingsError
from stacks.secrets import SecretRequest
from stacks.settings import Settings, json_schema, load, missing_secrets, with_systems
from stacks.stack_file import foreign, plain_secrets, unknown_parts
from stacks.system import SystemSettings
from stacks.systems import SYSTEMS

PROJECT = Path(__file__).parents[2]
SECRET = "not-to-be-shown-anywhere"
CLOUD = {"kind": "ecs", "region": "cn-hangzhou", "zone": "cn-hangzhou-h", "instance_type": "ecs.c7.large"}


def settings(*, secrets: dict[str, Any] | None = None, encrypted: bool = True, **values: Any) -> Settings:
    """Load `values` as a stack file that is right but for them."""
    values = {"systems": ["gateway"], "images": {"source": "local"}, **values}
    config = {
        f"berth:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in values.items()
    }
    config["berth:secrets"] = json.dumps({"aliyun_access_key": SECRET} if secrets is None else secrets)
    return load(config, ["berth:secrets"] if encrypted else [], stack="dev")


def report(**values: Any) -> list[str]:
    """The problems of that stack file."""
    with pytest.raises(SettingsError) as error:
        settings(**values)
    assert SECRET not in str(error.value) and SECRET not in repr(error.value)
    return [str(problem) for problem in error.value.problems]


def test_defaults_are_the_unified_gateway_on_this_machine() -> None:
    stack = settings().stack
    (gateway,) = stack.chosen().values()
    assert isinstance(gateway, Unified)
    assert (stack.host.kind, gateway.gateway.port) == ("local", 8010)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"systems": []}, "berth:systems: none given: allowed: 1 or more"),
        (
            {"systems": ["gatewey"]},
            "berth:systems[0]: 'gatewey': allowed: 'celery', 'cloud-api', 'gateway' or 'gpu'",
        ),
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
            "berth:gateway.files.base_url: 'http://***@host': allowed: an http or https address without",
        ),
        (
            {"gateway": {"gateway": {"routes": [{"method": "GET", "path": "/a", "target": "/{b}"}]}}},
            "berth:gateway.gateway.routes[0].target: '/{b}': uses {b}, which path /a lacks",
        ),
        ({"images": None}, "berth:images: null: allowed: a mapping"),
        ({"images": {"build": "fast"}}, "berth:images.build: 'fast': allowed: a mapping"),
        (
            {"gateway": {"processor": {"workers": 1.5}}},
            "berth:gateway.processor.workers: 1.5: allowed: a",
        ),
        (
            {"gateway": {"gateway": {"routes": []}}},
            "berth:gateway.gateway.routes: none given: allowed: 1 or more",
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
            "berth:host.address: '10.0.0.5': allowed: ssh://user@host or",
        ),
        ({"host": {"kind": "vm"}}, "berth:host.kind: 'vm': allowed: 'local', 'ssh', 'ecs'"),
        ({"images": {"source": "registry"}}, "berth:gateway.gateway.image: required while"),
        ({"images": {"source": "disk"}}, "berth:images.source: 'disk': allowed: 'registry' or 'local'"),
        (
            {"images": {"source": "local", "bases": {"file-system-go": "ubuntu:22.04"}}},
            "berth:images.bases.file-system-go.[key]: 'file-system-go': allowed: 'taifish'",
        ),
        (
            {"images": {"source": "local", "bases": {"taifish": "ubuntu:22.04"}}},
            "berth:images.bases.taifish: nothing here is made from workloads/taifish; made are: api-g",
        ),
        (
            {"images": {"source": "local", "bases": {"taifish": "ubuntu"}}},
            "berth:images.bases.taifish: 'ubuntu': it is another image every time",
        ),
        ({"secrets": {}}, "berth:secrets.aliyun_access_key: required"),
        (
            {"gateway": {"gateway": {"port": 3000}}},
            "berth:gateway.gateway.port: 3000 on 0.0.0.0: allowed: 8010, 80 or 443; any port with",
        ),
        (
            {"operators": ["0.0.0.0/0"], "gateway": {"gateway": {"port": 3000}}},
            "berth:operators[0]: '0.0.0.0/0': allowed: the IPv4 network of operators without",
        ),
        (
            {"operators": ["10.8.0.0/24"], "gateway": {"gateway": {"port": 3000, "address": "10.9.0.1"}}},
            "berth:gateway.gateway.port: 3000 on 10.9.0.1: allowed: 8010, 80 or 443; any port with",
        ),
        ({"gateway": {"mode": None}}, "berth:gateway.mode: null: allowed: 'unified', 'gateway', 'processor'"),
        ({"gateway": {"mode": []}}, "berth:gateway.mode: a list: allowed: 'unified', 'gateway', 'processor'"),
        (
            {"gateway": {"mode": "processor", "network": {"kind": "stack", "stack": ""}}},
            "berth:gateway.network.stack: '': allowed: 1 character or more",
        ),
        ({"generate_secrets": 1}, "berth:generate_secrets: 1: allowed: true or false"),
        ({"generate_secrets": 0}, "berth:generate_secrets: 0: allowed: true or false"),
        (
            {"host": {"address": "10.0.0.5"}},
            "berth:host.address: '10.0.0.5': allowed: an engine's address, like",
        ),
        (
            {"host": {"address": "tcp://10.0.0.5:2376"}},
            "berth:host: cert_path: not set, so whoever is on the",
        ),
        ({"host": {"address": "tcp://127.0.0.1.evil:1"}}, "berth:host: cert_path: not set, so whoever is on"),
        (
            {"host": {"address": "unix:///var/run/docker.sock", "cert_path": "/etc/docker/tls"}},
            "berth:host.cert_path: '/etc/docker/tls': there is no TLS on such an address; allowed: with",
        ),
        ({"host": {"cert_path": "tls"}}, "berth:host.cert_path: 'tls': allowed: an absolute path without"),
        ({"images": {"tag": "a b"}}, "berth:images.tag: 'a b': allowed: a tag, like 1.2.3"),
        (
            {"images": {"tag": "latest"}},
            "berth:images.tag: 'latest': it is another image every time; allowed:",
        ),
        (
            {"images": {"mirror": "https://x"}},
            "berth:images.mirror: 'https://x': allowed: a registry and a path",
        ),
        (
            {"gateway": {"network": {"name": "-a"}}},
            "berth:gateway.network.name: '-a': allowed: a name of two or more letters",
        ),
        (
            {"gateway": {"gateway": {"connections": 10, "connections_per_client": 20}}},
            "berth:gateway.gateway.connections_per_client: 20: more than connections; allowed: at most 10",
        ),
        ({"generate_secrets": "yes"}, "berth:generate_secrets: 'yes': allowed: true or false"),
        (
            {"host": CLOUD, "gateway": {"network": {"subnet": "10.20.5.0/24"}}},
            "berth:gateway.network.subnet: 10.20.5.0/24: overlaps berth:host.vpc_cidr (10.20.0.0/16)",
        ),
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


def test_what_is_wrong_between_settings_comes_with_the_rest() -> None:
    lines = report(
        systems=["gateway", "gateway"], gateway={"gateway": {"port": 3000}, "processor": {"replicas": 0}}, x=1
    )
    assert [line.split(": ")[0] for line in lines] == [
        "berth:gateway.gateway.port",
        "berth:gateway.processor.replicas",
        "berth:systems",
        "berth:x",
    ]


@pytest.mark.parametrize(
    "gateway",
    [{"gateway": {"port": 3000, "address": "local"}}, {"mode": "both", "gateway": {"port": 3000}}],
)
def test_defaults_in_place_of_wrong_settings_are_not_reported(gateway: dict[str, Any]) -> None:
    assert len(report(gateway=gateway)) == 1


def test_items_after_a_wrong_one_keep_their_places() -> None:
    route = {"method": "GET", "path": "/a", "target": "/a"}
    routes = [route | {"method": "get"}, route | {"method": "put"}, route, route | {"path": "/b"}]
    lines = report(gateway={"gateway": {"routes": routes}}, secrets={})
    assert [line.split(": ")[0] for line in lines] == [
        "berth:gateway.gateway.routes[0].method",
        "berth:gateway.gateway.routes[1].method",
        "berth:secrets.aliyun_access_key",
    ]


class Mail(SystemSettings):
    """A second system on the host."""

    port: int = 8025
    subnet: Cidr = Cidr("10.1.0.0/16")

    def port_claims(self) -> Iterator[PortClaim]:
        yield PortClaim("berth:mail.port", Address("127.0.0.1"), self.port)

    def subnet_claims(self) -> Iterator[SubnetClaim]:
        yield SubnetClaim("berth:mail.subnet", self.subnet)

    def network_claims(self) -> Iterator[NetworkClaim]:
        yield NetworkClaim("berth:mail.network.name", "mail")

    def secrets(self) -> Iterator[SecretRequest]:
        yield SecretRequest("mail_password", "the mailbox")

    def images(self) -> Iterator[tuple[str, ImageChoice | None]]:
        return iter(())


def two_systems(**values: Any) -> Settings:
    """A stack that runs Mail beside the gateway."""
    secrets = {"aliyun_access_key": SECRET, "mail_password": SECRET}
    given = {"systems": ["gateway", "mail"], "images": {"source": "local"}, "secrets": secrets, **values}
    config = {f"berth:{key}": json.dumps(value) for key, value in given.items()}
    return load(
        config, ["berth:secrets"], stack="dev", model=with_systems({"gateway": GatewaySettings, "mail": Mail})
    )


def test_systems_share_a_host() -> None:
    assert list(two_systems().stack.chosen()) == ["gateway", "mail"]


def test_systems_that_want_the_same_are_told_apart() -> None:
    with pytest.raises(SettingsError) as error:
        two_systems(
            mail={"port": 8010},
            gateway={"network": {"subnet": "10.1.2.0/24"}},
            secrets={},
            images={"tag": "1"},
        )
    assert [str(problem).split("; ")[0].split(" (the ")[0] for problem in error.value.problems] == [
        "berth:mail.port: 127.0.0.1:8010: taken by berth:gateway.gateway.port (0.0.0.0:8010)",
        "berth:mail.subnet: 10.1.0.0/16: overlaps berth:gateway.network.subnet (10.1.2.0/24)",
        "berth:secrets.aliyun_access_key: required",
        "berth:secrets.mail_password: required",
    ]


def test_networks_of_one_name_are_told_with_the_rest() -> None:
    lines: list[list[str]] = []
    for name in ("mail", "bridge"):
        with pytest.raises(SettingsError) as error:
            two_systems(mail={"port": 8010}, gateway={"network": {"name": name}})
        lines.append([str(problem) for problem in error.value.problems])
    assert [[line.split(" (0")[0].removesuffix("ts own") for line in found] for found in lines] == [
        [
            "berth:mail.network.name: 'mail': taken by berth:gateway.network.name; allowed: a name of i",
            "berth:mail.port: 127.0.0.1:8010: taken by berth:gateway.gateway.port",
        ],
        [
            "berth:gateway.network.name: 'bridge': Docker's own network; allowed: any other name",
            "berth:mail.port: 127.0.0.1:8010: taken by berth:gateway.gateway.port",
        ],
    ]


@pytest.mark.parametrize("name", ["bridge", "host", "none", "default"])
def test_dockers_own_networks_are_not_joined_either(name: str) -> None:
    (line,) = report(gateway={"mode": "processor", "network": {"name": name}})
    assert line.startswith(f"berth:gateway.network.name: '{name}': Docker's own network")


def test_a_joined_network_may_be_one_that_another_system_makes() -> None:
    two_systems(gateway={"mode": "processor", "network": {"name": "mail"}})


@pytest.mark.parametrize("text", [" " * 20, "\n" * 20, "a" * 20, f"  {'a' * 20}\n", f"{' ' * 20}short"])
def test_a_blank_secret_is_refused_however_long(text: str) -> None:
    (line,) = report(secrets={"aliyun_access_key": text})
    assert line.startswith("berth:secrets.aliyun_access_key: ") and "allowed: at least 8 characters" in line


@pytest.mark.parametrize("key", ["secrets.aliyun_access_key", "aliyun_access_key"])
def test_a_secret_that_was_set_without_path_is_told_with_the_way_out(key: str) -> None:
    lines = report(secrets={}, **{key: SECRET})
    assert len(lines) == 2
    (line,) = [line for line in lines if "required" not in line]
    assert "not below berth:secrets" in line
    assert f"`pulumi config rm berth:{key} --stack dev`" in line
    assert any("`pulumi config set --secret --path berth:secrets.aliyun" in line for line in lines)


def test_a_plain_secret_beside_a_sealed_one_is_told_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    assert plain_secrets(file) == []
    file.write_text("config:\n  berth:secrets: {sealed: {secure: v1:abc}, open: shown, number: 5}\n")
    assert plain_secrets(file) == ["open", "number"]
    config = {"berth:systems": '["gateway"]', "berth:images": '{"source": "local"}'}
    config["berth:secrets"] = json.dumps({"aliyun_access_key": SECRET})
    with pytest.raises(SettingsError) as error:
        load(config, ["berth:secrets"], stack="dev", plain=["aliyun_access_key"])
    (problem,) = error.value.problems
    assert str(problem).startswith("berth:secrets.aliyun_access_key: stored as plain text; ")


def test_the_command_for_a_secret_is_complete() -> None:
    (line,) = report(secrets={})
    assert "`pulumi config set --secret --path berth:secrets.aliyun_access_key --stack dev`" in line


@pytest.mark.parametrize("text", ["true", '"true"'])
def test_truth_as_pulumi_writes_it(text: str) -> None:
    secrets = json.dumps({"aliyun_access_key": SECRET})
    config = {"berth:systems": '["gateway"]', "berth:images": '{"tag": "1"}', "berth:secrets": secrets}
    found = load({**config, "berth:generate_secrets": text}, ["berth:secrets"], stack="dev")
    assert found.stack.generate_secrets
    assert json_schema()["properties"]["config"]["properties"]["berth:generate_secrets"]["enum"] == [
        True,
        False,
        "true",
        "false",
    ]


def test_missing_secrets_are_known_while_the_file_is_wrong_otherwise() -> None:
    (request,) = missing_secrets({"berth:systems": '["gateway"]', "berth:extra": "1"})
    assert request.name == "aliyun_access_key"


def test_public_ports_are_those_of_the_policy() -> None:
    assert set(PUBLIC_PORTS) == exposure.PUBLIC_PORTS


@pytest.mark.parametrize("name", SYSTEMS)
def test_each_system_can_be_built(name: str) -> None:
    assert SYSTEMS[name].load_settings() and callable(SYSTEMS[name].load_compose())


def test_a_provider_setting_that_would_be_ignored_is_refused() -> None:
    with pytest.raises(SettingsError, match="docker:host: would be ignored; allowed: berth:host"):
        load({"berth:systems": '["gateway"]', "docker:host": "tcp://10.0.0.1:2376"}, stack="dev")


@pytest.mark.parametrize(
    "address",
    [
        "http://user:SECRET@10.0.0.5:8000",
        "http://user:a/SECRET@b@10.0.0.5",
        "http://SECRET@10.0.0.5",
        "HTTP://user:SECRET@10.0.0.5",
        "user:SECRET@10.0.0.5:8000",
        "http://10.0.0.5/?token=SECRET",
        "redis://:SECRET@10.0.0.5:6379",
        "http://user:with a SECRET@10.0.0.5",
    ],
)
def test_credentials_in_an_address_do_not_show(address: str) -> None:
    files = {"kind": "elsewhere", "base_url": address.replace("SECRET", SECRET)}
    images = {"source": "local", "mirror": address.replace("SECRET", SECRET)}
    lines = report(gateway={"files": files}, images=images)
    assert len(lines) == 2 and all("***" in line and "10.0.0.5" in line for line in lines)


def test_what_is_no_credential_shows() -> None:
    digest = f"team/app:1 @sha256:{'0' * 8}"
    host = {"kind": "ssh", "address": "ssh://me@10.0.0.5:port"}
    image = {"source": "registry", "reference": digest}
    lines = report(gateway={"processor": {"image": image}}, host=host)
    assert digest in lines[0] and host["address"] in lines[1]


@pytest.mark.parametrize(
    "key", ["brth:gateway", "Berth:gateway", "berht:systems", "a-b:c", "a.b:c", ":gateway"]
)
def test_a_misspelt_namespace_is_told(key: str) -> None:
    with pytest.raises(SettingsError) as error:
        load({"berth:systems": '["celery"]', key: '{"mode": "unified"}'}, stack="dev")
    (line,) = [str(problem) for problem in error.value.problems if problem.path == key]
    assert "nothing reads the namespace" in line and f"allowed: berth:{key.partition(':')[2]}" in line


@pytest.mark.parametrize(
    "reference", ["nginx", "nginx:latest", "host:5000/nginx", "nginx:", "host:5000/a/nginx:latest"]
)
def test_an_image_that_moves_is_told(reference: str) -> None:
    image = {"source": "registry", "reference": reference}
    (line,) = report(gateway={"processor": {"image": image}})
    assert line.startswith(f"berth:gateway.processor.image.reference: '{reference}': it is another image")


@pytest.mark.parametrize(
    "reference", ["nginx:1.28", f"nginx@sha256:{'0' * 64}", f"n:latest@sha256:{'0' * 64}"]
)
def test_an_image_that_is_pinned_is_not(reference: str) -> None:
    settings(gateway={"processor": {"image": {"source": "registry", "reference": reference}}})


@pytest.mark.parametrize(
    "host",
    [
        {"address": "tcp://127.0.0.1:2375"},
        {"address": "tcp://localhost:2375"},
        {"address": "tcp://10.0.0.5:2376", "cert_path": "/etc/docker/tls"},
        {"cert_path": "/etc/docker/tls"},
    ],
)
def test_an_engine_that_nobody_else_can_use_is_right(host: dict[str, str]) -> None:
    settings(host=host)


def test_few_connections_alone_are_right() -> None:
    settings(gateway={"gateway": {"connections": 10}})


def test_what_pulumi_and_its_plugins_read_is_left_to_them() -> None:
    assert [foreign(key) for key in ("pulumi:tags", "pulumi:template", "policy:x")] == [None] * 3
    assert "docker:host" in str(foreign("docker:host")) and "berth:systems" in str(foreign("systems"))


def test_a_plugins_namespace_may_have_a_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pulumi_some_cloud.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert foreign("some-cloud:region") is None


def test_an_unknown_part_is_told() -> None:
    assert [problem.path for problem in unknown_parts(["conf", "config", 5, "encryptionsalt"])] == [
        "conf",
        "5",
    ]


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
    assert load(config, ["berth:secrets"], stack=stack).stack.systems == ("gateway",)


def test_the_stack_files_of_the_readme_are_valid() -> None:
    examples = re.findall(r"```yaml\n(config:.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
    assert len(examples) == 2
    for example in examples:
        settings(
            **{key.removeprefix("berth:"): value for key, value in yaml.safe_load(example)["config"].items()}
        )


def test_the_committed_schema_is_current() -> None:
    committed = json.loads((PROJECT / "docs/stack.schema.json").read_text())
    assert committed == json_schema(), "run: ./berth config schema > docs/stack.schema.json"


def test_settings_load_without_the_sdk() -> None:
    code = """
import sys, stacks.settings, stacks.outputs, stacks.content
stacks.settings.json_schema()
sys.exit('pulumi' in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)
