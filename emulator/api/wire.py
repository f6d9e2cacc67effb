"""The flat parameters of an RPC request, and the nested ones that they stand for.

Tag.1.Key=a&Tag.1.Value=b&SystemDisk.Size=40   ->   {"Tag": [{"Key": "a", "Value": "b"}],
                                                     "SystemDisk": {"Size": "40"}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.api.errors import invalid

MOST = 1000
"""A list is no longer than this; a number above it would otherwise be a way to ask for all of memory."""


def nested(flat: Mapping[str, str]) -> dict[str, Any]:
    """The nested form. Lists count from 1 and may have gaps, as the clients' may.

    Raises ApiError where a name is a value and a list at once, or a number is out of range.
    """
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        steps = name.split(".")
        node = tree
        for step in steps[:-1]:
            below = node.setdefault(step, {})
            if not isinstance(below, dict):
                raise invalid(name)
            node = below
        if not steps[-1] or steps[-1] in node:
            raise invalid(name)
        node[steps[-1]] = value
    return {name: _listed(name, below) for name, below in tree.items()}


def _listed(name: str, node: Any) -> Any:
    """Objects whose names are all numbers become lists."""
    if not isinstance(node, dict):
        return node
    if not all(step.isascii() and step.isdigit() for step in node):
        return {step: _listed(f"{name}.{step}", below) for step, below in node.items()}
    if not all(1 <= int(step) <= MOST for step in node):
        raise invalid(name)
    return [_listed(f"{name}.{step}", node[step]) for step in sorted(node, key=int)]


def flat(name: str, value: Any) -> dict[str, str]:
    """The flat form of a parameter that came as JSON; what `nested` takes apart."""
    if isinstance(value, Mapping):
        return {k: v for step, below in value.items() for k, v in flat(f"{name}.{step}", below).items()}
    if isinstance(value, list | tuple):
        return {k: v for at, below in enumerate(value, 1) for k, v in flat(f"{name}.{at}", below).items()}
    if value is None:
        return {}
    if isinstance(value, bool):
        return {name: "true" if value else "false"}
    return {name: str(value)}
