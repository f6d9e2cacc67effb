"""What went wrong, and the way out."""

from __future__ import annotations

import errno
import json
import sys
from datetime import UTC, datetime
from pathlib import Path


class Trouble(Exception):  # noqa: N818  (a word of its own)
    """cause: what and where. fix: what to do about it."""

    def __init__(self, cause: str, *, fix: str) -> None:
        super().__init__(f"{cause}; fix: {fix}")
        self.cause, self.fix = cause, fix


def of_system(error: OSError, home: Path) -> Trouble:
    """For what the system refused. home: the one folder that a backup writes to."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Trouble(
            f"{error.filename or home}: {error.strerror}",
            fix="make room on that disk, or keep fewer days (keep_days); the snapshots before are still good",
        )
    return Trouble(
        f"{error.filename or 'a file or folder'}: {error.strerror or error}",
        fix="all of it must belong to the user of the backup; for an input/output error look at the disk",
    )


def say(message: str, *, level: str = "info", **more: object) -> None:
    """One JSON object a line; errors on stderr."""
    line = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "level": level, "message": message}
    print(
        json.dumps({**line, **more}, ensure_ascii=False),
        file=sys.stderr if level == "error" else sys.stdout,
        flush=True,
    )
