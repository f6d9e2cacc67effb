"""A build context: the files that a build sees, their digest, and the tar stream to the engine."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from offline.docker.image_ignore import Matcher, clean, parse
from offline.provider.resource import ResourceError

CHUNK = 1 << 20
IGNORE_FILE = ".dockerignore"
MAX_LINKS = 255


@dataclass(frozen=True)
class BuildContext:
    """A folder and a Dockerfile, both as written by the user and relative to the working directory.

    The Dockerfile may lie outside the folder.
    """

    folder: str
    dockerfile: str

    @cached_property
    def matcher(self) -> Matcher:
        """`<Dockerfile>.dockerignore` beside the Dockerfile goes before `.dockerignore` in the folder."""
        for path in (Path(f"{self.dockerfile}{IGNORE_FILE}"), Path(self.folder, IGNORE_FILE)):
            if path.is_file():
                return Matcher(parse(path.read_text(errors="surrogateescape")))
        return Matcher([])

    @cached_property
    def root(self) -> Path:
        """The folder with every link resolved."""
        try:
            root = Path(self.folder).resolve(strict=True)
        except OSError as problem:
            raise ResourceError(
                f"build context {self.folder!r}: {problem.strerror}",
                fix="give the folder relative to the project's folder",
            ) from None
        if not root.is_dir():
            raise ResourceError(f"build context {self.folder!r} is not a folder")
        return root

    @cached_property
    def relative_dockerfile(self) -> str:
        """The Dockerfile as seen from the folder; it begins with `../` when it lies outside."""
        return os.path.relpath(Path(self.dockerfile).resolve(), self.root)

    @property
    def holds_dockerfile(self) -> bool:
        return not self.relative_dockerfile.startswith("../")

    def files(self) -> Iterator[tuple[str, os.stat_result]]:
        """Every path of the context that is not ignored, folders too, in the order of their names."""
        yield from self._walk("", None)

    def _walk(self, folder: str, parent: list[bool] | None) -> Iterator[tuple[str, os.stat_result]]:
        with os.scandir(f"{self.root}/{folder}") as listing:
            entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
        for entry in entries:
            path = f"{folder}{entry.name}"
            ignored, results = self.matcher.match(path, parent)
            is_folder = entry.is_dir(follow_symlinks=False)
            if not ignored:
                yield path, entry.stat(follow_symlinks=False)
            if is_folder and (not ignored or self.matcher.may_hold_exceptions(path)):
                yield from self._walk(f"{path}/", results)

    def digest(self) -> str:
        """SHA-256 over names, modes and contents, computed like the official plugin's `contextDigest`.

        Times and owners do not count; of a link its target's path counts, not what lies there.
        """
        total = hashlib.sha256()

        def add(name: str, mode: str, content: bytes) -> None:
            total.update(os.fsencode(name) + mode.encode() + content + b"\0")

        try:
            add("Dockerfile", "-" * 10, _file_digest(self.dockerfile))
            for path, info in self.files():
                if stat.S_ISDIR(info.st_mode):
                    continue
                content = hashlib.sha256().digest()
                if stat.S_ISLNK(info.st_mode):
                    target = _resolve(clean(f"{self.folder}/{path}"))
                    content = hashlib.sha256(os.fsencode(target)).digest()
                elif stat.S_ISREG(info.st_mode):
                    content = _file_digest(f"{self.root}/{path}")
                add(path, _mode(info.st_mode), content)
        except OSError as problem:
            raise _unreadable(self.folder, problem) from None
        return total.hexdigest()

    def tar(self) -> tuple[str, Iterator[bytes]]:
        """The Dockerfile's name inside the stream, and the stream; all owners become root."""
        if self.holds_dockerfile:
            return self.relative_dockerfile, self._stream({})
        content = Path(self.dockerfile).read_bytes()
        # Named after its content: a random name would make every build's context look new.
        name = f".dockerfile.{hashlib.sha256(content).hexdigest()[:20]}"
        own = Path(self.root, IGNORE_FILE)
        ignore = own.read_bytes() if own.is_file() else IGNORE_FILE.encode()
        return name, self._stream({name: content, IGNORE_FILE: ignore + f"\n{name}\n".encode()})

    def _stream(self, extra: dict[str, bytes]) -> Iterator[bytes]:
        try:
            # Only a source of headers: it knows hard links and sockets.
            with tarfile.open(fileobj=io.BytesIO(), mode="w") as archive:
                for path in self._sent():
                    if path in extra:
                        continue
                    header = archive.gettarinfo(self.root / path, arcname=path)
                    if header is not None:
                        yield from _entry(header, self.root / path)
            for name, content in extra.items():
                header = tarfile.TarInfo(name)
                header.size = len(content)
                yield header.tobuf(tarfile.PAX_FORMAT)
                yield content + _padding(len(content))
        except OSError as problem:
            raise _unreadable(self.folder, problem) from None
        yield bytes(2 * tarfile.BLOCKSIZE)

    def _sent(self) -> Iterator[str]:
        """The files, and those that the engine needs though they are ignored; it drops them itself."""
        needed = {IGNORE_FILE, self.relative_dockerfile}
        for path, _ in self.files():
            needed.discard(path)
            yield path
        for path in sorted(needed):
            if not path.startswith("../") and os.path.lexists(self.root / path):
                yield path


