"""The Pulumi to use:

the official one on PATH, else ours, which the first run builds (offline/toolchain.py).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ops.errors import UserError
from ops.progress import Reporter

if TYPE_CHECKING:
    from offline.toolchain import Toolchain


def find() -> Toolchain:
    """The toolchain; builds ours, with progress, on a machine that has none."""
    from offline.toolchain import ToolchainError, find_or_build

    with Reporter() as report:
        try:
            return find_or_build(report)
        except ToolchainError as error:
            cause, _, rest = str(error).partition("\n")
            raise UserError(cause, fix=rest.strip() or "run ./berth doctor") from None


def variables(toolchain: Toolchain) -> dict[str, str]:
    """What the toolchain sets on top of the present environment."""
    wanted = toolchain.environ()
    return {name: value for name, value in wanted.items() if os.environ.get(name) != value}


def look() -> Toolchain | None:
    """The toolchain if it is there already; nothing is built."""
    from offline.build import cache_folder, cache_key
    from offline.toolchain import find_official, find_or_build

    if official := find_official(os.environ):
        return official
    built = cache_folder(os.environ) / cache_key() / "pulumi"
    return find_or_build() if built.exists() else None


def origin(toolchain: Toolchain) -> str:
    """In words."""
    return (
        "the official Pulumi on PATH" if toolchain.kind == "official" else "Pulumi built from its Go modules"
    )
