"""YAML as Pulumi reads it: a key that stands twice is an error, not the last one's win."""

from __future__ import annotations

from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            here = key.tag, key.value
            if here in lines:
                problem = f"key {key.value!r} stands here again (first in line {lines[here]})"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            lines[here] = key.start_mark.line + 1
        return node


def load(text: str) -> Any:
    """The one document of the text. Raises yaml.YAMLError."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
