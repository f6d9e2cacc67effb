"""Which deleted log files somebody still writes into, seen from outside that program's container.

The kernel tells of a watched file when its last name goes (ATTRIB), and when the last program closes it
(DELETE_SELF). Between the two a program keeps it open: its lines go where nobody finds them, and the disk
space stays taken.
"""

from __future__ import annotations

import ctypes
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_MODIFY, _ATTRIB, _DELETE_SELF, _IGNORED = 0x2, 0x4, 0x400, 0x8000
_EVENT = struct.Struct("iIII")
_NONBLOCK = os.O_NONBLOCK


@dataclass
class _Seen:
    path: Path
    inode: tuple[int, int]
    deleted: float | None = None
    written: bool = False


@dataclass(frozen=True)
class Kept:
    """A deleted file that is open. written: also lines came since."""

    path: Path
    seconds: float
    written: bool


class Watched:
    """Follows files by their inodes. What was deleted before it was followed is not known."""

    def __init__(self) -> None:
        self._fd = _libc.inotify_init1(_NONBLOCK)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "the kernel gives no inotify")
        self._seen: dict[int, _Seen] = {}

    def follow(self, path: Path) -> None:
        """Again and again, so that a new file of the same name is followed, too."""
        try:
            info = path.stat()
        except FileNotFoundError:
            return
        if any(
            one.inode == (info.st_dev, info.st_ino) and one.deleted is None for one in self._seen.values()
        ):
            return
        number = _libc.inotify_add_watch(
            self._fd, os.fsencode(path), ctypes.c_uint32(_MODIFY | _ATTRIB | _DELETE_SELF)
        )
        if number >= 0:
            self._seen[number] = _Seen(path, (info.st_dev, info.st_ino))

    def kept(self, grace: float = 5) -> list[Kept]:
        """Deleted files that are open for longer than `grace` seconds: a rotation may reopen them by then."""
        self._read()
        now = time.monotonic()
        return [
            Kept(one.path, now - one.deleted, one.written)
            for one in self._seen.values()
            if one.deleted is not None and now - one.deleted >= grace
        ]

    def close(self) -> None:
        """Follows nothing any more."""
        os.close(self._fd)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                number, mask, _, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size + length
                if mask & (_DELETE_SELF | _IGNORED):
                    self._seen.pop(number, None)
                elif (one := self._seen.get(number)) is not None:
                    if mask & _ATTRIB and one.deleted is None and self._gone(one):
                        one.deleted = time.monotonic()
                    elif mask & _MODIFY and one.deleted is not None:
                        one.written = True

    def _gone(self, one: _Seen) -> bool:
        """Not only renamed, as a rotation by its writer does: no name of it is left beside its place."""
        try:
            with os.scandir(one.path.parent) as entries:
                return all(entry.inode() != one.inode[1] for entry in entries)
        except FileNotFoundError:
            return True
