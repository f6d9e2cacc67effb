"""GPUs of a host against what a stack asks for, and the images that may ask there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import TypeAdapter

from components.containers.gpu import Gpu, engine_request
from offline.docker.container_create import payload
from ops import gpu_checks, one_shot, settings
from ops.host_facts import HostFacts
from ops.project import StackFile
from stacks import gpu_host
from stacks.host_needs import GB, GpuNeed
from stacks.releases import names_on_engine
from tests.unit.test_service import inputs_of

GPU: TypeAdapter[Any] = TypeAdapter(Gpu)
HERE = HostFacts(here=True, memory=16 * GB, disk=100 * GB, root="/var/lib/docker")
FAR = replace(HERE, here=False)


@pytest.mark.parametrize(
    "gpu",
    [
        {},
        {"kind": "all", "runtime": None, "capabilities": ["gpu", "video"]},
        {"kind": "count", "count": 2},
        {"kind": "devices", "device_ids": ["0", "GPU-3a2b"]},
        {"kind": "cdi", "names": ["nvidia.com/gpu=all"]},
    ],
)
def test_what_is_tried_is_what_the_container_asks_for(gpu: dict[str, Any]) -> None:
    wanted = GPU.validate_python(gpu)
    made = payload({"image": "x", **inputs_of(gpu=wanted)})["HostConfig"]
    (request,) = made["DeviceRequests"]
    mine = engine_request(wanted)
    assert {key: value or None for key, value in mine.items()} == {
        key: value or None for key, value in request.items()
    }
    assert GpuNeed.of(wanted).runtime == made.get("Runtime")


def stack_of(tmp_path: Path, gpu: str, host: str = "{}") -> Any:
    text = (
        "config:\n  berth:systems: [gpu]\n  berth:images: {source: local}\n  berth:generate_secrets: true\n"
        f"  berth:host: {host}\n  berth:gpu: {{texts: {{kind: built-in}}, {gpu}}}\n"
    )
    (tmp_path / "Pulumi.far.yaml").write_text(text)
    return settings.check(StackFile("far", tmp_path), secrets=False)


@pytest.mark.parametrize(
    ("version", "gpu", "grade", "told"),
    [
        (None, "", "missing", "no NVIDIA driver is on this machine"),
        ("449.9", "", "missing", "the NVIDIA driver 449.9 is too old"),
        ("450.80", "cuda: '12.1'", "missing", "CUDA 12.1 needs the NVIDIA driver 530 or newer, the host has"),
        ("529.9", "cuda: '12.1'", "missing", "CUDA 12.1 needs the NVIDIA driver 530 or newer, the host has"),
        ("529.9", "", "ok", "529.9"),
        ("450.80", "cuda: '11.8'", "ok", "450.80"),
        ("530.1", "cuda: '12.1'", "ok", "530.1"),
    ],
)
def test_the_driver_here_must_run_the_cuda(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str | None,
    gpu: str,
    grade: str,
    told: str,
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(gpu_host, "driver", lambda: version)
    host = "{kind: local, address: 'unix:///var/run/docker.sock'}"
    (found,) = gpu_checks.driver(stack_of(tmp_path, gpu, host), HERE)
    assert found.grade == grade and told in found.found, found


SSH = "{kind: ssh, address: 'ssh://ops@10.0.0.5'}"


@pytest.mark.parametrize(
    ("version", "untold", "gpu", "grade", "told"),
    [
        ("535.1", "", "cuda: '12.1'", "ok", "535.1"),
        ("529.9", "", "cuda: '12.1'", "missing", "the host has 529.9"),
        (None, "", "cuda: '12.1'", "missing", "no NVIDIA driver is on the engine's host"),
        (None, "nobody says", "cuda: '12.1'", "unknown", "not known: nobody says"),
        (None, "nobody says", "", "missing", "berth:gpu.cuda: required for a host that is not this machine"),
        ("535.1", "", "", "missing", "berth:gpu.cuda: required for a host that is not this machine"),
    ],
)
def test_the_driver_of_another_host_is_judged_as_far_as_it_is_told(
    tmp_path: Path, version: str | None, untold: str, gpu: str, grade: str, told: str
) -> None:
    facts = replace(FAR, driver=version, untold=untold)
    (found,) = gpu_checks.driver(stack_of(tmp_path, gpu, SSH), facts)
    assert found.grade == grade and told in found.found, found


@pytest.mark.parametrize(
    ("gpu", "runtimes", "cdi", "grade"),
    [
        ({}, {"runc", "nvidia"}, False, "ok"),
        ({}, {"runc"}, True, "missing"),
        ({"runtime": None}, {"runc"}, False, "unknown"),
        ({"runtime": None}, {"runc", "nvidia"}, False, "ok"),
        ({"kind": "cdi", "names": ["nvidia.com/gpu=all"]}, {"runc"}, True, "ok"),
        ({"kind": "cdi", "names": ["nvidia.com/gpu=all"]}, {"runc", "nvidia"}, False, "missing"),
    ],
)
def test_the_container_toolkit_is_what_the_request_needs(
    gpu: dict[str, Any], runtimes: set[str], cdi: bool, grade: str
) -> None:
    facts = replace(HERE, runtimes=frozenset(runtimes), cdi=cdi)
    found = gpu_checks.toolkit(GpuNeed.of(GPU.validate_python(gpu)), facts)
    assert found.grade == grade
    assert bool(found.fix) == (grade != "ok")


@pytest.mark.parametrize(
    ("status", "output", "grade", "told"),
    [
        (0, "/dev/nvidia0\nGPU 0: NVIDIA A10 (UUID: GPU-1)", "ok", "GPU 0: NVIDIA A10"),
        (100, "", "missing", "has no GPU"),
        (3, "Not Supported", "missing", "(status 3): Not Supported"),
        (9, "Failed to initialize NVML", "missing", "(status 9): Failed to initialize NVML"),
    ],
)
def test_what_a_container_says_of_its_gpu(status: int, output: str, grade: str, told: str) -> None:
    found = gpu_checks.judged(status, output, "berth/trainer:1")
    assert found.grade == grade and told in found.found


def test_without_an_image_nothing_is_tried_and_nothing_promised() -> None:
    client: Any = SimpleNamespace(api=SimpleNamespace(images=list))
    need = GpuNeed.of(GPU.validate_python({}))
    found = gpu_checks.inside(client, need, ["berth/trainer"], stack="far")
    assert found.grade == "unknown" and "not tried" in found.found and "up -s far" in found.fix


def test_only_images_of_the_stack_are_started() -> None:
    listed = [
        {"RepoTags": ["other/trainer:1", "berth/care:1"], "RepoDigests": None},
        {"RepoTags": None, "RepoDigests": ["team/app@sha256:1"]},
        {"RepoTags": ["berth/trainer:2", "team/nginx:1.28-alpine"], "RepoDigests": []},
    ]
    client: Any = SimpleNamespace(api=SimpleNamespace(images=lambda: listed))
    found = one_shot.images_there(client, ["berth/trainer", "none", "berth/care"])
    assert found == ["berth/trainer:2", "berth/care:1"]
    assert one_shot.images_there(client, ["team/nginx:1.28-alpine"]) == ["team/nginx:1.28-alpine"]
    assert one_shot.images_there(client, ["team/app@sha256:1"]) == ["team/app@sha256:1"]
    assert one_shot.images_there(client, ["trainer", "team/nginx:1.27", "nginx:1.28-alpine"]) == []


def test_images_are_known_as_an_engine_has_them(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, "cuda: '11.8'", SSH)
    names = list(names_on_engine(stack))
    assert names[0] == "berth/trainer" and "berth/base" in names
    pulled = stack.model_copy(
        update={"images": stack.images.model_copy(update={"source": "registry", "tag": "1.2", "mirror": "m"})}
    )
    names = list(names_on_engine(pulled))
    assert names[0] == "m/trainer:1.2-cu118" and "m/redis:7-alpine" in names
