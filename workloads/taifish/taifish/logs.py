"""One JSON object a line on stdout, and the same in DATA/logs/{role}-{day}.jsonl."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_folder: Path | None = None
_role = ""
_told = False


def log(event: str, **fields: Any) -> None:
    """Writes one line. Never raises: a full disk must not end what is being logged."""
    now = datetime.now(UTC)
    stamp = now.isoformat(timespec="milliseconds")
    line = json.dumps({"time": stamp, "role": _role, "event": event, **fields}, default=str) + "\n"
    sys.stdout.write(line)
    sys.stdout.flush()
    if _folder is not None:
        _keep(_folder / f"{_role}-{now:%Y-%m-%d}.jsonl", line)


def _keep(path: Path, line: str) -> None:
    """One write to a file opened for appending: lines of several processes do not mix."""
    global _told
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
        _told = False
    except OSError as error:
        if not _told:
            _told = True  # once until it works again, and on stdout alone
            sys.stdout.write(json.dumps({"event": "log-file-trouble", "error": str(error)}) + "\n")
            sys.stdout.flush()


class Lines(logging.Handler):
    """Python's logging in the same shape."""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        log("library", severity=record.levelname.lower(), logger=record.name, message=text)


def take_over(role: str, folder: Path | None = None) -> None:
    """Sends warnings and worse of all libraries here; keeps lines in `folder` as well."""
    global _folder, _role
    _role, _folder = role, folder
    logging.basicConfig(handlers=[Lines()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
