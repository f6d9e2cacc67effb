"""`berth:gpu`: what is refused, in which words, before anything is changed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from components.host_spec import LocalHost, SshHost
from stacks import gpu_host
from stacks.certificates import Authority
from stacks.problems import SettingsError
from stacks.settings import load, missing_secrets
from stacks.systems import SYSTEMS

CERTIFICATE = Authority.new("tests").issue(["localhost"])
SECRETS = {
    "gpu_jwt_secret": "0123456789abcdef" * 2,
    "gpu_admin_password": "correct-horse-battery",
    "gpu_certificate": CERTIFICATE,
}
BACKUP = {"gpu_backup_password": "correct-horse-battery"}
CPU: dict[str, Any] = {"device": "cpu", "texts": {"kind": "built-in"}}


def told(
    settings: dict[str, Any], secrets: dict[str, str] = SECRETS, *, hosts: bool = False, **stack: Any
) -> list[str]:
    """The lines of the report; none for what is right."""
    config = {"systems": ["gpu"], "images": {"source": "local"}, "gpu": settings, "secrets": secrets, **stack}
    raw = {f"berth:{key}": json.dumps(value) for key, value in config.items()}
    try:
        load(raw, ["berth:secrets"], stack="gpu", hosts=hosts)
    except SettingsError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_what_is_right_is_not_refused() -> None:
    assert told(CPU) == []


def test_all_that_looks_after_the_system_is_one_image() -> None:
    one, other = ({"source": "registry", "reference": f"registry.example/care:{n}"} for n in (1, 2))
    assert told(CPU | {"watch": {"image": one}, "snapshots": {}}, SECRETS | BACKUP) == []
    assert told(CPU | {"watch": {"image": one}, "snapshots": {"image": one}}, SECRETS | BACKUP) == []
    (line,) = told(CPU | {"watch": {"image": one}, "snapshots": {"image": other}}, SECRETS | BACKUP)
    assert "snapshots.image and watch.image are one image; allowed:" in line


@pytest.mark.parametrize(
    ("gpu", "line"),
    [
        ({"kind": "all", "capabilities": ["gpu", "fly"]}, "berth:gpu.gpu.capabilities[1]: 'fly'"),
        ({"kind": "count", "count": 1, "device_ids": ["0"]}, "berth:gpu.gpu.device_ids"),
        ({"kind": "devices", "device_ids": ["0"], "count": 1}, "berth:gpu.gpu.count"),
        ({"kind": "cdi", "names": ["nvidia.com/gpu=0"], "runtime": "nvidia"}, "berth:gpu.gpu.runtime"),
        ({"kind": "devices", "device_ids": ["1", "1"]}, "1 requested twice; allowed: each once"),
        ({"kind": "some"}, "berth:gpu.gpu.kind: 'some'"),
        ({"runtime": "runc"}, "berth:gpu.gpu.runtime"),
    ],
)
def test_a_gpu_request_that_contradicts_itself_is_refused_by_name(gpu: dict[str, Any], line: str) -> None:
    lines = told({"gpu": gpu}, SECRETS | {"cerebras_api_key": "csk-0123456789"})
    assert len(lines) == 1 and line in lines[0], lines


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"gpu": {"kind": "all"}}, "berth:gpu.gpu: device is cpu, which uses no GPU"),
        ({"cuda": "12.1"}, "device is cpu, which needs no CUDA"),
        ({"device": "tpu"}, "berth:gpu.device: 'tpu': allowed: 'cuda' or 'cpu'"),
        ({"app": {"concurrency": 0}}, "berth:gpu.app.concurrency"),
        ({"admin": {"address": "0.0.0.0"}}, "berth:gpu.admin.port: 3005 on 0.0.0.0"),
        ({"admin": {"port": 443, "address": "127.0.0.1"}}, "taken by berth:gpu.nginx.https_port"),
        ({"nginx_network": {"name": "app-network"}}, "taken by berth:gpu.network.name"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], line: str) -> None:
    lines = told(CPU | settings)
    assert len(lines) == 1 and line in lines[0], lines


def test_the_secret_of_sessions_has_32_bytes() -> None:
    (line,) = told(CPU, SECRETS | {"gpu_jwt_secret": "0123456789abcdef" * 2})[:1] or [""]
    assert line == ""
    (line,) = told(CPU, SECRETS | {"gpu_jwt_secret": "0123456789abcdef0123456789abcde"})
    assert line == "berth:secrets.gpu_jwt_secret: 31 characters: allowed: at least 32 characters"


@pytest.mark.parametrize(
    "value",
    [
        "your_api_key_here",
        "YOUR-API-KEY",
        "<your key>",
        "changeme",
        "change_me_please",
        "password123",
        "audioediter_root",
        "audioediter_pass",
        "replace_me_with_the_key",
        "my_secret_key",
    ],
)
def test_a_placeholder_is_no_secret(value: str) -> None:
    (line,) = told(CPU | {"texts": {}}, SECRETS | {"cerebras_api_key": value})
    assert line.startswith("berth:secrets.cerebras_api_key: what an example has in its place: allowed: ")
    assert value not in line


@pytest.mark.parametrize("value", ["csk-8h3k2j4h5k6j7h8k9", "yourselves1", "0123456789abcdef"])
def test_a_secret_is_no_placeholder(value: str) -> None:
    assert told(CPU | {"texts": {}}, SECRETS | {"cerebras_api_key": value}) == []


def test_each_part_asks_for_its_secrets() -> None:
    def asked(settings: dict[str, Any]) -> set[str]:
        config = {"berth:systems": '["gpu"]', "berth:gpu": json.dumps(settings)}
        return {request.name for request in missing_secrets(config)}

    least = {"gpu_jwt_secret", "gpu_admin_password", "gpu_certificate"}
    assert asked(CPU) == least
    assert asked(CPU | {"texts": {}}) == {*least, "cerebras_api_key"}
    assert asked(CPU | {"redis": {}}) == {*least, "gpu_redis_password"}
    assert asked(CPU | {"postgres": {}}) == {*least, "gpu_postgres_password", "gpu_postgres_certificate"}
    generated = {request.name: request.generate() for request in SYSTEMS["gpu"].load_settings()().secrets()}
    assert len(generated["gpu_jwt_secret"].encode()) >= 32


# --- the host


def _host(monkeypatch: pytest.MonkeyPatch, driver: str | None) -> None:
    monkeypatch.setattr(gpu_host, "driver", lambda: driver)
    monkeypatch.delenv("DOCKER_HOST", raising=False)


@pytest.mark.parametrize(
    ("driver", "cuda", "line"),
    [
        (None, None, "berth:gpu.device: cuda: no NVIDIA driver is on this machine"),
        ("449.9", None, "berth:gpu.cuda: the NVIDIA driver 449.9 is too old"),
        (
            "529.9",
            "12.1",
            "berth:gpu.cuda: CUDA 12.1 needs the NVIDIA driver 530 or newer, the host has 529.9",
        ),
        ("529.9", None, None),
        ("529.9", "11.8", None),
        ("530.1", None, None),
    ],
)
def test_cuda_where_it_cannot_be_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, driver: str | None, cuda: str | None, line: str | None
) -> None:
    _host(monkeypatch, driver)
    settings = {"texts": {"kind": "built-in"}, **({"cuda": cuda} if cuda else {})}
    lines = told(settings, hosts=True)
    assert ([] if line is None else [line]) == [it[: len(line or "")] for it in lines]
    assert all("allowed: " in it or "upgrade" in it for it in lines)
    assert told(CPU, hosts=True) == []


def test_the_driver_of_another_host_is_to_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    _host(monkeypatch, None)
    host = {"kind": "ssh", "address": "ssh://ops@10.0.0.5"}
    settings = {"texts": {"kind": "built-in"}}
    (line,) = told(settings, hosts=True, host=host)
    assert line.startswith("berth:gpu.cuda: required for a host that is not this machine")
    assert told({**settings, "cuda": "12.1"}, hosts=True, host=host) == []


def test_which_host_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert gpu_host.is_here(LocalHost())
    assert gpu_host.is_here(LocalHost(address="unix:///run/x.sock"))
    assert not gpu_host.is_here(LocalHost(address="tcp://127.0.0.1:2375"))
    assert not gpu_host.is_here(SshHost(kind="ssh", address="ssh://ops@10.0.0.5"))
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.5:2376")
    assert not gpu_host.is_here(LocalHost())


def _context(config: Path, name: str, host: str) -> None:
    meta = config / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))


def test_an_engine_behind_a_docker_context_is_here_only_at_a_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    _context(tmp_path, "far", "ssh://ops@10.0.0.5")
    _context(tmp_path, "desktop", "unix:///run/desktop.sock")
    (tmp_path / "config.json").write_text('{"currentContext": "far"}')
    assert not gpu_host.is_here(LocalHost())
    assert gpu_host.is_here(LocalHost(address="unix:///run/x.sock")), "the stack's own word goes first"
    for here in ("desktop", "default"):
        monkeypatch.setenv("DOCKER_CONTEXT", here)
        assert gpu_host.is_here(LocalHost()), here
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.5:2376")
    assert not gpu_host.is_here(LocalHost()), "DOCKER_HOST goes before a context"


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023",
            "535.104.05",
        ),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build  (x@y)",
            "550.54.15",
        ),
        ("something else", None),
    ],
)
def test_the_driver_is_read_as_the_kernel_tells_it(tmp_path: Path, text: str, version: str | None) -> None:
    file = tmp_path / "version"
    assert gpu_host.driver(file) is None
    file.write_text(text + "\nGCC version:  gcc version 12.2.0\n")
    assert gpu_host.driver(file) == version
