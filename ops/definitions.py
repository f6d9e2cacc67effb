"""The definitions of a stack: the project's files, kept as a deployment took them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from ops.errors import UserError
from stacks.reads import MADE

MOST = 256 << 20  # bytes of one copy; this project has 6 MiB
# A folder of this name anywhere; and the files in which programs of ours keep theirs.
_MIGRATIONS = "migrations"
_SCHEMAS = frozenset({"workloads/taifish/taifish/schema.py", "workloads/backend/src/database.js"})


def commit(root: Path) -> str | None:
    """The commit that a checkout is at; None where it is none, or has none yet."""
    return (_git(root, "rev-parse", "--verify", "--quiet", "HEAD") or "").strip() or None


def changed(root: Path) -> bool:
    """Whether a checkout has files that its commit has not, or has otherwise."""
    return bool((_git(root, "status", "--porcelain", "--", ".") or "").strip())


def files(root: Path) -> list[Path]:
    """What belongs to the definitions, relative to the project: without what git ignores, or what is made.

    Raises UserError where git cannot tell what it ignores.
    """
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listed is None:
        found = _below(root, root)
    else:
        names = {Path(name) for name in listed.split("\0") if name}
        found = (path for name in sorted(names) if MADE.isdisjoint(name.parts) for path in _at(root, name))
    return sorted(found)


def _at(root: Path, name: Path) -> Iterator[Path]:
    """A file; all files of a submodule; nothing where git still lists what was removed."""
    path = root / name
    if path.is_dir() and not path.is_symlink():
        yield from _below(path, root)
    elif os.path.lexists(path):
        yield name


def _below(folder: Path, root: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in MADE or path.suffix == ".pyc":
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _below(path, root)
        elif path.is_symlink() or path.is_file():
            yield path.relative_to(root)


def copy(root: Path, to: Path, *, needed: Iterable[str] = ()) -> str:
    """Copies the definitions; their digest. Links that lead out of the project keep on leading there.

    needed: files that belong to them although git may ignore them. Raises UserError where they are too large
    to be kept, or git cannot tell what it ignores.
    """
    names = sorted({*files(root), *(Path(name) for name in needed if (root / name).exists())})
    size = sum((root / name).lstat().st_size for name in names)
    if size > MOST:
        largest = sorted(names, key=lambda name: -(root / name).lstat().st_size)[:3]
        raise UserError(
            f"the project has {size >> 20} MiB of files, and each deployment keeps a copy (at most "
            f"{MOST >> 20} MiB); the largest are {', '.join(map(str, largest))}",
            fix="move what is no definition out of the project, or let .gitignore name it",
        )
    digest = hashlib.sha256()
    to.mkdir(mode=0o700)
    for name in names:
        source, target = root / name, to / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if source.is_symlink():
            leads = source.readlink()
            ends = Path(os.path.normpath(source.parent / leads))
            kept = leads if ends.is_relative_to(root) and not leads.is_absolute() else ends
            target.symlink_to(kept)
            digest.update(f"{name}\0link {leads}\0".encode(errors="surrogateescape"))
            continue
        # With its mode, which an image that is built of it takes over.
        shutil.copy2(source, target)
        content = hashlib.sha256(target.read_bytes()).hexdigest()
        digest.update(f"{name}\0{source.stat().st_mode:o} {content}\0".encode(errors="surrogateescape"))
    for folder in {parent for name in names for parent in name.parents if parent != Path()}:
        shutil.copymode(root / folder, to / folder)
    return digest.hexdigest()


def migrations(folder: Path) -> str:
    """A digest of all migrations in the definitions: another one is another schema of some database."""
    digest = hashlib.sha256()
    for name in sorted(_below(folder, folder)):
        if _MIGRATIONS in name.parts or name.as_posix() in _SCHEMAS:
            digest.update(f"{name}\0".encode(errors="surrogateescape") + _steps(folder / name) + b"\0")
    return digest.hexdigest()


def _steps(path: Path) -> bytes:
    """What is in a file; of a link to a folder, what is in there; of one that leads nowhere, where to."""
    if path.is_dir():
        parts = [
            (name, (path / name).read_bytes()) for name in sorted(_below(path, path)) if _is_file(path / name)
        ]
        return b"\0".join(os.fsencode(name) + b"\0" + content for name, content in parts)
    return path.read_bytes() if _is_file(path) else b"link " + os.fsencode(path.readlink())


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a link to itself
        return False


def _git(root: Path, *args: str) -> str | None:
    """What git says; None where the project is no checkout, or git answers no without a word.

    Raises UserError where it is a checkout and git fails: what it ignores, keys among it, would be copied.
    """
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return None
    command = ["git", "-C", str(root), *args]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
    except OSError as error:
        raise UserError(
            f"the project is a git checkout, and git cannot be run: {error.strerror or error}",
            fix="install git: it tells which files are no part of the definitions",
        ) from None
    if not done.returncode:
        return done.stdout
    if not done.stderr.strip():
        return None
    raise UserError(
        f"the project is a git checkout, and git fails there: {done.stderr.strip()}",
        fix=f"make `git -C {root} status` work: it tells which files are no part of the definitions",
    )
