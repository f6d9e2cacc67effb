"""The systems of this repository break no rule: each resource that they register, as the engine asks."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.systems import SYSTEMS
from tests.policy.pack import ask, secret
from tests.unit.composed import default
from tests.unit.program import SECRET, Registration


def wired(value: Any) -> Any:
    """As it stands on the wire: marked where the program marked it."""
    if value == SECRET:
        return secret("hunter2hunter2")
    if isinstance(value, dict):
        return {key: wired(item) for key, item in value.items()}
    return [wired(item) for item in value] if isinstance(value, list) else value


def named(item: Registration) -> dict[str, Any]:
    """With the name that the provider gives before any rule is asked."""
    return {"name": f"{item.name}-0a1b2c3", **wired(item.inputs)}


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_breaks_no_rule(name: str) -> None:
    resources = [item for item in default(name).values() if item.type.startswith("docker:")]
    assert len(resources) > 5
    # The engine asks about a carrier before it asks about who reads its files.
    for item in sorted(resources, key=lambda item: "fromContainer" in str(item.inputs)):
        answer = ask(named(item), item.type)
        assert (answer.violations, answer.pending) == ([], []), item.name
