"""Flat parameters and the nested ones that they stand for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.api import wire
from emulator.api.call import wire_name
from emulator.api.errors import ApiError

names = st.text("ABCDabcd", min_size=1, max_size=6)
values = st.recursive(
    st.text(max_size=8),
    lambda below: (
        st.lists(below, min_size=1, max_size=4) | st.dictionaries(names, below, min_size=1, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(names, values, max_size=4))
def test_what_is_flattened_comes_back(tree: dict[str, Any]) -> None:
    flat = {k: v for name, value in tree.items() for k, v in wire.flat(name, value).items()}
    assert wire.nested(flat) == tree


@given(st.dictionaries(st.text("A1.0", min_size=1, max_size=8), st.text(max_size=3), max_size=6))
def test_anything_is_read_or_refused(flat: dict[str, str]) -> None:
    try:
        tree = wire.nested(flat)
    except ApiError as refusal:
        assert refusal.status == 400
    else:
        assert sum(1 for _ in leaves(tree)) == len(flat)


def leaves(node: Any) -> Any:
    if isinstance(node, dict):
        for below in node.values():
            yield from leaves(below)
    elif isinstance(node, list):
        for below in node:
            yield from leaves(below)
    else:
        yield node


def test_lists_count_from_one_and_may_have_gaps() -> None:
    assert wire.nested({"A.10": "x", "A.2": "y", "A.1.B": "z"})["A"] == [{"B": "z"}, "y", "x"]


def test_values_that_json_has() -> None:
    flat = wire.flat("A", {"B": [True, 3, None, "x"], "C": None})
    assert flat == {"A.B.1": "true", "A.B.2": "3", "A.B.4": "x"}


@pytest.mark.parametrize(
    "flat",
    [
        {"A": "x", "A.1": "y"},
        {"A.1": "y", "A": "x"},
        {"A.1": "y", "A.1.B": "x"},
        {"A.0": "x"},
        {"A.1001": "x"},
        {"A.": "x"},
        {"A..B": "x", "A.": "y"},
        {"A.9999999999999999999999999999": "x"},
    ],
)
def test_what_cannot_be_both(flat: dict[str, str]) -> None:
    with pytest.raises(ApiError) as caught:
        wire.nested(flat)
    assert caught.value.code.startswith("InvalidA")


@pytest.mark.parametrize(
    ("name", "wire_form"),
    [
        ("vpc_id", "VpcId"),
        ("vswitch_id", "VSwitchId"),
        ("vrouter_id", "VRouterId"),
        ("ipv6_cidr_block", "Ipv6CidrBlock"),
        ("tag", "Tag"),
    ],
)
def test_names(name: str, wire_form: str) -> None:
    assert wire_name(name) == wire_form
