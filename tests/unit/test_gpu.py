"""GPU requests: each way to ask, as the engine gets it; contradictions cannot be written."""

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
        ({"kind": "all"}, {"driver": "nvidia", "count": -1, "capabilities": ["gpu", "utility"]}, "nvidia"),
        (
            {"kind": "count", "count": 2, "capabilities": ["gpu"], "runtime": None},
            {"driver": "nvidia", "count": 2, "capabilities": ["gpu"]},
            None,
        ),
        (
            {"kind": "devices", "device_ids": ["0", "GPU-3a2b"]},
            {"driver": "nvidia", "deviceIds": ["0", "GPU-3a2b"], "capabilities": ["gpu", "utility"]},
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
        {},
        {"kind": "some"},
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