def _entry(header: tarfile.TarInfo, path: Path) -> Iterator[bytes]:
    header.uid = header.gid = 0
    header.uname = header.gname = ""
    header.mtime = int(header.mtime)
    yield header.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")
    if not header.isreg():
        return
    left = header.size
    with path.open("rb") as file:
        while left and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
    if left:
        raise ResourceError(
            f"{path} became shorter while it was sent", fix="run again when nothing writes to it"
        )
    yield _padding(header.size)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _file_digest(path: str) -> bytes:
    # Plain strings and one read for most files: a preview waits for this, and contexts may be large.
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.digest()


def _unreadable(folder: str, problem: OSError) -> ResourceError:
    return ResourceError(
        f"build context {folder!r}: {problem.filename}: {problem.strerror}",
        fix="make it readable, remove it, or name it in .dockerignore",
    )


@cache
def _mode(mode: int) -> str:
    """A file's mode in the notation of Go's `fs.FileMode`, which the digest is defined over."""
    letters = (
        ("d", stat.S_ISDIR(mode)),
        ("L", stat.S_ISLNK(mode)),
        ("D", stat.S_ISBLK(mode) or stat.S_ISCHR(mode)),
        ("p", stat.S_ISFIFO(mode)),
        ("u", mode & stat.S_ISUID),
        ("g", mode & stat.S_ISGID),
        ("c", stat.S_ISCHR(mode)),
        ("t", mode & stat.S_ISVTX),
    )
    kind = "".join(letter for letter, present in letters if present) or "-"
    rights = "".join(
        letter if mode & (1 << bit) else "-" for bit, letter in zip(range(8, -1, -1), "rwx" * 3, strict=True)
    )
    return kind + rights


def _resolve(path: str) -> str:
    """Where a path leads, every link followed; a relative path stays relative, as in Go."""
    absolute, done = path.startswith("/"), list[str]()
    todo, links = deque(path.split("/")), 0
    while todo:
        part = todo.popleft()
        if part in ("", "."):
            continue
        if part == "..":
            if done and done[-1] != "..":
                done.pop()
            elif not absolute:
                done.append("..")
            continue
        here = ("/" if absolute else "") + "/".join([*done, part])
        if not stat.S_ISLNK(os.lstat(here).st_mode):
            done.append(part)
            continue
        links += 1
        if links > MAX_LINKS:
            raise OSError(0, "too many links", path)
        target = str(Path(here).readlink())
        if target.startswith("/"):
            absolute, done = True, []
        todo.extendleft(reversed(target.split("/")))
    return clean(("/" if absolute else "") + "/".join(done))
