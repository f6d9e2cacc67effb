"""An official schema as plugins hold it, and the reader that takes it from the installed SDK."""

from __future__ import annotations

import enum
import inspect
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Final

Shape = dict[str, Any]
"""A JSON schema fragment: {"type": "array", "items": ...}; in a document also {"$ref": ...}."""
TYPE_REF: Final = "#/types/"
_PRIMITIVES: Final = {bool: "boolean", int: "integer", float: "number", str: "string"}
_UNIONS: Final = (typing.Union,)


def inlined(node: Any, types: Mapping[str, Any]) -> Any:
    """A part of a document with its nested types in place. types: those of the document, by name."""
    if isinstance(node, list):
        return [inlined(item, types) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(reference := node.get("$ref"), str):
        return inlined(types[reference.removeprefix(TYPE_REF)], types)
    return {key: inlined(value, types) for key, value in node.items()}


def object_of(shape: Shape) -> tuple[dict[str, Shape], list[str]] | None:
    """Properties and required properties of an object, or of the objects in a list; None for all others."""
    if shape.get("type") == "array":
        return object_of(shape["items"])
    return (shape["properties"], shape["required"]) if "properties" in shape else None


class Reader:
    """Reads the SDK's classes; collects the nested types on the way."""

    def __init__(self, kinds: Any) -> None:
        self.kinds = kinds  # pulumi._types, which knows the wire names and the types behind the accessors
        self.types: dict[str, Any] = {}

    def resource(self, cls: Any, args: Any) -> dict[str, Any]:
        return {
            "inputProperties": self.inputs(args),
            "requiredInputs": self.required(args),
            "properties": self.shapes(self.kinds.resource_types(cls)),
        }

    def function(self, function: Any, result: Any) -> dict[str, Any]:
        hints = typing.get_type_hints(function)
        parameters = [name for name in inspect.signature(function).parameters if name != "opts"]
        return {
            "inputs": {"properties": {camel(name): self.shape(hints[name]) for name in parameters}},
            "outputs": {"properties": self.shapes(self.kinds.output_type_types(result))},
        }

    def inputs(self, args: Any) -> dict[str, Shape]:
        return self.shapes(self.kinds.input_type_types(args))

    def required(self, args: Any) -> list[str]:
        names = self.kinds.input_type_py_to_pulumi_names(args)
        parameters = inspect.signature(args.__init__).parameters
        return sorted(names[k] for k, p in parameters.items() if k in names and p.default is p.empty)

    def shapes(self, types: Mapping[str, Any]) -> dict[str, Shape]:
        return {name: self.shape(kind) for name, kind in sorted(types.items())}

    def shape(self, kind: Any) -> Shape:
        kind = _plain(kind)
        if kind in _PRIMITIVES:
            return {"type": _PRIMITIVES[kind]}
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin is not None and issubclass(origin, Mapping):
            return {"type": "object", "additionalProperties": self.shape(arguments[1])}
        if origin is not None and issubclass(origin, Sequence):
            return {"type": "array", "items": self.shape(arguments[0])}
        return {"$ref": TYPE_REF + self.named(kind)}

    def token(self, kind: Any, name: str) -> str:
        """What the official schema calls a nested type."""
        raise NotImplementedError

    def named(self, kind: Any) -> str:
        token = self.token(kind, kind.__name__.removesuffix("Args").removesuffix("Result"))
        if issubclass(kind, enum.Enum):
            self.types[token] = {"type": "string", "enum": [{"value": member.value} for member in kind]}
            return token
        is_input = kind.__name__.endswith("Args")
        if (
            token not in self.types or is_input
        ):  # the input form is the stricter of the two: it knows what is required
            self.types.setdefault(token, {})
            types = self.kinds.input_type_types if is_input else self.kinds.output_type_types
            self.types[token] = {
                "type": "object",
                "properties": self.shapes(types(kind)),
                "required": self.required(kind) if is_input else [],
            }
        return token


def _plain(kind: Any) -> Any:
    """The type below Optional, Input and Output."""
    while typing.get_origin(kind) in _UNIONS:
        kind = next(arm for arm in typing.get_args(kind) if arm is not type(None))
    return kind


def camel(name: str) -> str:
    """A name of Python's as the schema has it."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)
