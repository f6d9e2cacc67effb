"""Whether a host has the room that a stack needs: arithmetic and words, nothing is measured here."""

from __future__ import annotations

from ops.findings import Finding


def gb(size: int) -> str:
    """Bytes as GB (10^9), cut after the first digit: what is short of a limit never looks like it."""
    return f"{size // 10**8 / 10:.1f} GB"


def disk(free: int, need: int, root: str, *, up: bool = False) -> Finding:
    """What is free where the engine keeps its data, against what the systems need; bytes.

    up: the stack is there already, so that its images and data may be what fills the disk.
    """
    found = f"{gb(free)} free in {root} of the engine's host, {_needed(need)}"
    if free < need and up:
        return Finding("disk", "later", f"{found} for the first up; the stack is there already")
    if free < need:
        return Finding(
            "disk",
            "missing",
            found,
            "free some there (`docker system df` shows what Docker uses), or put its `data-root` on a larger "
            "disk",
        )
    return Finding("disk", "ok", found)


def disk_untold(need: int, root: str, why: str) -> Finding:
    """The same for a host that does not tell."""
    return Finding(
        "disk", "unknown", f"not measured: {why} ({_needed(need)})", f"see there what `df -h {root}` says"
    )


def memory(total: int, need: int, limits: int) -> Finding:
    """The host's memory against what the systems need, and what their services may use at once; bytes."""
    found = f"{gb(total)} on the engine's host, {_needed(need)}; the services may use {gb(limits)}"
    if total < need:
        return Finding("memory", "missing", found, "take a machine with more memory")
    if total < limits:
        return Finding(
            "memory",
            "later",
            f"{found}, which is more than there is",
            "nothing need be done while they use less; `memory` of each service in the stack file limits it",
        )
    return Finding("memory", "ok", found)


def _needed(need: int) -> str:
    return f"{gb(need)} needed" if need else "no least is stated for the stack's systems"
