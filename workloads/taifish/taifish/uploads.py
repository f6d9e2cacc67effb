"""Takes a body of any size to the disk, piece by piece."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .exports import appearing

PIECE = 1 << 18


class TooLargeError(ValueError):
    """More bytes than allowed."""


class CutError(ValueError):
    """The client went away in the middle."""


@dataclass(frozen=True)
class Upload:
    """What was kept."""

    id: uuid.UUID
    size: int
    sha256: str


def keep(stream: IO[bytes], folder: Path, *, length: int | None, limit: int) -> Upload:
    """Writes the stream to `folder`. Raises TooLargeError and CutError, and then nothing stays."""
    id = uuid.uuid4()
    size, digest = 0, hashlib.sha256()
    with appearing(folder / str(id), 0) as part, part.open("wb") as file:
        while piece := stream.read(PIECE):
            size += len(piece)
            if size > limit:
                raise TooLargeError(f"more than {limit} bytes")
            digest.update(piece)
            file.write(piece)
        if length is not None and size != length:
            raise CutError(f"{size} bytes of {length} came")
    return Upload(id, size, digest.hexdigest())
