"""Property values: the wire form and back, secrets, unknowns, refused assets."""

from __future__ import annotations

import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from offline.provider import values
from offline.provider.resource import UNKNOWN
from offline.provider.values import Secret, decode, encode, join, mark, redact, reveal

KEYS = st.text(min_size=1, max_size=8).filter(lambda key: key != values.SIGNATURE)
SCALARS = (
    st.booleans()
    | st.integers(min_value=-(2**53), max_value=2**53)
    # A whole float comes back as an integer; the largest are all whole.
    | st.floats(-(2**40), 2**40).map(lambda x: x + 0.5 if x.is_integer() else x)
    | st.text(max_size=12)
    | st.just(UNKNOWN)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=4)
        | inner.map(lambda value: value if isinstance(value, Secret) else Secret(value))
    ),
    max_leaves=12,
)
PROPERTIES = st.dictionaries(KEYS, VALUES, max_size=5)


@given(PROPERTIES)
def test_what_goes_out_comes_back(properties: dict) -> None:
    assert decode(encode(properties)) == properties


@given(PROPERTIES)
def test_revealed_values_hold_no_mark(properties: dict) -> None:
    assert not values.has_secret(reveal(properties))


@given(PROPERTIES)
def test_marking_the_revealed_hides_every_secret_again(properties: dict) -> None:
    hidden = mark(reveal(properties), properties)
    assert reveal(hidden) == reveal(properties)
    for key, value in properties.items():
        assert values.has_secret(value) == values.has_secret(hidden[key])


def wire(properties: dict) -> struct_pb2.Struct:
    return json_format.ParseDict(properties, struct_pb2.Struct())


def special(signature: str, **rest) -> dict:
    return {values.SIGNATURE: signature, **rest}


OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (special(OUTPUT, value="x"), "x"),
        (special(OUTPUT, value="x", secret=True), Secret("x")),
        (special(OUTPUT), UNKNOWN),
        (special(OUTPUT, secret=True), Secret(UNKNOWN)),
        (special("5cf8f73096256a8f31e491e813e4eb8e", urn="urn:x", id="i-1"), "i-1"),
        (special("1b47061264138c4ac30d75fd1eb44270", value={"a": [1]}), Secret({"a": [1]})),
        ("3eeb2bf0-c639-47a8-9e75-3b44932eb421", UNKNOWN),
        (3.0, 3),
        (0.5, 0.5),
    ],
)
def test_special_forms(sent: object, meant: object) -> None:
    assert decode(wire({"p": sent})) == {"p": meant}


def test_null_properties_are_absent_and_null_items_stay() -> None:
    assert decode(wire({"a": None, "b": [None, 1]})) == {"b": [None, 1]}


@pytest.mark.parametrize(
    ("signature", "name"),
    [("c44067f5952c0a294b673a41bacd8c17", "asset"), ("0def7320c3a5731c473e5ecbe6d01bc7", "archive")],
)
def test_files_are_refused_by_path(signature: str, name: str) -> None:
    with pytest.raises(values.AssetRefused, match=rf"uploads\[0\]\.content: an {name}"):
        decode(wire({"uploads": [{"content": special(signature, text="x")}]}))


def test_secrets_are_collected_line_by_line_and_blotted_out() -> None:
    seen: set[str] = set()
    reveal({"key": Secret("-----BEGIN-----\nabcdef\n"), "n": Secret(["hunter2", "on"])}, seen)
    assert "hunter2" in seen and "abcdef" in seen and "on" not in seen
    assert redact("bad value hunter2 on line abcdef", seen) == "bad value [secret] on line [secret]"


def test_a_secret_never_prints() -> None:
    assert "hunter2" not in repr({"a": [Secret("hunter2")]})


@pytest.mark.parametrize(
    ("path", "key", "joined"),
    [
        ("", "a", "a"),
        ("a", "b", "a.b"),
        ("a", "b.c", 'a["b.c"]'),
        ("", "b.c", '["b.c"]'),
        ("a[0]", "b_c", "a[0].b_c"),
    ],
)
def test_paths(path: str, key: str, joined: str) -> None:
    assert join(path, key) == joined
