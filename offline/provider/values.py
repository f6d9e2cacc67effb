"""Property values on the wire (protobuf Struct) and in Python.

Unknown values are UNKNOWN, secrets are `Secret`; everything else is a plain Python value. The server takes
secrets off before a resource sees them (`reveal`) and puts the marks back on what the resource answers
(`mark`), after the rule that the engine itself uses for providers that know no secrets. Knowing them, it can
keep them out of messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import struct_pb2

from offline.provider.resource import UNKNOWN

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the signature of secrets
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_REFERENCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
_FILES: Final = {
    "c44067f5952c0a294b673a41bacd8c17": "an asset",
    "0def7320c3a5731c473e5ecbe6d01bc7": "an archive",
}
_UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS: Final = frozenset(
    {
        _UNKNOWN,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # a bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # a number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # a list
        "030794c1-ac77-496b-92df-f27374a8bd58",  # an asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # an archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # an object
    }
)
_EXACT: Final = 2**53  # a double holds every integer up to here
_REDACTED: Final = "[secret]"
_SHORTEST_REDACTED: Final = 4  # shorter ones ("1", "on") would blot out innocent text


@dataclass(frozen=True)
class Secret:
    """A value that is encrypted in the state and shown nowhere."""

    value: Any

    def __repr__(self) -> str:
        return "Secret(...)"


class AssetRefused(ValueError):  # noqa: N818 - what it says is what happened
    """No property of this provider takes a file as such."""


def decode(struct: struct_pb2.Struct, path: str = "") -> dict[str, Any]:
    """A Struct as a dict, with UNKNOWN and Secret inside. Properties that are null count as absent."""
    decoded = {key: _decode(value, join(path, key)) for key, value in struct.fields.items()}
    return {key: value for key, value in decoded.items() if value is not None}


def _decode(value: struct_pb2.Value, path: str) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
        case "bool_value":
            return value.bool_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= _EXACT else number
        case "list_value":
            return [_decode(item, f"{path}[{i}]") for i, item in enumerate(value.list_value.values)]
        case "struct_value":
            return _decode_object(value.struct_value, path)
        case _:
            return None


def _decode_object(struct: struct_pb2.Struct, path: str) -> Any:
    if SIGNATURE not in struct.fields:
        return decode(struct, path)
    parts = dict(struct.fields)  # a copy: asking the map for a key makes that key
    signature = parts[SIGNATURE].string_value
    if signature == _SECRET:
        return Secret(_decode(parts["value"], path))
    if signature == _OUTPUT:
        known = _decode(parts["value"], path) if "value" in parts else UNKNOWN
        return Secret(known) if "secret" in parts and parts["secret"].bool_value else known
    if signature == _REFERENCE:
        return _decode(parts.get("id", parts["urn"]), path)
    if signature in _FILES:
        raise AssetRefused(f"{path}: {_FILES[signature]} is given where a plain value is expected")
    raise ValueError(
        f"{path}: a value of an unknown kind ({signature}); the engine is newer than this plugin"
    )


def encode(properties: Mapping[str, Any]) -> struct_pb2.Struct:
    """The opposite of `decode`."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        if value is not None:
            _encode(value, struct.fields[key])
    return struct


def _encode(value: Any, into: struct_pb2.Value) -> None:
    if value is None:
        into.null_value = struct_pb2.NULL_VALUE
    elif value is UNKNOWN:
        into.string_value = _UNKNOWN
    elif isinstance(value, Secret):
        into.struct_value.fields[SIGNATURE].string_value = _SECRET
        _encode(value.value, into.struct_value.fields["value"])
    elif isinstance(value, bool):
        into.bool_value = value
    elif isinstance(value, int | float):
        into.number_value = value
    elif isinstance(value, str):
        into.string_value = value
    elif isinstance(value, Mapping):
        into.struct_value.CopyFrom(encode(value))
    elif isinstance(value, Iterable):
        into.list_value.SetInParent()
        for item in value:
            _encode(item, into.list_value.values.add())
    else:
        raise TypeError(f"a {type(value).__name__} is no property value")


def reveal(value: Any, secrets: set[str] | None = None) -> Any:
    """The value without marks; the text of every secret in it is added to `secrets`."""
    if isinstance(value, Secret):
        if secrets is not None:
            secrets.update(_texts(value.value))
        return reveal(value.value, secrets)
    if isinstance(value, dict):
        # `__inputs` is one secret as a whole, officially: what is secret in it is marked where it came from.
        return {key: reveal(item, None if key == "__inputs" else secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item, secrets) for item in value]
    return value


def mark(answer: dict[str, Any], *marked: Mapping[str, Any]) -> dict[str, Any]:
    """`answer` with every property secret that is, or holds, a secret in one of `marked`."""
    for source in marked:
        answer = {key: _mark(value, source.get(key)) for key, value in answer.items()}
    return answer


def _mark(value: Any, source: Any) -> Any:
    if isinstance(value, dict) and isinstance(source, dict):
        return mark(value, source)
    return Secret(value) if not isinstance(value, Secret) and has_secret(source) else value


def has_secret(value: Any) -> bool:
    """Whether a secret is anywhere in the value."""
    return isinstance(value, Secret) or any(has_secret(item) for item in _items(value))


def has_unknown(value: Any) -> bool:
    """Whether anything in the value is known only after the update."""
    return value is UNKNOWN or any(has_unknown(item) for item in _items(value))


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with each secret blotted out; longest first, since one may hold another."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _REDACTED)
    return text


def join(path: str, key: str) -> str:
    """A property path one step further: `a.b`, or `a["b.c"]` where the key is no plain name."""
    step = key if key.replace("_", "").isalnum() else f'["{key}"]'
    return step if not path else f"{path}{step}" if step.startswith("[") else f"{path}.{step}"


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, Secret):
        return (value.value,)
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        if len(value) >= _SHORTEST_REDACTED:
            yield value
            # an error message quotes what it was given: as JSON, or line by line
            yield from (line for line in value.splitlines() if len(line) >= _SHORTEST_REDACTED)
    else:
        for item in _items(value):
            yield from _texts(item)
