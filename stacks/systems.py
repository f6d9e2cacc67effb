"""The systems that a stack file may choose: the only list of them. A new one is one line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any, Final


@dataclass(frozen=True)
class System:
    """Where a system is written, as `module:name`. A run loads what its stack file speaks of, and no more.

    settings: the SystemSettings below `berth:<system>`, or a union of them; all optional.
    compose: the function of an Assembly and those settings that adds the parts.
    """

    settings: str
    compose: str

    def load_settings(self) -> Any:
        """The type; free of pulumi."""
        return resolve_name(self.settings)

    def load_compose(self) -> Any:
        """The function; brings pulumi and the Docker SDK."""
        return resolve_name(self.compose)


SYSTEMS: Final[Mapping[str, System]] = {
    "celery": System("stacks.celery_settings:CelerySettings", "stacks.celery:compose"),
    "cloud-api": System("stacks.cloud_api_settings:CloudApiSettings", "stacks.cloud_api:compose"),
    "gateway": System("stacks.gateway_settings:GatewaySettings", "stacks.gateway:compose"),
    "gpu": System("stacks.gpu_settings:GpuSettings", "stacks.gpu:compose"),
}
