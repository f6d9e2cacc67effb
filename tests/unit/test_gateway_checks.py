"""What `up` and `status` ask from outside: the door, and what is behind it in the same stack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stacks.build import build
from stacks.outputs import SystemOutputs
from stacks.settings import load
from tests.unit.program import register

PROJECT = Path(__file__).parents[2]


def exported(settings: dict[str, Any]) -> dict[str, Any]:
    config = {"systems": ["gateway"], "images": {"source": "local"}, "gateway": settings}
    raw = {f"berth:{key}": json.dumps(value) for key, value in config.items()}
    if settings.get("mode") != "gateway":
        raw["berth:secrets"] = json.dumps({"aliyun_access_key": "long-enough"})
    seen: dict[str, Any] = {}
    register(lambda: seen.update(build(load(raw, ["berth:secrets"], stack="dev"), project=PROJECT)))
    return seen["systems"]["gateway"]  # type: ignore[no-any-return]


ROUTE = {"method": "GET", "path": "/state/{id}", "target": "/health"}


@pytest.mark.parametrize(
    ("settings", "checks"),
    [
        ({}, ["/health", "/api/douyin/health"]),
        ({"gateway": {"routes": [{**ROUTE, "path": "/state"}]}}, ["/health", "/state"]),
        # No value for {id} is known to be right; a POST is no question; who knows what /list wants.
        ({"gateway": {"routes": [ROUTE]}}, ["/health"]),
        ({"gateway": {"routes": [{**ROUTE, "method": "POST", "path": "/state"}]}}, ["/health"]),
        ({"gateway": {"routes": [{"method": "GET", "path": "/list", "target": "/list"}]}}, ["/health"]),
        ({"mode": "gateway"}, ["/health"]),  # its processor may come up later
        ({"mode": "processor"}, []),
    ],
)
def test_what_must_answer_is_exported(settings: dict[str, Any], checks: list[str]) -> None:
    assert exported(settings)["checks"] == checks


def test_outputs_of_an_older_program_have_no_checks() -> None:
    assert SystemOutputs.parse({"services": {}, "url": "http://10.0.0.5:8010"}).checks == []
