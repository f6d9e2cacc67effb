"""What a RAM role has to be so that an instance may have it."""

from __future__ import annotations

from typing import Final

from emulator.api.errors import ApiError
from emulator.cloud import Cloud
from emulator.services.ram import roles
from emulator.services.ram.documents import trusts

_ECS: Final = "ecs.aliyuncs.com"


def must_serve(cloud: Cloud, name: str) -> None:
    """Raises ApiError for a role that is not there, or that ECS may not assume."""
    try:
        role = roles.find(cloud, name)
    except ApiError:
        raise ApiError(
            404, "InvalidRamRole.NotFound", f"The specified RamRole does not exist. ({name})"
        ) from None
    if not trusts(role.trust, _ECS):
        raise ApiError(
            403,
            "InvalidRamRole.NotEcsRole",
            f"The specified ram role is not authorized for ecs, please check your role policy. ({name})",
        )
