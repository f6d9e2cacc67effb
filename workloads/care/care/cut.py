"""A log file shortened under its writer: the beginning goes into an archive, and no byte gets lost.

Copying a file and then truncating it loses what is written in between. Here the file system takes whole
blocks out of the beginning in one step (fallocate's COLLAPSE_RANGE: ext4, xfs); a writer that appends goes on
at the new end. Where there is no such step the blocks are released in place (PUNCH_HOLE): the file keeps its
length and its disk space is free; its beginning then reads as zeros.
"""

from __future__ import annotations

import ctypes
import errno
import gzip
import os
from datetime import UTC, datetime
from pathlib import Path

_COLLAPSE, _PUNCH, _KEEP_SIZE = 0x08, 0x02, 0x01
_CHUNK = 1 << 20
_LONGEST = 1 << 20
"""Bytes of a line that is looked for across the cut."""
_libc = ctypes.CDLL(None, use_errno=True)


def cut(path: Path) -> Path | None:
    """The archive with all lines that were whole; None when there was less than a block.

    The archive is on disk before anything is taken out of the file.
    """
    with path.open("r+b") as file:
        blocks = os.fstatvfs(file.fileno()).f_bsize
        start = _data(file.fileno())
        size = os.fstat(file.fileno()).st_size
        end = size // blocks * blocks
        # The line across the cut goes into the archive whole, and is blanked in what stays.
        rest = os.pread(file.fileno(), _LONGEST, end)
        if end <= start or (tail := rest.find(b"\n") + 1) == 0:
            # Its end is not written yet: cut before it begins.
            end = _last_line(file.fileno(), start, end) // blocks * blocks
            rest = os.pread(file.fileno(), _LONGEST, end)
            tail = rest.find(b"\n") + 1
        if end <= start or tail == 0:
            return None
        archive = _archive(file.fileno(), path, start, end + tail)
        if not _allocate(file.fileno(), _COLLAPSE, 0, end):
            _allocate(file.fileno(), _PUNCH | _KEEP_SIZE, start, end - start, must=True)
            os.pwrite(file.fileno(), b" " * (tail - 1) + b"\n", end)
        else:
            os.pwrite(file.fileno(), b" " * (tail - 1) + b"\n", 0)
    return archive


def size(path: Path) -> int:
    """Bytes that the file takes: those that were released do not count."""
    info = path.stat()
    return min(info.st_size, info.st_blocks * 512)


def _data(descriptor: int) -> int:
    """Where the first byte is that was not released."""
    try:
        return os.lseek(descriptor, 0, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return os.fstat(descriptor).st_size
        raise


def _last_line(descriptor: int, start: int, end: int) -> int:
    """Where the line begins that `end` is in, as far as it is looked for."""
    low = max(start, end - _LONGEST)
    found = os.pread(descriptor, end - low, low).rfind(b"\n")
    return low + found + 1 if found >= 0 else start


def _archive(descriptor: int, path: Path, start: int, end: int) -> Path:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    archive = path.with_name(f"{path.name}.{now}.gz")
    part = path.with_name(f".{archive.name}.part")
    try:
        with part.open("wb") as raw:
            with gzip.GzipFile("", "wb", 6, raw) as packed:
                while start < end:
                    piece = os.pread(descriptor, min(_CHUNK, end - start), start)
                    packed.write(piece)
                    start += len(piece)
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(archive)
    finally:
        part.unlink(missing_ok=True)
    return archive


def _allocate(descriptor: int, mode: int, start: int, length: int, *, must: bool = False) -> bool:
    code = _libc.fallocate(
        ctypes.c_int(descriptor), ctypes.c_int(mode), ctypes.c_int64(start), ctypes.c_int64(length)
    )
    number = ctypes.get_errno()
    if code == 0:
        return True
    # EINVAL: blocks of another size than the file system says.
    if not must and number in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(number, f"nothing can be taken out of the file: {os.strerror(number)}")
