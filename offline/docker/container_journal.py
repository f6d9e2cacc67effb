"""What a plugin that died in the middle of a creation leaves behind, and how the next one removes it.

A container is recorded only when its creation has ended. If the plugin is killed before, the container stays
and nothing knows it. So each creation has a file, locked while the plugin lives, with a random word that the
container carries as a label: a file without a lock names a container that nobody recorded. The word is in no
other container, so nothing else is ever touched.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from offline.docker.container_read import CREATION_LABEL
from offline.provider.resource import ResourceError


@cache
def _engine_id(api: Any) -> str:
    """What tells one engine from another, whichever address it has today."""
    return str(api.info()["ID"])


def _folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "berth" / "creating"


@contextmanager
def creation(api: Any) -> Iterator[dict[str, str]]:
    """The label of one creation on an engine, for as long as it takes."""
    word = secrets.token_hex(8)
    engine = _engine_id(api)
    folder = _folder()
    path = folder / word
    # Under this name nobody looks at it, so it is locked before anybody can take it for a dead one's.
    unlocked = folder / f".{word}"
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(unlocked.open("x", encoding="utf-8"))
            fcntl.flock(file, fcntl.LOCK_EX)
            json.dump({"engine": engine}, file)
            file.flush()
            unlocked.rename(path)
        except OSError as error:
            raise ResourceError(
                f"{folder} cannot be written: {error.strerror}",
                fix="make room or rights there, or set XDG_STATE_HOME to another folder",
            ) from None
        try:
            yield {CREATION_LABEL: word}
        finally:
            path.unlink(missing_ok=True)


def remove_unrecorded(api: Any) -> list[str]:
    """Remove the containers of creations whose plugin died; their names."""
    removed = []
    with suppress(FileNotFoundError):
        for path in [path for path in _folder().iterdir() if not path.name.startswith(".")]:
            with suppress(FileNotFoundError, BlockingIOError), path.open(encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Opened before its creation ended, locked after: that container is recorded, and stays.
                if os.fstat(file.fileno()).st_nlink:
                    removed += _remove(api, path, file.read())
    return removed


def _remove(api: Any, path: Path, text: str) -> list[str]:
    try:
        engine = json.loads(text)["engine"]
    except ValueError:
        path.unlink(missing_ok=True)  # not one of ours
        return []
    if engine != _engine_id(api):
        return []
    found = api.containers(all=True, filters={"label": f"{CREATION_LABEL}={path.name}"})
    for entry in found:
        api.remove_container(entry["Id"], v=True, force=True)
    path.unlink(missing_ok=True)
    return [entry["Names"][0].lstrip("/") if entry["Names"] else entry["Id"][:12] for entry in found]
