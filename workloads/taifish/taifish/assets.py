"""Files of the page, under names that change with their content: they may be kept for ever."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "assets"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def names() -> dict[str, str]:
    """`page.css` -> `page.0123456789ab.css`."""
    return {
        path.name: f"{path.stem}.{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}{path.suffix}"
        for path in sorted(FOLDER.iterdir())
        if path.suffix in TYPES
    }


def find(hashed: str) -> Path | None:
    """The file behind a name of `names`; None for any other."""
    plain = {new: old for old, new in names().items()}.get(hashed)
    return None if plain is None else FOLDER / plain
