"""The frame of a stack file: its parts, whose settings it may have, and what only its text tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from stacks.problems import Problem
from stacks.secrets import plain_names

NAMESPACE: Final = "berth:"
PARTS: Final = ("config", "secretsprovider", "encryptionsalt", "encryptedkey", "environment")
"""What Pulumi reads at the top of a stack file."""


def unknown_parts(names: Iterable[object]) -> Iterator[Problem]:
    """A problem for each part at the top that Pulumi would ignore."""
    for name in names:
        if name not in PARTS:
            yield Problem(
                str(name), f"unknown part of a stack file, would be ignored; allowed: {', '.join(PARTS)}"
            )


def foreign(key: str) -> Problem | None:
    """The problem of a key below `config:` that is not ours, if nobody else reads it either."""
    namespace, colon, name = key.partition(":")
    if namespace == "docker":
        return Problem(key, f"would be ignored; allowed: {NAMESPACE}host")
    if not colon:
        return Problem(key, f"has no namespace; allowed: {NAMESPACE}{key}")
    # What no plugin here can be configured by is a slip of the pen.
    package = f"pulumi_{namespace.replace('-', '_')}"
    if namespace == "pulumi" or (package.isidentifier() and find_spec(package)):
        return None
    return Problem(
        key,
        f"nothing reads the namespace {namespace!r}; allowed: {NAMESPACE}{name}, or a setting of Pulumi "
        "(pulumi:) or of a plugin whose Python package is installed",
    )


def plain_secrets(path: Path) -> list[str]:
    """The names below `berth:secrets` that the file has as plain text; none where it has no such file."""
    import yaml

    try:
        content = yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (OSError, yaml.YAMLError):  # `pulumi --config-file` names another one
        return []
    config = content.get("config") if isinstance(content, dict) else None
    return plain_names(config.get("berth:secrets")) if isinstance(config, dict) else []
