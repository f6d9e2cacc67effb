"""What the plugin itself checks of inputs, before a resource sees them: names, refusals, types, what is
required, defaults and automatic names. `__defaults` lists what was filled in, as the official provider does,
so that either can continue a stack of the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from offline.provider.resource import UNKNOWN, CheckFailure, Field, Inputs
from offline.provider.schema import Shape
from offline.provider.values import join

DEFAULTS: Final = "__defaults"
META: Final = "__meta"
_NAME: Final = "name"
_SUFFIX: Final = 7  # hex digits of an automatic name
_LONGEST: Final = 255


def failures(
    fields: Mapping[str, Field], shapes: Mapping[str, Shape], required: list[str], inputs: Inputs
) -> list[CheckFailure]:
    """Everything that is wrong with the inputs, by path."""
    return list(_object(fields, shapes, required, inputs, ""))


def _object(
    fields: Mapping[str, Field],
    shapes: Mapping[str, Shape],
    required: list[str],
    inputs: Mapping[str, Any],
    path: str,
) -> Iterator[CheckFailure]:
    for name, value in inputs.items():
        here = join(path, name)
        if name in (DEFAULTS, META):
            continue
        if name not in shapes:
            yield CheckFailure(
                property=here, reason=f"there is no such property; there are {_listed(shapes)}"
            )
        elif name not in fields:
            yield CheckFailure(property=here, reason="not served by this plugin; the official one is needed")
        elif (why := fields[name].refused) is not None:
            yield CheckFailure(property=here, reason=why)
        else:
            yield from _value(fields[name], shapes[name], value, here)
    for name in required:
        if name not in inputs:
            yield CheckFailure(property=join(path, name), reason="is required")


def _value(field: Field, shape: Shape, value: Any, path: str) -> Iterator[CheckFailure]:
    if value is UNKNOWN or value is None:
        return
    kind = shape["type"]
    if not _fits(kind, value):
        yield CheckFailure(property=path, reason=f"must be {_NAMES[kind]}, not {_name_of(value)}")
    elif "enum" in shape:
        allowed = [member["value"] for member in shape["enum"]]
        if value not in allowed:
            yield CheckFailure(property=path, reason=f"must be one of {', '.join(allowed)}")
    elif kind == "array":
        for i, item in enumerate(value):
            yield from _value(field, shape["items"], item, f"{path}[{i}]")
    elif "additionalProperties" in shape:
        for key, item in value.items():
            if key != DEFAULTS:
                yield from _value(field, shape["additionalProperties"], item, join(path, key))
    elif kind == "object":
        yield from _object(field.nested or {}, shape["properties"], shape["required"], value, path)


_NAMES: Final = {
    "string": "a string",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "an object",
}


def _fits(kind: str, value: Any) -> bool:
    """The official provider converts between primitives that look alike ("5" and 5); so does this one."""
    match kind:
        case "string":
            return isinstance(value, str | int | float)
        case "boolean":
            return isinstance(value, bool) or value in ("true", "false")
        case "integer":
            return _is_number(value, int)
        case "number":
            return _is_number(value, float)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, Mapping)


def _is_number(value: Any, parse: type[int] | type[float]) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return parse(str(value)) is not None
    except ValueError:
        return False


def _name_of(value: Any) -> str:
    """What a value is, without showing it: it may be a secret."""
    kinds: list[tuple[Any, str]] = [
        (bool, "true or false"),
        (int | float, "a number"),
        (str, "a string"),
        (list, "a list"),
        (Mapping, "an object"),
    ]
    return next(name for kind, name in kinds if isinstance(value, kind))


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names))


def convert(shapes: Mapping[str, Shape], inputs: Inputs) -> Inputs:
    """The inputs with every primitive in its schema's type; call it once they have passed `failures`."""
    return {
        name: _convert(shapes[name], value) if name in shapes else value for name, value in inputs.items()
    }


def _convert(shape: Shape, value: Any) -> Any:
    if value is UNKNOWN or value is None:
        return value
    match shape["type"]:
        case "string":
            return ("true" if value else "false") if isinstance(value, bool) else str(value)
        case "boolean":
            return value if isinstance(value, bool) else value == "true"
        case "integer":
            return int(value)
        case "number":
            return value if isinstance(value, int | float) else float(value)
        case "array":
            return [_convert(shape["items"], item) for item in value]
        case _ if "additionalProperties" in shape:
            return {key: _convert(shape["additionalProperties"], item) for key, item in value.items()}
        case _:
            return convert(shape["properties"], value)


def without_marks(value: Any) -> Any:
    """The value without the bookkeeping properties, on every level."""
    if isinstance(value, dict):
        return {key: without_marks(item) for key, item in value.items() if key not in (DEFAULTS, META)}
    return [without_marks(item) for item in value] if isinstance(value, list) else value


def with_defaults(fields: Mapping[str, Field], inputs: Inputs) -> Inputs:
    """The inputs with each default filled in; `__defaults` of every object names its own."""
    filled = {
        name: _filled(fields[name], value) if name in fields else value for name, value in inputs.items()
    }
    missing = {
        name: field.default
        for name, field in fields.items()
        if field.default is not None and field.refused is None and not field.deprecated and name not in inputs
    }
    return {**filled, **missing, DEFAULTS: sorted(missing)}


def _filled(field: Field, value: Any) -> Any:
    if field.nested is None:
        return value
    if isinstance(value, dict):
        return with_defaults(field.nested, value)
    return [_filled(field, item) for item in value] if isinstance(value, list) else value


def is_autonamed(fields: Mapping[str, Field], required: list[str]) -> bool:
    """Whether a resource type gets an automatic name: it has an optional `name`."""
    return _NAME in fields and _NAME not in required and not fields[_NAME].deprecated


def auto_name(name: str, seed: bytes, olds: Mapping[str, Any]) -> str:
    """The name from before if that was automatic too, else the resource's name and seven hex digits."""
    if _NAME in olds and _NAME in olds.get(DEFAULTS, [_NAME]):
        return str(olds[_NAME])
    suffix = hashlib.sha256(seed).hexdigest()[:_SUFFIX]
    return f"{name[: _LONGEST - _SUFFIX - 1]}-{suffix}"


def has_own_name(inputs: Mapping[str, Any]) -> bool:
    """Whether the program chose the name, so that old and new object cannot exist at the same time."""
    return _NAME in inputs and DEFAULTS in inputs and _NAME not in inputs[DEFAULTS]
