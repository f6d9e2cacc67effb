"""The generic comparison of a state with inputs, case by case."""

# ruff: noqa: E501 - a case is one line

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offline.provider.difference import Change, changes, compare, ignored
from offline.provider.resource import UNKNOWN, Difference, Field

R = Field(replace=True)
U = Field()
FIELDS = {
    "name": R,
    "memory": U,
    "driver": Field(replace=True, computed=True),
    "options": Field(computed=True, replace=True),
    "restart": Field(default="no"),
    "privileged": R,
    "env": Field(replace=True, unordered=True),
    "command": Field(replace=True, computed=True),
    "dns": Field(replace=True),
    "ports": Field(replace=True, nested={"internal": R, "external": Field(replace=True, computed=True)}),
    "labels": Field(unordered=True, nested={"label": U, "value": U}),
    "health": Field(
        nested={"interval": Field(same=lambda old, new: old.rstrip("s") == new.rstrip("s")), "tests": R}
    ),
    "uploads": Field(unordered=True, nested={"file": R, "mode": Field(replace=True, default="0644")}),
    "annotations": U,
    "gone": Field(refused="not served"),
}

CASES = [
    # an identifier, the state, the inputs, the paths with their kinds
    ("equal", {"name": "a"}, {"name": "a"}, {}),
    ("changed in place", {"memory": 1}, {"memory": 2}, {"memory": "UPDATE"}),
    ("changed for good", {"name": "a"}, {"name": "b"}, {"name": "UPDATE_REPLACE"}),
    ("added", {}, {"memory": 2}, {"memory": "ADD"}),
    ("removed", {"memory": 2}, {}, {"memory": "DELETE"}),
    ("zero is absence", {"memory": 0, "privileged": False, "dns": [], "annotations": {}}, {}, {}),
    ("absence is zero", {}, {"memory": 0, "privileged": False, "dns": [], "annotations": {}}, {}),
    ("computed and absent", {"driver": "bridge", "options": {"a": "1"}, "command": ["x"]}, {}, {}),
    ("computed and empty", {"command": ["x"], "driver": "bridge"}, {"command": [], "driver": ""}, {}),
    ("computed and given", {"driver": "bridge"}, {"driver": "overlay"}, {"driver": "UPDATE_REPLACE"}),
    ("default is absence", {"restart": "no"}, {}, {}),
    ("state without the default", {}, {"restart": "no"}, {}),
    ("back to the default", {"restart": "always"}, {}, {"restart": "UPDATE"}),
    ("from the default", {"restart": "no"}, {"restart": "always"}, {"restart": "UPDATE"}),
    ("number and text", {"memory": 5, "privileged": True}, {"memory": "5", "privileged": "true"}, {}),
    ("number and bool", {"memory": 1}, {"memory": True}, {"memory": "UPDATE"}),
    ("unknown", {"name": "a", "memory": 1}, {"name": UNKNOWN, "memory": 1}, {"name": "UPDATE_REPLACE"}),
    ("unknown and new", {}, {"memory": UNKNOWN}, {"memory": "ADD"}),
    ("unknown deep down", {"ports": [{"internal": 1}]}, {"ports": [{"internal": UNKNOWN}]}, {"ports[0].internal": "UPDATE_REPLACE"}),
    ("unknown list", {"ports": [{"internal": 1}]}, {"ports": UNKNOWN}, {"ports": "UPDATE_REPLACE"}),
    ("set in another order", {"env": ["a", "b"]}, {"env": ["b", "a"]}, {}),
    ("set with another item", {"env": ["a", "b"]}, {"env": ["b", "c"]}, {"env[0]": "DELETE_REPLACE", "env[1]": "ADD_REPLACE"}),
    ("set with a changed item", {"env": ["a"]}, {"env": ["b"]}, {"env[0]": "UPDATE_REPLACE"}),
    ("set with one item twice", {"env": ["a", "a"]}, {"env": ["a"]}, {"env[1]": "DELETE_REPLACE"}),
    ("set that comes", {}, {"env": ["a"]}, {"env": "ADD_REPLACE"}),
    ("list in another order", {"dns": ["a", "b"]}, {"dns": ["b", "a"]}, {"dns[0]": "UPDATE_REPLACE", "dns[1]": "UPDATE_REPLACE"}),
    ("list grows", {"dns": ["a"]}, {"dns": ["a", "b"]}, {"dns[1]": "ADD_REPLACE"}),
    ("list shrinks", {"dns": ["a", "b"]}, {"dns": ["a"]}, {"dns[1]": "DELETE_REPLACE"}),
    ("nested", {"ports": [{"internal": 1, "external": 80}]}, {"ports": [{"internal": 1, "external": 81}]}, {"ports[0].external": "UPDATE_REPLACE"}),
    ("nested and computed", {"ports": [{"internal": 1, "external": 49153}]}, {"ports": [{"internal": 1}]}, {}),
    ("labels in place", {"labels": [{"label": "a", "value": "1"}]}, {"labels": [{"label": "a", "value": "2"}]}, {"labels[0]": "UPDATE"}),
    ("same in other words", {"health": {"interval": "5s"}}, {"health": {"interval": "5"}}, {}),
    ("object that goes takes its fields along", {"health": {"interval": "5s"}}, {}, {"health": "DELETE_REPLACE"}),
    ("nested default", {"uploads": [{"file": "/a", "mode": "0644"}]}, {"uploads": [{"file": "/a"}]}, {}),
    ("map keys", {"annotations": {"a": "1", "b.c": "2"}}, {"annotations": {"a": "2", "d": "3"}}, {"annotations.a": "UPDATE", 'annotations["b.c"]': "DELETE", "annotations.d": "ADD"}),
    ("refused fields are not compared", {"gone": 1}, {"gone": 2}, {}),
    ("properties of the state alone", {"id": "x", "exitCode": 1}, {}, {}),
]  # fmt: skip


