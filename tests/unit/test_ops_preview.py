"""What the engine's events of a preview say about the update that would follow."""

from __future__ import annotations

from typing import Any

import pytest

from ops.preview import unchanged

SAME: dict[str, Any] = {"urn": "urn:a", "parent": "urn:stack", "protect": True, "outputs": {"x": 1}}


def step(op: str = "same", old: Any = SAME, new: Any = SAME) -> dict[str, Any]:
    return {"sequence": 1, "resOutputsEvent": {"metadata": {"op": op, "old": old, "new": new}}}


def summary(result: str = "succeeded", **changes: int) -> dict[str, Any]:
    return {"sequence": 2, "summaryEvent": {"result": result, "resourceChanges": changes or {"same": 2}}}


NOISE = {"sequence": 0, "diagnosticEvent": {"message": "debugging"}}


def test_all_the_same_is_unchanged() -> None:
    assert unchanged([NOISE, step(), step(), summary()])


@pytest.mark.parametrize(
    "different",
    [
        step("update"),
        step("create", None),
        step("delete", SAME, None),
        step("refresh"),
        step("read"),
        step(new=SAME | {"protect": False}),
        step(new=SAME | {"parent": "urn:other"}),
        step(new=SAME | {"outputs": {"x": 2}}),
    ],
)
def test_one_difference_is_a_change(different: dict[str, Any]) -> None:
    assert not unchanged([step(), different, summary()])
    assert not unchanged([different, step(), summary()])


@pytest.mark.parametrize("outputs", [{"word": "[secret]"}, {"of": {"it": ["[secret]"]}}])
def test_secret_outputs_of_the_stack_cannot_be_compared(outputs: dict[str, Any]) -> None:
    """The engine's record of a run masks them: both look the same, whatever they were."""
    stack = SAME | {"type": "pulumi:pulumi:Stack", "outputs": outputs}
    assert not unchanged([step(), step(old=stack, new=stack), summary()])
    component = stack | {"type": "berth:stores:Redis"}
    assert unchanged([step(), step(old=component, new=component), summary()])


def test_a_count_of_anything_else_is_a_change() -> None:
    assert not unchanged([step(), summary(same=1, delete=1)])


def test_a_preview_that_did_not_end_well_proves_nothing() -> None:
    assert not unchanged([step()])
    assert not unchanged([step(), summary("failed")])
