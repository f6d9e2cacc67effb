"""One JSON object a line on stdout, from us and from the libraries."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any


def log(event: str, **fields: Any) -> None:
    """Writes one line."""
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
    sys.stdout.write(json.dumps({"time": stamp, "event": event, **fields}) + "\n")
    sys.stdout.flush()


class Lines(logging.Handler):
    """Python's logging in the same shape."""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        log("library", severity=record.levelname.lower(), logger=record.name, message=text)


def take_over() -> None:
    """Sends warnings and worse of all libraries here."""
    logging.basicConfig(handlers=[Lines()], level=logging.WARNING, force=True)
