"""What tasks do. Doing one twice gives the same file and the same result."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .analysis import analyse
from .exports import WRITERS, appearing
from .ledger import Claim, Ledger
from .settings import Settings
from .tables import Cell, UnfitError, columns, opened


class LostError(Exception):
    """Another attempt has taken the task over."""


@dataclass(frozen=True)
class Done:
    """A result, and the file below DATA that belongs to it."""

    result: dict[str, Any]
    file: str | None = None


Tick = Callable[[], None]


def export(settings: Settings, _ledger: Ledger, claim: Claim, tick: Tick) -> Done:
    """Rows of the request, or of an upload, become a file in DATA/exports."""
    kind = claim.request["format"]
    name = f"{claim.id}.{kind}"
    with (
        _source(settings, claim.request) as (header, rows),
        appearing(settings.folder("exports") / name, claim.attempt) as part,
    ):
        count = WRITERS[kind](part, header, rows, tick)
        tick()
        size = part.stat().st_size
    return Done(
        {"rows": count, "columns": len(header), "bytes": size, "format": kind, "name": claim.request["name"]},
        f"exports/{name}",
    )


@contextmanager
def _source(settings: Settings, request: dict[str, Any]) -> Iterator[tuple[list[str], Iterable[list[Cell]]]]:
    if "rows" in request:
        header = columns(request["rows"])
        yield header, ([row.get(name) for name in header] for row in request["rows"])
        return
    path = settings.folder("uploads") / request["upload"]
    if not path.is_file():
        raise UnfitError(f"the upload {request['upload']} is no longer kept")
    with opened(path) as (header, texts):
        yield header, ([value(text) for text in row] for row in texts)


def value(text: str) -> Cell:
    """A number when the text is exactly how that number is written, so that 007 and 1e5 stay texts."""
    for convert in (int, float):
        try:
            number = convert(text)
        except ValueError:
            continue
        if str(number) == text and text not in ("inf", "-inf", "nan"):
            return number
    return text


def analysis(settings: Settings, _ledger: Ledger, claim: Claim, tick: Tick) -> Done:
    """What an uploaded table holds."""
    with opened(settings.folder("uploads") / str(claim.id)) as (header, rows):
        found = analyse(header, rows, tick)
    return Done({**claim.request, **found}, f"uploads/{claim.id}")


def cleanup(settings: Settings, ledger: Ledger, _claim: Claim, tick: Tick) -> Done:
    """Removes what is older than KEEP_DAYS, and packs the log files of past days."""
    removed = 0
    for name in ledger.expire(settings.keep_days):
        path = settings.data / name
        if path.is_file():
            path.unlink()
            removed += 1
    tick()
    # What no task knows: left by attempts that were killed, or by failed analyses.
    now = time.time()
    for folder in ("exports", "uploads"):
        for path in settings.folder(folder).iterdir():
            age = (now - path.stat().st_mtime) / 86400
            if age > (1 if path.name.endswith(".part") else settings.keep_days + 1):
                path.unlink(missing_ok=True)
                removed += 1
    tick()
    return Done({"removed": removed, **rotate(settings.folder("logs"), settings.keep_days)})


def rotate(folder: Path, days: int) -> dict[str, int]:
    """Log files of past days are compressed, and removed when they are older than `days`."""
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    packed = dropped = 0
    for path in sorted(folder.glob("*.jsonl")):
        if path.stem.endswith(today):
            continue
        part = path.with_name(f".{path.name}.gz.part")
        part.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        part.replace(path.with_name(f"{path.name}.gz"))
        path.unlink()
        packed += 1
    for path in folder.glob("*.jsonl.gz"):
        if time.time() - path.stat().st_mtime > days * 86400:
            path.unlink()
            dropped += 1
    return {"logs_packed": packed, "logs_removed": dropped}


KINDS: dict[str, Callable[[Settings, Ledger, Claim, Tick], Done]] = {
    "export": export,
    "analysis": analysis,
    "cleanup": cleanup,
}
