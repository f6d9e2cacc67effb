"""Labels: a set of {label, value} in the schema, a map in Docker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from offline.provider.resource import Field

LABELS: Final = Field(
    replace=True, unordered=True, nested={"label": Field(replace=True), "value": Field(replace=True)}
)


def to_docker(labels: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    """The map that the API takes."""
    return {item["label"]: item["value"] for item in labels or ()}


def from_docker(labels: Mapping[str, str] | None) -> list[dict[str, str]]:
    """The list that the schema has, in a stable order."""
    return [{"label": label, "value": value} for label, value in sorted((labels or {}).items())]
