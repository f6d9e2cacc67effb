"""The bytes of objects: a file each, under the cloud's folder. Never whole in memory."""

from __future__ import annotations

import base64
import binascii
import hashlib
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import crcmod

from emulator.cloud import Cloud
from emulator.services.oss import errors
from emulator.services.oss.model import Object, Upload

BLOCK: Final = 1 << 18
LARGEST: Final = 5 << 30
"""Bytes of an object in one request, and of a part."""

_crcmod: Any = crcmod  # two packages bring it; which one was installed last decides what is known of it
_crc64 = _crcmod.mkCrcFun(0x142F0E1EBA9EA3693, initCrc=0, xorOut=0xFFFFFFFFFFFFFFFF, rev=True)
"""CRC-64/XZ, the ECMA-182 polynomial: what x-oss-hash-crc64ecma holds."""


@dataclass(frozen=True)
class Written:
    """A file that is complete, and what its bytes add up to."""

    file: str
    size: int
    md5: bytes
    crc64: int

    @property
    def etag(self) -> str:
        return self.md5.hex().upper()


class Files:
    """A folder of files without names of their own: an object says which is its."""

    def __init__(self, cloud: Cloud) -> None:
        self._folder = cloud.folder / "oss"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._sweep(cloud)

    def _sweep(self, cloud: Cloud) -> None:
        """Remove what a process that died was writing, or had no time to remove."""
        known = {one.file for one in cloud.store.all(Object)}
        known |= {part.file for one in cloud.store.all(Upload) for part in one.parts.values()}
        for path in self._folder.iterdir():
            if path.name not in known:
                path.unlink()

    def open(self, file: str) -> BinaryIO:
        return (self._folder / file).open("rb")

    def remove(self, files: Iterable[str]) -> None:
        """Whoever reads one goes on reading it."""
        for file in files:
            (self._folder / file).unlink(missing_ok=True)

    async def receive(self, stream: AsyncIterator[bytes], md5: str = "", *, crc64: int = 0) -> Written:
        """Write a request's body. md5: of Content-MD5, checked. crc64: of what comes before the body.

        Raises OssError; nothing is left then.
        """
        wanted = _md5(md5)
        with _Writer(self._folder, crc64) as writer:
            async for chunk in stream:
                writer.add(chunk)
            if wanted is not None and writer.md5.digest() != wanted:
                raise errors.digest(md5, well_formed=True)
            return writer.done()

    def copy(self, files: Iterable[tuple[str, int, int]]) -> Written:
        """One file of pieces of others: each with its start and length. It blocks: for a thread."""
        with _Writer(self._folder, 0) as writer:
            for file, start, length in files:
                for chunk in blocks(self.open(file), start, length):
                    writer.add(chunk)
            return writer.done()

    async def append(self, stream: AsyncIterator[bytes], md5: str, before: Object | None) -> Written:
        """A new file of the object's bytes and the body's."""
        wanted = _md5(md5)
        with _Writer(self._folder, 0) as writer:
            if before is not None:
                for chunk in blocks(self.open(before.file), 0, before.size):
                    writer.add(chunk)
            body = hashlib.md5(usedforsecurity=False)
            async for chunk in stream:
                body.update(chunk)
                writer.add(chunk)
            if wanted is not None and body.digest() != wanted:
                raise errors.digest(md5, well_formed=True)
            return writer.done()


class _Writer:
    """A file that is there whole or not at all."""

    def __init__(self, folder: Path, crc64: int) -> None:
        self._name = uuid.uuid4().hex
        self._path = folder / self._name
        self._draft = folder / f"{self._name}.part"
        self._file = self._draft.open("xb")
        self._size = 0
        self._crc64 = crc64
        self.md5 = hashlib.md5(usedforsecurity=False)

    def add(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > LARGEST:
            raise errors.OssError(
                400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size."
            )
        self._file.write(chunk)
        self.md5.update(chunk)
        self._crc64 = _crc64(chunk, self._crc64)

    def done(self) -> Written:
        self._file.close()
        self._draft.rename(self._path)
        return Written(self._name, self._size, self.md5.digest(), self._crc64)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *given: object) -> None:
        self._file.close()
        self._draft.unlink(missing_ok=True)


def _md5(text: str) -> bytes | None:
    if not text:
        return None
    try:
        found = base64.b64decode(text, validate=True)
    except binascii.Error:
        found = b""
    if len(found) != 16:
        raise errors.digest(text, well_formed=False)
    return found


def blocks(file: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    """A piece of a file, which is closed at the end."""
    with file:
        file.seek(start)
        while length > 0 and (chunk := file.read(min(BLOCK, length))):
            length -= len(chunk)
            yield chunk
