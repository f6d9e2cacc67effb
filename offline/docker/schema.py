"""The official schema: the shape of every resource, function, nested type and config variable.

`schema.json` holds what `derive` reads from the installed `pulumi_docker` SDK, so that serving needs no SDK
(it costs a second and 60 MB). After a new SDK version: `python -m offline.docker.schema`; a test compares the
two. The file refers to nested types by name, as the official document does; the functions here put them in.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from offline.provider.schema import Reader, Shape, camel, inlined

VERSION: Final = "5.1.0"  # of the official provider whose schema this is

_FILE: Final = Path(__file__).with_name("schema.json")
_NATIVE_TYPES: Final = ("Registry", "DockerBuild", "CacheFrom", "BuilderVersion")


@functools.cache
def load() -> dict[str, Any]:
    """The schema document, in the official form."""
    document: dict[str, Any] = json.loads(_FILE.read_text("utf-8"))
    return document


def config() -> dict[str, Shape]:
    """The variables of the provider's config."""
    variables: dict[str, Shape] = _inlined("config")["variables"]
    return variables


def inputs_of(token: str) -> dict[str, Shape]:
    """The input properties of a resource type."""
    shapes: dict[str, Shape] = _inlined("resources")[token]["inputProperties"]
    return shapes


def required_of(token: str) -> list[str]:
    """The inputs that a resource cannot do without."""
    names: list[str] = load()["resources"][token]["requiredInputs"]
    return names


def outputs_of(token: str) -> dict[str, Shape]:
    """Every property of a resource type, inputs included."""
    shapes: dict[str, Shape] = _inlined("resources")[token]["properties"]
    return shapes


def arguments_of(token: str) -> dict[str, Shape]:
    """What a function takes."""
    shapes: dict[str, Shape] = _inlined("functions")[token]["inputs"]["properties"]
    return shapes


@functools.cache
def _inlined(part: str) -> dict[str, Any]:
    whole: dict[str, Any] = inlined(load()[part], load()["types"])
    return whole


def derive() -> dict[str, Any]:
    """The same document, from the installed SDK."""
    sdk = importlib.import_module("pulumi_docker")
    reader = _Reader(importlib.import_module("pulumi._types"))
    variables = reader.inputs(sdk.ProviderArgs)
    return {
        "name": "docker",
        "version": VERSION,
        "config": {"variables": variables},
        "provider": {"inputProperties": variables},
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
            token = camel(name)
            yield (
                f"docker:index/{token}:{token}",
                function,
                getattr(module, token[0].upper() + token[1:] + "Result"),
            )


class _Reader(Reader):
    """Knows what the official schema calls nested types."""

    def token(self, kind: Any, name: str) -> str:  # noqa: ARG002 - others decide by it
        module = name[0].lower() + name[1:]
        if name.startswith("Get"):
            name = module
        return f"docker:index/{module if name in _NATIVE_TYPES else name}:{name}"


if __name__ == "__main__":
    _FILE.write_text(json.dumps(derive(), indent=1, sort_keys=True) + "\n", "utf-8")