def kinds(found: list[Change]) -> dict[str, str]:
    return {change.path: change.kind + ("_REPLACE" if change.replace else "") for change in found}


@pytest.mark.parametrize(
    ("old", "new", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_compare(old: dict, new: dict, expected: dict) -> None:
    assert kinds(compare(FIELDS, old, new)) == expected


ITEMS = st.lists(
    st.fixed_dictionaries({"label": st.text(max_size=3), "value": st.text(max_size=3)}), max_size=5
)


@given(ITEMS, st.randoms())
def test_sets_know_no_order(items: list, random) -> None:
    shuffled = random.sample(items, len(items))
    assert compare(FIELDS, {"labels": items}, {"labels": shuffled}) == []


@given(ITEMS, ITEMS)
def test_sets_that_differ_differ(old: list, new: list) -> None:
    def bag(items: list) -> list:
        return sorted((item["label"], item["value"]) for item in items)

    assert bool(compare(FIELDS, {"labels": old}, {"labels": new})) == (bag(old) != bag(new))


@pytest.mark.parametrize(
    ("path", "patterns", "covered"),
    [
        ("ports[0].external", ["ports"], True),
        ("ports[0].external", ["ports[0]"], True),
        ("ports[0].external", ["ports[1]"], False),
        ("ports[0].external", ["ports[*].external"], True),
        ("ports[0].external", ["ports[*].internal"], False),
        ("ports", ["ports[0]"], False),
        ('labels["a.b"]', ['labels["a.b"]'], True),
        ('labels["a.b"]', ["labels.a"], False),
        ("name", [], False),
        ("name", ["*"], True),
    ],
)
def test_ignored(path: str, patterns: list[str], covered: bool) -> None:
    assert ignored(path, patterns) is covered


def test_a_difference_of_a_resource_gets_its_kinds() -> None:
    own = Difference(update=["memory", 'annotations["b.c"]'], replace=["ports[0].external", "name"])
    old = {"memory": 1, "annotations": {"b.c": "1"}, "ports": [{"external": 1}]}
    new = {"memory": 2, "ports": [{"external": 2}], "name": "x"}
    assert kinds(changes(own, old, new)) == {
        "memory": "UPDATE",
        'annotations["b.c"]': "DELETE",
        "ports[0].external": "UPDATE_REPLACE",
        "name": "ADD_REPLACE",
    }
