"""What is wrong with a stack file: all of it at once, each with its path, value and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError


@dataclass(frozen=True)
class Problem:
    """One line of the report. `value` is never that of a secret."""

    path: str
    reason: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.value}: {self.reason}" if self.value else f"{self.path}: {self.reason}"


class SettingsError(Exception):
    """The stack file cannot be used; `problems` says why."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=str))
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        count = "1 setting is" if len(self.problems) == 1 else f"{len(self.problems)} settings are"
        super().__init__(f"{count} wrong in the stack file:\n{lines}")


def problems_of(namespace: str, raw: object, error: ValidationError) -> list[Problem]:
    """pydantic's errors about `raw`, the settings below `namespace` ("berth:"), as problems."""
    return [_problem(namespace, raw, details) for details in error.errors(include_url=False)]


def without_errors(namespace: str, raw: Any, error: ValidationError) -> tuple[Any, list[str]]:
    """A copy of `raw` without the values that `error` is about, and their paths.

    Where one is missing, its parent is left out.
    """
    copy = deepcopy(raw)
    wrong = []
    for details in error.errors(include_url=False):
        missing = details["type"] == "missing"
        keys = _keys(raw, details["loc"], missing=missing)
        wrong.append(keys[:-1] if missing else keys)
    # The last of a list first: the others keep their places.
    for keys in reversed(wrong):
        parent = copy
        for key in keys[:-1]:
            parent = parent[key] if _holds(parent, key) else None
        if keys and _holds(parent, keys[-1]):
            del parent[keys[-1]]
    return copy, [_path(namespace, keys) for keys in wrong if keys]


def any_within(paths: Iterable[str], places: Iterable[str]) -> bool:
    """Whether one of `paths` is at or below one of `places`."""
    places = tuple(places)
    return any(
        path == place or path.startswith((f"{place}.", f"{place}[")) for path in paths for place in places
    )


def _problem(namespace: str, raw: object, details: Any) -> Problem:
    kind, context = details["type"], details.get("ctx", {})
    keys = _keys(raw, details["loc"], missing=kind == "missing")
    path = _path(namespace, keys)
    value = _shown(details.get("input"))
    match kind:
        case "missing":
            return Problem(path, "required, but not set")
        case "extra_forbidden":
            return Problem(path, "unknown setting")
        case "value_error":
            return Problem(path, str(context["error"]), value)
        case "union_tag_not_found":
            return Problem(f"{path}.{_name(context['discriminator'])}", "required, but not set")
        case "union_tag_invalid":
            path = f"{path}.{_name(context['discriminator'])}"
            return Problem(path, f"allowed: {context['expected_tags']}", _shown(context["tag"]))
        case "literal_error":
            return Problem(path, f"allowed: {context['expected']}", value)
        case "string_pattern_mismatch":
            return Problem(path, f"allowed: text that matches {context['pattern']}", value)
        case _:
            reason = details["msg"].removeprefix("Input should be ")
            return Problem(path, f"allowed: {reason[:1].lower()}{reason[1:]}", value)


def _path(namespace: str, keys: Iterable[int | str]) -> str:
    path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return namespace + path.removeprefix(".")


def _keys(value: Any, location: tuple[int | str, ...], *, missing: bool) -> list[int | str]:
    """The place in the stack file: pydantic names the variant of a union as a level, which is none there."""
    keys: list[int | str] = []
    for depth, part in enumerate(location, start=1):
        if isinstance(value, dict) and part not in value and not (missing and depth == len(location)):
            continue
        keys.append(part)
        value = value[part] if _holds(value, part) else None
    return keys


def _holds(value: Any, key: int | str) -> bool:
    if isinstance(key, int):
        return isinstance(value, list) and key < len(value)
    return isinstance(value, dict) and key in value


def _name(discriminator: str) -> str:
    return discriminator.strip("'").removesuffix("()").removeprefix("_")


def _shown(value: object) -> str:
    if isinstance(value, dict | list | tuple):
        return f"a {'mapping' if isinstance(value, dict) else 'list'}"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
