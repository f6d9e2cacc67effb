"""One place in a resource's inputs: its path, its value, and what the engine says about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import struct_pb2

# The engine's wire constants (sdk/go/common/resource: SigKey, SecretSig; plugin: Unknown*Value).
_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 # a marker
_UNKNOWN: Final = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


@dataclass(frozen=True, slots=True)
class Node:
    """A value in a resource's inputs.

    `value` is None where the program gave nothing, and where the value is not known yet: ask `unknown` first.
    `secret` is true where the engine marks the value, or anything that holds it, as a secret.
    """

    path: str
    value: Any = None
    unknown: bool = False
    secret: bool = False

    def __getitem__(self, key: str) -> Node:
        """The member `key`; an unknown object has unknown members, a missing member has the value None."""
        path = f"{self.path}.{key}" if self.path else key
        if self.unknown:
            return Node(path, unknown=True, secret=self.secret)
        raw = self.value.get(key) if isinstance(self.value, dict) else None
        return _open(path, raw, self.secret)

    def members(self) -> Iterator[tuple[str, Node]]:
        """The named members of an object, nothing for any other value."""
        if isinstance(self.value, dict):
            for key in self.value:
                yield key, self[key]

    def items(self) -> Iterator[Node]:
        """The elements of a list, nothing for a missing one; an unknown list is one unknown element."""
        if self.unknown:
            yield self
        elif isinstance(self.value, list):
            for index, raw in enumerate(self.value):
                yield _open(f"{self.path}[{index}]", raw, self.secret)

    def text(self) -> str:
        """The value as text, empty where there is none."""
        return "" if self.value is None else str(self.value)

    def number(self) -> float:
        """The value as a number, 0 where there is none or where it is not one."""
        try:
            return float(self.value or 0)
        except (TypeError, ValueError):
            return 0.0


def inputs(properties: struct_pb2.Struct) -> Node:
    """The root of a resource's inputs, as they arrive in an AnalyzeRequest."""
    return Node("", {key: _plain(value) for key, value in properties.fields.items()})


def _open(path: str, raw: object, secret: bool) -> Node:
    while isinstance(raw, dict) and raw.get(_SIGNATURE) == _SECRET:
        raw, secret = raw.get("value"), True
    if isinstance(raw, str) and raw in _UNKNOWN:
        return Node(path, unknown=True, secret=secret)
    return Node(path, raw, secret=secret)


def _plain(value: struct_pb2.Value) -> object:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "list_value":
            return [_plain(element) for element in value.list_value.values]
        case "struct_value":
            return {key: _plain(member) for key, member in value.struct_value.fields.items()}
        case _:
            return None
