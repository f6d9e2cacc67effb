"""The services of a stack as people call them: `nginx`, or `celery/nginx` where two systems have one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from ops.errors import UserError

T = TypeVar("T")
Named = Mapping[tuple[str, str], T]
"""(system, service) to anything."""


def label(system: str, service: str, known: Iterable[tuple[str, str]]) -> str:
    """The shortest name that means this service alone."""
    twice = sum(1 for _, other in known if other == service) > 1
    return f"{system}/{service}" if twice else service


def choose(wanted: Iterable[str], known: Named[T], *, what: str) -> list[T]:
    """Those that are wanted, in the order of `known`; all when none is named.

    what: what they are, in a word. Raises UserError naming the first that is not known, and the allowed ones.
    """
    chosen = set()
    for name in wanted:
        system, _, service = name.rpartition("/")
        found = {key for key in known if key[1] == service and system in ("", key[0])}
        if not found:
            allowed = ", ".join(label(*key, known) for key in known) or "none, for the stack has none"
            raise UserError(f"{name} is no {what} of this stack", fix=f"name one of: {allowed}")
        chosen |= found
    return [value for key, value in known.items() if key in chosen or not chosen]
