"""What is refused of inputs, and what is filled in."""

from __future__ import annotations

import pytest

from offline.docker import schema
from offline.docker.network import Network
from offline.docker.volume import Volume
from offline.provider import check
from offline.provider.resource import UNKNOWN

SHAPES = schema.inputs_of(Network.type)


def reasons(inputs: dict, required: list[str] | None = None) -> dict[str, str]:
    return {f.property: f.reason for f in check.failures(Network.fields, SHAPES, required or [], inputs)}


@pytest.mark.parametrize(
    ("inputs", "path", "reason"),
    [
        ({"nmae": "x"}, "nmae", "there is no such property; there are attachable, driver"),
        (
            {"ipamConfigs": [{"subnet": "10.0.0.0/8"}, {"gatway": "x"}]},
            "ipamConfigs[1].gatway",
            "no such property",
        ),
        ({"labels": [{"label": "a"}]}, "labels[0].value", "is required"),
        ({"internal": "maybe"}, "internal", "must be true or false, not a string"),
        ({"internal": 1}, "internal", "must be true or false, not a number"),
        ({"ipamConfigs": {"subnet": "x"}}, "ipamConfigs", "must be a list, not an object"),
        ({"ipamConfigs": ["x"]}, "ipamConfigs[0]", "must be an object, not a string"),
        ({"options": ["x"]}, "options", "must be an object, not a list"),
        ({"options": {"a.b": ["x"]}}, 'options["a.b"]', "must be a string, not a list"),
        ({"name": ["x"]}, "name", "must be a string, not a list"),
    ],
)
def test_refused(inputs: dict, path: str, reason: str) -> None:
    found = reasons(inputs)
    assert list(found) == [path]
    assert reason in found[path]


def test_everything_wrong_is_told_at_once() -> None:
    assert set(reasons({"a": 1, "internal": [], "labels": [{}]}, ["driver"])) == {
        "a",
        "internal",
        "labels[0].label",
        "labels[0].value",
        "driver",
    }


@pytest.mark.parametrize(
    "inputs", [{"internal": "true"}, {"name": 5}, {"name": UNKNOWN}, {"labels": UNKNOWN}]
)
def test_accepted(inputs: dict) -> None:
    assert reasons(inputs) == {}


def test_a_wrong_value_is_not_shown() -> None:
    assert "hunter2" not in str(reasons({"labels": "hunter2"}))


def test_refused_fields_say_what_to_do() -> None:
    found = check.failures(Volume.fields, schema.inputs_of(Volume.type), [], {"cluster": {"scope": "single"}})
    assert [f.property for f in found] == ["cluster"] and "driverOpts" in found[0].reason


def test_primitives_get_the_type_of_the_schema() -> None:
    given = {
        "internal": "true",
        "name": 5,
        "options": {"mtu": 1450, "on": True},
        "ipv6": False,
        "driver": UNKNOWN,
    }
    assert check.convert(SHAPES, given) == {
        "internal": True,
        "name": "5",
        "options": {"mtu": "1450", "on": "true"},
        "ipv6": False,
        "driver": UNKNOWN,
    }


def test_defaults_are_listed_on_every_level() -> None:
    filled = check.with_defaults(Network.fields, {"labels": [{"label": "a", "value": "b"}]})
    assert filled["ipamDriver"] == "default" and filled["__defaults"] == ["ipamDriver"]
    assert filled["labels"] == [{"label": "a", "value": "b", "__defaults": []}]
    assert check.without_marks(filled) == {"ipamDriver": "default", "labels": [{"label": "a", "value": "b"}]}


@pytest.mark.parametrize(
    ("olds", "kept"),
    [
        ({"name": "net-0000000", "__defaults": ["name"]}, True),
        ({"name": "net-0000000"}, True),  # a state older than the list of defaults
        ({"name": "net-0000000", "__defaults": []}, False),
        ({}, False),
    ],
)
def test_automatic_names(olds: dict, kept: bool) -> None:
    name = check.auto_name("net", b"seed", olds)
    assert (name == "net-0000000") is kept
    assert name == check.auto_name("net", b"seed", olds)
    assert name != check.auto_name("net", b"other", {})


def test_long_names_fit() -> None:
    assert len(check.auto_name("n" * 300, b"", {})) == 255


@pytest.mark.parametrize(
    ("inputs", "own"),
    [
        ({"name": "a", "__defaults": []}, True),
        ({"name": "a", "__defaults": ["name"]}, False),
        ({"name": "a"}, False),
        ({"__defaults": []}, False),
    ],
)
def test_own_names_need_delete_before_replace(inputs: dict, own: bool) -> None:
    assert check.has_own_name(inputs) is own
