"""The Docker engine that the docker command's context names. Imports nothing of ours."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path


def context() -> tuple[str, str] | None:
    """Name and address of the context in use; None for the default one, and for one that cannot be read."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        name = (
            os.environ.get("DOCKER_CONTEXT")
            or json.loads((folder / "config.json").read_text())["currentContext"]
        )
        if name == "default":
            return None
        meta = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
        return name, str(json.loads(meta.read_text())["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError):
        return None
