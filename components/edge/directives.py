"""Directives of an nginx configuration as values, and the only place where they become text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_BARE = re.compile(r"[A-Za-z0-9_./:=*$@~^+,%-]+")


@dataclass(frozen=True)
class Directive:
    """A name, its arguments, and what stands in its braces, if it has any."""

    name: str
    args: tuple[str, ...]
    body: tuple[Directive, ...] | None = None


def line(name: str, *args: object) -> Directive:
    """A directive that ends with a semicolon."""
    return Directive(name, tuple(str(arg) for arg in args))


def block(name: str, *args: object, body: Iterable[Directive | None]) -> Directive:
    """A directive with others in braces; None is left out."""
    return Directive(name, tuple(str(arg) for arg in args), tuple(part for part in body if part is not None))


def text_of(directives: Iterable[Directive], depth: int = 0) -> str:
    """The text that nginx reads back as exactly these directives."""
    lines = []
    for directive in directives:
        head = "    " * depth + " ".join([directive.name, *map(_word, directive.args)])
        if directive.body is None:
            lines.append(f"{head};\n")
        else:
            lines.append(f"{head} {{\n{text_of(directive.body, depth + 1)}{'    ' * depth}}}\n")
    return "".join(lines)


def _word(arg: str) -> str:
    if _BARE.fullmatch(arg):
        return arg
    escaped = arg.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
