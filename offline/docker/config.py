"""The provider's config: every variable of the official schema, all of them served."""

from __future__ import annotations

import json
from typing import Any, Final

from offline.docker import schema
from offline.provider import check
from offline.provider.resource import UNKNOWN, CheckFailure, Field
from offline.provider.schema import Shape

CONFIG: Final = {
    "host": Field(),
    "context": Field(),
    "sshOpts": Field(),
    "caMaterial": Field(),
    "certMaterial": Field(),
    "keyMaterial": Field(),
    "certPath": Field(),
    "disableDockerDaemonCheck": Field(default=False),
    "registryAuth": Field(
        unordered=True,
        nested={
            "address": Field(),
            "username": Field(),
            "password": Field(),
            "configFile": Field(),
            "configFileContent": Field(),
            "authDisabled": Field(default=False),
        },
    ),
}
# Options that every provider has and the engine handles; it passes them on.
_ENGINE_OPTIONS: Final = ("version", "pluginDownloadURL")


def read_config(given: dict[str, Any]) -> tuple[dict[str, Any], list[CheckFailure]]:
    """The config as plain values, and what is wrong with it. The engine passes lists on as JSON."""
    shapes = schema.config()
    config = {
        name: _parsed(shapes.get(name, {}), value)
        for name, value in given.items()
        if name not in _ENGINE_OPTIONS and not name.startswith("__")
    }
    failures = check.failures(CONFIG, shapes, [], config)
    return (config if failures else check.convert(shapes, config)), failures


def _parsed(shape: Shape, value: Any) -> Any:
    if shape.get("type") == "string" or value is UNKNOWN or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value  # the check of types names it
