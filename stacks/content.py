"""Names that say what is inside: tags of local images from their files. Imports nothing of ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

_LENGTH = 12
_NOT_CONTENT = {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".git"}
# What is built or installed beside the sources, and large; an image may still be made of it.
_BUILT = {"node_modules", "dist"}


def content_key(folder: Path, args: Mapping[str, str] | None = None) -> str:
    """12 hex digits of a hash over a build context (paths, executable bits, bytes) and build arguments.

    Raises FileNotFoundError when the folder does not exist.
    """
    digest = hashlib.sha256()
    unseen = _unseen(folder)
    for path in sorted(file for top in folder.iterdir() if top not in unseen for file in _files(top)):
        data = path.read_bytes()
        executable = "x" if path.stat().st_mode & 0o100 else "-"
        digest.update(f"{path.relative_to(folder).as_posix()}\0{executable}{len(data)}\0".encode() + data)
    for name, value in sorted((args or {}).items()):
        digest.update(f"{name}={value}\0".encode())
    return digest.hexdigest()[:_LENGTH]


def image_tag(
    role: str,
    folder: Path,
    args: Mapping[str, str],
    *,
    dockerfile: str = "Dockerfile",
    target: str | None = None,
) -> str:
    """The name of what is built from a folder with these arguments. Raises FileNotFoundError as above."""
    key = content_key(folder, {**args, "\0dockerfile": dockerfile, "\0target": target or ""})
    return f"berth/{role}:{key}"


def base_image(workloads: Path) -> str:
    """The image under all local images. It is made from `workloads/base` before the engine runs."""
    digest = hashlib.sha256()
    for path in sorted((workloads / "base").iterdir()):
        digest.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    return f"berth/base:{digest.hexdigest()[:_LENGTH]}"


def _unseen(folder: Path) -> set[Path]:
    """Which of the built folders the builder never sees: where in doubt none, which costs a build at most."""
    found = set(_BUILT)
    for file in (*folder.glob("*.dockerignore"), folder / ".dockerignore"):
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        if any(line.startswith("!") for line in lines):
            return set()
        found &= {line.strip().removeprefix("**").strip("/") for line in lines}
    return {folder / name for name in found}


def _files(path: Path) -> Iterator[Path]:
    if path.name in _NOT_CONTENT or path.suffix == ".pyc":
        return
    if path.is_dir():
        for inside in path.iterdir():
            yield from _files(inside)
    elif path.is_file():
        yield path
