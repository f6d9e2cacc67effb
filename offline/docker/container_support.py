"""Inputs that an older engine takes without a word and then ignores; such an engine is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from offline.docker.container_check import values
from offline.provider.resource import ResourceError

# Path of a property: the first API version that heeds it, and the Docker release that brought it.
_SINCE: Final = {
    "deviceRequests": ("1.40", "19.03"),
    "gpus": ("1.40", "19.03"),
    "cgroupnsMode": ("1.41", "20.10"),
    "platform": ("1.41", "20.10"),
    "healthcheck.startInterval": ("1.44", "25.0"),
    "networksAdvanced[].macAddress": ("1.44", "25.0"),
    "mounts[].volumeOptions.subpath": ("1.45", "26.0"),
    "networksAdvanced[].gwPriority": ("1.48", "28.0"),
}


def require_support(version: str, inputs: Mapping[str, Any]) -> None:
    """Raises ResourceError for the first input that an engine of this API version would ignore."""
    for pattern, (needed, release) in _SINCE.items():
        for path, value in values(inputs, pattern):
            if value not in ("", 0, [], "0s") and _number(version) < _number(needed):
                raise ResourceError(
                    f"{path} needs Docker {release} (API {needed}); this engine ({version}) would ignore it",
                    fix=f"leave {path} out, or update the engine",
                )


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
