"""Which files a `.dockerignore` leaves out, by the rules of Docker's own matcher (moby/patternmatcher).

Neither docker-py's matcher nor pathspec will do: the first looks at one parent of a path and always keeps
`.dockerignore`, the second follows git. The digest of a context must equal the official plugin's.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from offline.provider.resource import ResourceError


def parse(text: str) -> list[str]:
    """The patterns of an ignore file: no comments, no blanks, relative to the context."""
    patterns = []
    for line in text.removeprefix("\ufeff").split("\n"):
        if line.startswith("#") or not (pattern := line.strip()):
            continue
        inverted = pattern.startswith("!")
        pattern = pattern[1:].strip() if inverted else pattern
        if pattern:
            pattern = clean(pattern)
            pattern = pattern[1:] if len(pattern) > 1 and pattern.startswith("/") else pattern
        patterns.append(f"!{pattern}" if inverted else pattern)
    return patterns


def clean(path: str) -> str:
    """The shortest equivalent path; unlike `normpath`, two leading slashes mean no more than one."""
    short = os.path.normpath(path)
    return short[1:] if short.startswith("//") else short


@dataclass(frozen=True)
class Pattern:
    """One pattern; `exception` for those that begin with `!` and take files back in."""

    text: str
    exception: bool
    matches: Callable[[str], bool]

    @property
    def prefix(self) -> str:
        """The folder that the pattern speaks of, when it has no wildcard but a last `*` or `**`."""
        return self.text.removesuffix("/**").removesuffix("/*")


class Matcher:
    """All patterns of one ignore file; the last one that matches decides."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = [_pattern(p) for raw in patterns if (p := raw.strip())]
        exceptions = [p for p in self.patterns if p.exception]
        self._exception_folders = [f"{p.prefix}/" for p in exceptions]
        self._exceptions_are_folders = not any(set(p.prefix) & set("*[]?^\\") for p in exceptions)

    def match(self, path: str, parent: Sequence[bool] | None) -> tuple[bool, list[bool]]:
        """Whether `path` is left out, and what is `parent` for the paths below it (None at the root)."""
        ignored = False
        results = []
        for index, pattern in enumerate(self.patterns):
            hit = bool(parent and parent[index])
            if not hit and pattern.exception == ignored:
                hit = pattern.matches(path)
            results.append(hit)
            if hit:
                ignored = not pattern.exception
        return ignored, results

    def may_hold_exceptions(self, folder: str) -> bool:
        """Whether a folder that is left out may hold files that an exception takes back in."""
        if not self._exceptions_are_folders:
            return True
        return any(prefix.startswith(f"{folder}/") for prefix in self._exception_folders)

    def ignores(self, path: str) -> bool:
        """Whether one path is left out, itself or by one of its parents."""
        parts = path.split("/")
        ignored, results = False, None
        for end in range(1, len(parts) + 1):
            ignored, results = self.match("/".join(parts[:end]), results)
        return ignored


def _pattern(raw: str) -> Pattern:
    text = clean(raw)
    exception = text.startswith("!")
    text = text[1:] if exception else text
    if not text:
        raise ResourceError(
            "the ignore file has the pattern '!' alone", fix="name what it should take back in"
        )
    try:
        return Pattern(text, exception, _compile(text))
    except re.error as problem:
        raise ResourceError(
            f"the ignore file has a malformed pattern {raw!r}: {problem}", fix="close every '['"
        ) from None


def _compile(text: str) -> Callable[[str], bool]:
    """`*` and `?` stay within one folder, `**` crosses folders, `\\` takes the next character as it is."""
    expression, literal, at = "", True, 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "*" and text[at : at + 1] == "*":
            at += 2 if text[at + 1 : at + 2] == "/" else 1
            expression += "(?:.*/)?" if at < len(text) else ".*"
            literal = False
        elif char == "*":
            expression += "[^/]*"
            literal = False
        elif char == "?":
            expression += "[^/]"
            literal = False
        elif char == "\\" and at < len(text):
            expression += f"\\{text[at]}"  # as in moby: `\\d` is a digit, `\\*` a star
            at += 1
            literal = False
        elif char in "[]^":
            expression += char
            literal = literal and char == "^"
        else:
            expression += re.escape(char)
    if literal:
        return text.__eq__
    if "*" not in text.removeprefix("**/") and not set(text) & set("?[]\\") and text.startswith("**/"):
        tail = text[
            2:
        ]  # so common and so frequent that a regular expression would cost seconds in big contexts
        return lambda path: path.endswith(tail) or path == tail[1:]
    return lambda path, found=re.compile(expression, re.DOTALL).fullmatch: found(path) is not None  # type: ignore[misc]
