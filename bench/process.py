"""The memory of a process below ours, read from /proc while it runs."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

_PAUSE = 0.05


def peak_memory(process: subprocess.Popen[bytes], words: str) -> int:
    """The largest resident size in bytes that a descendant of `process` reached, until `process` ends.

    Only descendants whose command line contains `words` count. The kernel keeps the peak (VmHWM), so that a
    short one between two looks is not missed.
    """
    peak = 0
    while process.poll() is None:
        for pid in _descendants(process.pid):
            if words in _command_line(pid):
                peak = max(peak, _high_water(pid))
        time.sleep(_PAUSE)
    return peak


def _descendants(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The name in parentheses may hold parentheses and blanks: the rest starts after the last one.
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    found, level = [], {root}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level}
        found += sorted(level)
    return found


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _high_water(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)
