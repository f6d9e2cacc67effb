"""GPU requests: each way to ask, as the provider gets it; contradictions cannot be written."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from components.containers.gpu import Gpu
from tests.unit.test_service import inputs_of

GPU: TypeAdapter[Any] = TypeAdapter(Gpu)


@pytest.mark.parametrize(
    ("raw", "request_", "runtime"),
    [
        ({}, {"driver": "nvidia", "count": -1, "capabilities": ["gpu", "compute", "utility"]}, "nvidia"),
        (
            {"kind": "all"},
            {"driver": "nvidia", "count": -1, "capabilities": ["gpu", "compute", "utility"]},
            "nvidia",
        ),
        (
            {"kind": "count", "count": 2, "capabilities": ["gpu"], "runtime": None},
            {"driver": "nvidia", "count": 2, "capabilities": ["gpu"]},
            None,
        ),
        (
            {"kind": "devices", "device_ids": ["0", "GPU-3a2b"]},
            {
                "driver": "nvidia",
                "deviceIds": ["0", "GPU-3a2b"],
                "capabilities": ["gpu", "compute", "utility"],
            },
            "nvidia",
        ),
        (
            {"kind": "cdi", "names": ["nvidia.com/gpu=all"]},
            {"driver": "cdi", "deviceIds": ["nvidia.com/gpu=all"]},
            None,
        ),
    ],
)
def test_request_reaches_docker(raw: dict[str, Any], request_: dict[str, Any], runtime: str | None) -> None:
    inputs = inputs_of(gpu=GPU.validate_python(raw))
    assert inputs["deviceRequests"] == [request_]
    assert inputs.get("runtime") == runtime


@pytest.mark.parametrize(
    "raw",
    [
        {"kind": "some"},
        {"count": 2},
        {"driver": "amd"},
        {"runtime": "runc"},
        {"kind": "all", "device_ids": ["0"]},
        {"kind": "devices", "device_ids": ["0"], "count": 1},
        {"kind": "devices", "device_ids": ["0"], "names": ["nvidia.com/gpu=0"]},
        {"kind": "cdi", "names": ["nvidia.com/gpu=0"], "capabilities": ["gpu"]},
        {"kind": "count", "count": 0},
        {"kind": "count", "count": -1},
        {"kind": "count", "count": 1, "device_ids": ["0"]},
        {"kind": "devices", "device_ids": []},
        {"kind": "devices", "device_ids": ["first"]},
        {"kind": "cdi", "names": ["gpu"]},
        {"kind": "cdi", "names": ["nvidia.com/gpu=all"], "runtime": "nvidia"},
        {"kind": "all", "capabilities": []},
        {"kind": "all", "capabilities": ["fly"]},
    ],
)
def test_contradictions_cannot_be_written(raw: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GPU.validate_python(raw)


@pytest.mark.parametrize(
    "raw",
    [
        {"kind": "devices", "device_ids": ["0", "1", "0"]},
        {"kind": "cdi", "names": ["nvidia.com/gpu=0", "nvidia.com/gpu=0"]},
        {"capabilities": ["gpu", "gpu"]},
    ],
)
def test_what_is_requested_twice_is_named(raw: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"(0|gpu) requested twice; allowed: each once"):
        GPU.validate_python(raw)
