"""The Pulumi CLI to use and the PATH on which it finds its plugins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """program: the executable. path: PATH with its plugins. variables: further settings. origin: in words."""

    program: Path
    path: str
    origin: str
    variables: Mapping[str, str] = field(default_factory=dict)
