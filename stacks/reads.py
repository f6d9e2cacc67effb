"""What a program reads outside the project: told to `./berth up`, which runs again when it changes."""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

VARIABLE: Final = "BERTH_READS"
"""The file to tell it in, a path a line; unset, nobody wants to know."""
MADE: Final = frozenset(
    """
    .git .venv .berth __pycache__ .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
    """.split()  # noqa: SIM905  (a list to read)
)
"""Folders of a project that are not compared for what is in them, but for what a program reads there."""
_OWN: Final = ("/proc/self/", "/sys/")
"""What is another at each look, and says nothing of a stack."""


def follow(project: Path) -> None:
    """From here on; also what is tried in vain, for it may come to be.

    Not seen: whether a file exists, what a library reads without Python's open(), and other programs.
    """
    target = os.environ.get(VARIABLE)
    if not target:
        return
    ours = tuple({f"{project}/", f"{project.resolve()}/"})
    skipped = (*_installed(), *_OWN, f"/proc/{os.getpid()}/", target)
    file = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    seen: set[str] = set()

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            if args[2] & os.O_WRONLY:
                return
        elif event not in ("os.listdir", "os.scandir"):
            return
        if not isinstance(args[0], str | bytes | os.PathLike):
            return
        path = os.path.abspath(os.fsdecode(args[0]))  # noqa: PTH100  (resolve() would read, and be heard here)
        if path in seen or path.startswith(skipped):
            return
        seen.add(path)
        if path.endswith(".pyc"):
            # A module is compiled again once its source is another.
            with suppress(ValueError):
                path = importlib.util.source_from_cache(path)
        # A link inside may lead outside.
        if (
            path.startswith(ours)
            and os.path.realpath(path).startswith(ours)
            and MADE.isdisjoint(path.split("/"))
        ):
            return
        try:
            os.write(file, os.fsencode(path) + b"\n")
        except OSError:
            # Half a list would be worse than none.
            with suppress(OSError):
                os.unlink(target)  # noqa: PTH108

    sys.addaudithook(hear)


def _installed() -> set[str]:
    """Folders of Python itself and of its packages, which the lock file pins."""
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders |= {entry for entry in sys.path if entry.endswith((".zip", "-packages", "lib-dynload"))}
    if sys.prefix != sys.base_prefix:
        folders.add(sys.prefix)
    return {f"{form}/" for folder in folders for form in (folder, os.path.realpath(folder))}
