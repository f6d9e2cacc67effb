"""Where the state lives: what the user chose with Pulumi's own settings, else a folder of the user's."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ops import places
from ops.project import project


def variables(*, create: bool) -> dict[str, str]:
    """PULUMI_BACKEND_URL for the default folder; nothing where Pulumi's own settings name another place."""
    if os.environ.get("PULUMI_BACKEND_URL") or (project().get("backend") or {}).get("url") or _logged_in():
        return {}
    folder = places.data() / "state"
    if create:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return {"PULUMI_BACKEND_URL": folder.as_uri()}


def _logged_in() -> bool:
    home = Path(
        os.environ.get("PULUMI_CREDENTIALS_PATH") or os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi"
    )
    try:
        return bool(json.loads((home / "credentials.json").read_text())["current"])
    except (OSError, ValueError, KeyError):
        return False
