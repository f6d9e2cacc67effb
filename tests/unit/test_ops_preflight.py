"""`./berth preflight`: which settings are refused, in which words, and what becomes of the rest."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from docker.errors import APIError

from ops import claimed, doctor, engine, host_facts, places, preflight, room
from ops.errors import UserError
from ops.findings import Finding, exit_code, gather, unknown
from ops.project import StackFile
from stacks import gpu_host
from stacks.host_needs import GB
from tests.unit.test_ops_preflight_gpus import stack_of


def seal(value: str, passphrase: str = "odd") -> tuple[str, str]:
    """A salt and a sealed value, as Pulumi writes them."""
    salt = b"saltsalt"
    key = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, 1_000_000)

    def sealed(text: str) -> str:
        nonce = os.urandom(12)
        data = AESGCM(key).encrypt(nonce, text.encode(), None)
        return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(data).decode()}"

    return f"v1:{base64.b64encode(salt).decode()}:{sealed('pulumi')}", sealed(value)


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a stack file is put; no passphrase of the machine's user is read."""
    monkeypatch.setattr(places, "config", lambda: tmp_path / "config")
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE_FILE", raising=False)
    yield tmp_path


def sealing(root: Path, value: str) -> StackFile:
    salt, hidden = seal(value)
    (root / "Pulumi.odd.yaml").write_text(
        "config:\n  berth:systems: [gateway]\n  berth:images: {source: local}\n"
        f"  berth:secrets: {{aliyun_access_key: {{secure: '{hidden}'}}}}\nencryptionsalt: {salt}\n"
    )
    return StackFile("odd", root)


@pytest.mark.parametrize(
    ("value", "passphrase", "grade", "told"),
    [
        ("csk-8h3k2j4h5k6j7h8k9", "odd", "ok", "is complete"),
        ("your_api_key_here", "odd", "missing", "aliyun_access_key: what an example has in its place"),
        ("changeme", "odd", "missing", "aliyun_access_key: what an example has in its place"),
        ("short", "odd", "missing", "aliyun_access_key: 5 characters: allowed: at least 8"),
        ("your_api_key_here", None, "unknown", "nothing on this machine opens them"),
        ("your_api_key_here", "even", "missing", "the passphrase does not fit"),
    ],
)
def test_a_sealed_placeholder_is_refused(
    gateway: Path,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    passphrase: str | None,
    grade: str,
    told: str,
) -> None:
    if passphrase is not None:
        monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", passphrase)
    found = preflight.required(sealing(gateway, value))
    assert found[0].grade == grade and told in found[0].found, found
    assert not any(value in finding.found for finding in found)


def test_all_that_is_missing_is_reported_together(gateway: Path) -> None:
    (gateway / "Pulumi.odd.yaml").write_text(
        "config:\n  berth:systems: [gateway, gpu]\n  berth:images: {source: registry}\n"
        "  berth:gpu: {cuda: '9'}\n"
    )
    (found,) = preflight.required(StackFile("odd", gateway))
    assert found.grade == "missing"
    for path in (
        "berth:gpu.cuda: '9'",
        "berth:gateway.gateway.image: required",
        "berth:secrets.aliyun_access_key: required",
        "berth:secrets.gpu_jwt_secret: required",
    ):
        assert path in found.found, found.found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "there is no stack 'odd'"),
        ("config: [a]\n", "`config` must be a mapping"),
        ("config: {}\nconfig: {}\n", "line 2, column 1: key 'config'"),
    ],
)
def test_a_stack_file_that_cannot_be_read_is_told_once(
    gateway: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, told: str
) -> None:
    if text is not None:
        (gateway / "Pulumi.odd.yaml").write_text(text)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{gateway}/none.sock")
    monkeypatch.setattr(preflight, "StackFile", lambda name: StackFile(name, gateway))
    found = preflight.examine("odd")
    assert [it.what for it in found if told in it.found] == ["settings"], found
    assert exit_code(found) == 1 and found[-1].what == "host"


def test_what_is_made_by_the_first_up_is_no_lack(gateway: Path) -> None:
    (gateway / "Pulumi.odd.yaml").write_text(
        "config:\n  berth:systems: [gateway]\n  berth:images: {source: local}\n"
        "  berth:generate_secrets: true\n"
    )
    (found,) = preflight.required(StackFile("odd", gateway))
    assert found.grade == "later" and "berth:secrets.aliyun_access_key" in found.found


def test_without_an_engine_nothing_is_said_of_its_host(
    gateway: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_args: object) -> Any:
        raise UserError("no engine answers", fix="start one")

    monkeypatch.setattr(engine, "reachable", none)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    (gateway / "Pulumi.odd.yaml").write_text(
        "config:\n  berth:systems: [gateway]\n  berth:images: {source: local}\n"
        "  berth:generate_secrets: true\n"
    )
    monkeypatch.setattr(preflight, "StackFile", lambda name: StackFile(name, gateway))
    found = preflight.examine("odd")
    assert [(it.what, it.grade) for it in found] == [
        ("settings", "later"),
        ("Docker engine", "missing"),
        ("host", "unknown"),
    ]
    assert "no Docker engine answers" in found[-1].found and exit_code(found) == 1


