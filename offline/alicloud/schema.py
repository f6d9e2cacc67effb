"""The official schema, as far as it is served, and the names of all that it has besides.

`schema.json` holds what `derive` reads from the installed `pulumi_alicloud`, so that serving needs none.
After a new version, or when more is served: `python -m offline.alicloud.schema`; a test compares the two. The
file refers to nested types by name, as the official document does; the functions here put them in place.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from offline.alicloud.served import FUNCTIONS, RESOURCES
from offline.provider.schema import Reader, Shape, inlined

VERSION: Final = "4.0.0"  # of the official provider whose schema this is

_FILE: Final = Path(__file__).with_name("schema.json")
_INVOKED: Final = re.compile(r"\.invoke\('(alicloud:[^']+)'")


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


def results_of(token: str) -> dict[str, Shape]:
    """What a function answers."""
    shapes: dict[str, Shape] = _inlined("functions")[token]["outputs"]["properties"]
    return shapes


def is_resource(token: str) -> bool:
    """Whether the official provider has this resource type."""
    return token in load()["resources"] or token in load()["others"]["resources"]


def is_function(token: str) -> bool:
    """Whether the official provider has this function."""
    return token in load()["functions"] or token in load()["others"]["functions"]


@functools.cache
def _inlined(part: str) -> dict[str, Any]:
    whole: dict[str, Any] = inlined(load()[part], load()["types"])
    return whole


def derive() -> dict[str, Any]:
    """The same document, from the installed SDK."""
    sdk = importlib.import_module("pulumi_alicloud")
    reader = _Reader(importlib.import_module("pulumi._types"))
    variables = reader.inputs(sdk.ProviderArgs)
    classes = _classes(sdk)
    invoked = _functions(sdk)
    return {
        "name": "alicloud",
        "version": VERSION,
        "config": {"variables": variables},
        "provider": {"inputProperties": variables},
        "resources": {
            token: reader.resource(*_resource(token, classes[token])) for token in sorted(RESOURCES)
        },
        "functions": {
            token: reader.function(*_function(token, invoked[token])) for token in sorted(FUNCTIONS)
        },
        "types": dict(sorted(reader.types.items())),
        "others": {
            "resources": sorted(classes.keys() - RESOURCES.keys()),
            "functions": sorted(invoked.keys() - FUNCTIONS.keys()),
        },
    }


def _classes(sdk: Any) -> dict[str, str]:
    """The module of every resource type, from the table that the SDK registers itself with."""
    text = inspect.getsource(sdk)
    table = re.search(r'resource_modules="""\n(.*?)"""', text, re.DOTALL)
    if table is None:
        raise LookupError("pulumi_alicloud registers its resources in another way than this reader knows")
    return {token: one["fqn"] for one in json.loads(table[1]) for token in one["classes"]}


def _functions(sdk: Any) -> dict[str, str]:
    """The module of every function."""
    root = Path(sdk.__path__[0])
    return {
        token: ".".join(file.relative_to(root.parent).with_suffix("").parts)
        for file in sorted(root.rglob("get_*.py"))
        for token in _INVOKED.findall(file.read_text("utf-8"))
    }


def _resource(token: str, module: str) -> tuple[Any, Any]:
    name = token.rsplit(":", 1)[1]
    resource = getattr(importlib.import_module(module), name)
    # Where a nested type has the name that they would have, a resource's arguments are called otherwise.
    package = sys.modules[resource.__module__]
    return resource, getattr(package, f"{name}InitArgs", None) or getattr(package, f"{name}Args")


def _function(token: str, module: str) -> tuple[Any, Any]:
    name = token.rsplit(":", 1)[1]
    code = importlib.import_module(module)
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    return getattr(code, snake), getattr(code, f"{name[0].upper()}{name[1:]}Result")


class _Reader(Reader):
    """The same reader, and the names that this provider gives to nested types."""

    def token(self, kind: Any, name: str) -> str:
        parts = kind.__module__.split(".")  # pulumi_alicloud.ecs._inputs, or pulumi_alicloud._inputs
        return f"alicloud:{parts[1] if len(parts) > 2 else 'index'}/{name}:{name}"


if __name__ == "__main__":
    _FILE.write_text(json.dumps(derive(), indent=1, sort_keys=True) + "\n", "utf-8")
