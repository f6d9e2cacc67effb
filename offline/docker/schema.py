"""The official schema: the shape of every resource, function, nested type and config variable.

`schema.json` holds what `derive` reads from the installed `pulumi_docker` SDK, so that serving needs no SDK
(it costs a second and 60 MB). After a new SDK version: `python -m offline.docker.schema`; a test compares the
two.
"""

from __future__ import annotations

import enum
import functools
import importlib
import inspect
import json
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

VERSION: Final = "5.1.0"  # of the official provider whose schema this is
Shape = dict[str, Any]  # a JSON schema fragment: {"type": "array", "items": ...} or {"$ref": ...}

_FILE: Final = Path(__file__).with_name("schema.json")
_TYPE_REF: Final = "#/types/"
_PRIMITIVES: Final = {bool: "boolean", int: "integer", float: "number", str: "string"}
_NATIVE_TYPES: Final = ("Registry", "DockerBuild", "CacheFrom", "BuilderVersion")
_UNIONS: Final = (typing.Union,)


@functools.cache
def load() -> dict[str, Any]:
    """The schema document, in the official form."""
    document: dict[str, Any] = json.loads(_FILE.read_text("utf-8"))
    return document


def inputs_of(token: str) -> dict[str, Shape]:
    """The input properties of a resource type."""
    shapes: dict[str, Shape] = load()["resources"][token]["inputProperties"]
    return shapes


def required_of(token: str) -> list[str]:
    """The inputs that a resource cannot do without."""
    names: list[str] = load()["resources"][token]["requiredInputs"]
    return names


def outputs_of(token: str) -> dict[str, Shape]:
    """Every property of a resource type, inputs included."""
    shapes: dict[str, Shape] = load()["resources"][token]["properties"]
    return shapes


def arguments_of(token: str) -> dict[str, Shape]:
    """What a function takes."""
    shapes: dict[str, Shape] = load()["functions"][token]["inputs"]["properties"]
    return shapes


def object_of(shape: Shape) -> tuple[dict[str, Shape], list[str]] | None:
    """Properties and required properties of an object shape, or of the objects in a list; None for all
    others.
    """
    if shape.get("type") == "array":
        return object_of(shape["items"])
    if "$ref" not in shape:
        return None
    named = load()["types"][shape["$ref"].removeprefix(_TYPE_REF)]
    return (named["properties"], named["required"]) if named["type"] == "object" else None


def resolve(shape: Shape) -> Shape:
    """The shape itself, with a reference to an enumeration replaced by the enumeration's primitive type."""
    if "$ref" in shape:
        named: Shape = load()["types"][shape["$ref"].removeprefix(_TYPE_REF)]
        return named
    return shape


def derive() -> dict[str, Any]:
    """The same document, from the installed SDK."""
    sdk = importlib.import_module("pulumi_docker")
    reader = Reader(importlib.import_module("pulumi._types"))
    config = reader.inputs(sdk.ProviderArgs)
    return {
        "name": "docker",
        "version": VERSION,
        "config": {"variables": config},
        "provider": {"inputProperties": config},
        "resources": {token: reader.resource(cls, args) for token, cls, args in _resources(sdk)},
        "functions": {
            token: reader.function(function, result) for token, function, result in _functions(sdk)
        },
        "types": dict(sorted(reader.types.items())),
    }


def _resources(sdk: Any) -> Iterator[tuple[str, Any, Any]]:
    pulumi = importlib.import_module("pulumi")
    for name in sorted(vars(sdk)):
        cls = getattr(sdk, name)
        if (
            inspect.isclass(cls)
            and issubclass(cls, pulumi.CustomResource)
            and not issubclass(cls, pulumi.ProviderResource)
        ):
            args = getattr(importlib.import_module(cls.__module__), f"{name}Args")
            yield f"docker:index/{name[0].lower()}{name[1:]}:{name}", cls, args


def _functions(sdk: Any) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted(vars(sdk)):
        function = getattr(sdk, name)
        if name.startswith("get_") and not name.endswith("_output") and inspect.isfunction(function):
            module = importlib.import_module(function.__module__)
            token = _camel(name)
            yield (
                f"docker:index/{token}:{token}",
                function,
                getattr(module, token[0].upper() + token[1:] + "Result"),
            )


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
            "inputs": {"properties": {_camel(name): self.shape(hints[name]) for name in parameters}},
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
        return {"$ref": _TYPE_REF + self.named(kind)}

    def token(self, kind: Any, name: str) -> str:  # noqa: ARG002 - others decide by it
        """What the official schema calls a nested type."""
        module = name[0].lower() + name[1:]
        if name.startswith("Get"):
            name = module
        return f"docker:index/{module if name in _NATIVE_TYPES else name}:{name}"

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


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


if __name__ == "__main__":
    _FILE.write_text(json.dumps(derive(), indent=1, sort_keys=True) + "\n", "utf-8")