def test_where_the_first_up_installs_the_engine_this_machine_is_measured(
    gateway: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_of(gateway, "cuda: '12.1', nginx: {https_port: 1, address: 127.0.0.1}")
    promised = Finding("Docker engine", "later", "none answers; the first up installs and starts Debian's")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(doctor, "docker_engine", lambda _file: promised)
    monkeypatch.setattr(gpu_host, "driver", lambda: "535.104.05")
    monkeypatch.setattr(host_facts, "DEFAULT_ROOT", gateway / "not" / "made")
    monkeypatch.setattr(preflight, "StackFile", lambda name: StackFile(name, gateway))
    found = {finding.what: finding for finding in preflight.examine("far")}
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert found["memory"].found.startswith(room.gb(total))
    free = shutil.disk_usage(gateway).free
    assert abs(float(found["disk"].found.split()[0]) * GB - free) < 2 * GB
    assert found["NVIDIA driver"].grade == "ok", "that one is there"
    # Debian's Docker knows no GPU.
    assert found["container toolkit"].grade == found["GPU inside Docker"].grade == "missing"


def test_without_an_engine_no_finding_sends_to_another_that_sends_back(
    gateway: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_of(gateway, "cuda: '12.1', gpu: {kind: all, runtime: null}")
    promised = Finding("Docker engine", "later", "none answers; the first up installs and starts Debian's")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(doctor, "docker_engine", lambda _file: promised)
    monkeypatch.setattr(gpu_host, "driver", lambda: "535.104.05")
    monkeypatch.setattr(preflight, "StackFile", lambda name: StackFile(name, gateway))
    found = {finding.what: finding for finding in preflight.examine("far")}
    inside = found["GPU inside Docker"]
    assert inside.grade == "unknown" and "there is no engine yet" in inside.found
    assert "up -s far" in inside.fix


def test_an_engine_that_goes_between_two_calls_is_a_finding(
    gateway: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another answers the first call and is silent from then on, as one that is being stopped."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        file = StackFile("odd", gateway)
        (gateway / "Pulumi.odd.yaml").write_text("config:\n  berth:systems: [gateway]\n")
        monkeypatch.setattr(engine, "reachable", lambda _host: engine.Engine(host=host, origin="a test"))
        client: Any = docker.DockerClient(base_url=host, version="1.41")
        monkeypatch.setattr(engine.Engine, "client", lambda _self: client)
        server.close()
        found = doctor.docker_engine(file)
    assert found.grade == "missing" and "stopped answering" in found.found and host in found.found


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConnectionResetError("gone"), "the Docker engine stopped answering: gone"),
        (requests.ConnectionError("gone"), "the Docker engine stopped answering: gone"),
        (APIError("x", explanation="no such thing"), "the Docker engine refuses: no such thing"),
        (PermissionError(13, "denied", "/var/lib/docker"), "it cannot be looked at: "),
    ],
)
def test_only_a_lost_connection_is_an_engine_that_stopped_answering(error: Exception, told: str) -> None:
    assert engine.in_words(error).startswith(told)


def test_one_look_that_fails_takes_no_others_findings(gateway: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_args: object) -> Any:
        raise PermissionError(13, "denied", "/proc/net/tcp")

    stack_of(gateway, "cuda: '12.1'")
    promised = Finding("Docker engine", "later", "none answers; the first up installs and starts Debian's")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(doctor, "docker_engine", lambda _file: promised)
    monkeypatch.setattr(claimed, "ports", denied)
    monkeypatch.setattr(preflight, "StackFile", lambda name: StackFile(name, gateway))
    found = {finding.what: finding for finding in preflight.examine("far")}
    assert found["ports"].grade == "missing" and "/proc/net/tcp" in found["ports"].found
    assert {"disk", "memory", "networks", "NVIDIA driver"} <= set(found)


def test_a_look_that_is_refused_twice_is_told_once() -> None:
    def refused() -> list[Finding]:
        raise UserError("the same", fix="this")

    found = gather([("one", refused), ("other", refused), ("third", lambda: [Finding("third", "ok", "yes")])])
    assert [(it.what, it.grade) for it in found] == [("one", "missing"), ("third", "ok")]
    assert json.loads(json.dumps([it.fix for it in found])) == ["this", ""]


def test_what_is_unknown_is_named_once_and_is_not_what_the_first_up_makes() -> None:
    found = [
        Finding("settings", "later", "the first up makes it"),
        Finding("disk", "unknown", "not measured"),
        Finding("ports", "unknown", "one"),
        Finding("ports", "unknown", "other"),
    ]
    assert unknown(found) == ["disk", "ports"] and exit_code(found) == 0
