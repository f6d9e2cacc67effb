"""What is wrong with a stack file: all of it at once, each with its path, value and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

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


Place = tuple[int | str, ...]
"""The keys on the way to a setting."""


@dataclass(frozen=True)
class Reading:
    """What was found in the settings below `namespace` ("berth:"), without the wrong ones.

    found: None where nothing remains. dropped: the paths of what was left out.
    """

    found: Any
    problems: tuple[Problem, ...]
    dropped: tuple[str, ...]


def read(namespace: str, raw: Any, validate: Callable[[Any], Any]) -> Reading:
    """Validates with pydantic again and again, without what was wrong, so that one report tells everything.

    What is missing then, or wrong with a default, comes of the leaving out and is not told. Relations
    are: pydantic looks at those of a list or a mapping only once all in it is right.
    """
    problems: list[Problem] = []
    dropped: list[Place] = []
    rest = deepcopy(raw)
    while True:
        try:
            return Reading(validate(rest), tuple(problems), _paths(namespace, dropped))
        except ValidationError as error:
            wrong = []
            for details in _causes(error):
                keys = _keys(rest, details)
                place = _original(keys, dropped)
                if not dropped or _is_relation(place, details["type"], dropped):
                    problems.append(_problem(namespace, place, details))
                    if details["type"] == "union_tag_invalid":
                        problems += _in_every_variant(namespace, rest, keys, place, details, validate)
                while _at(rest, keys) is _NOTHING:
                    keys = keys[:-1]
                wrong.append(keys)
        if () in wrong:  # nothing stands for what is required at the top
            return Reading(None, tuple(problems), _paths(namespace, dropped))
        dropped += [_original(keys, dropped) for keys in wrong]
        # The last of a list first: the others keep their places.
        for keys in sorted(set(wrong), key=_order, reverse=True):
            if _at(rest, keys) is not _NOTHING:
                del _at(rest, keys[:-1])[keys[-1]]


def any_within(paths: Iterable[str], places: Iterable[str]) -> bool:
    """Whether one of `paths` is at or below one of `places`."""
    places = tuple(places)
    return any(
        path == place or path.startswith((f"{place}.", f"{place}[")) for path in paths for place in places
    )


def _causes(error: ValidationError) -> list[Any]:
    """Its errors, without lists that are too short because all in them is wrong."""
    found = error.errors(include_url=False)
    inside = [details["loc"] for details in found]
    return [
        details
        for details in found
        if details["type"] != "too_short"
        or not any(loc[: len(details["loc"])] == details["loc"] and loc != details["loc"] for loc in inside)
    ]


def _is_relation(place: Place, kind: str, dropped: Iterable[Place]) -> bool:
    """Whether an error at `place` is one between settings that are right.

    A list that is shorter is as right or wrong as the whole; for what was left out of a mapping, a default
    stands, and would be blamed.
    """
    below = [keys for keys in dropped if keys[: len(place)] == place and keys != place]
    return (
        kind == "value_error"
        and bool(below)
        and all(int in (type(keys[len(place)]), type(keys[-1])) for keys in below)
    )


def _in_every_variant(
    namespace: str, raw: Any, keys: Place, place: Place, details: Any, validate: Callable[[Any], Any]
) -> Iterator[Problem]:
    """The problems below a mapping of unknown kind that it would have whichever kind was meant."""
    field = _name(details["ctx"]["discriminator"])
    found: list[dict[Place, Problem]] = []
    for tag in details["ctx"]["expected_tags"].split(", "):
        variant = deepcopy(raw)
        _at(variant, keys)[field] = tag.strip("'")
        found.append({})
        try:
            validate(variant)
        except ValidationError as error:
            for inner in _causes(error):
                there = _keys(variant, inner)
                if there[: len(keys)] == keys:
                    where = (*place, *there[len(keys) :])
                    found[-1][where] = _problem(namespace, where, inner)
    for where, problem in {where: problem for variant in found for where, problem in variant.items()}.items():
        deeper = any(
            other != where and other[: len(where)] == where for variant in found for other in variant
        )
        if not deeper and all(any(where[: len(above)] == above for above in variant) for variant in found):
            yield problem


_KINDS: Final = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "a mapping",
    "model_type": "a mapping",
    "string_type": "text",
    "tuple_type": "a list",
}
"""What pydantic calls by the names of Python."""


def _problem(namespace: str, place: Place, details: Any) -> Problem:
    kind, context = details["type"], details.get("ctx", {})
    path = _path(namespace, place)
    value = _shown(details.get("input"))
    match kind:
        case "missing":
            return Problem(path, "required, but not set")
        case "extra_forbidden":
            return Problem(path, "unknown setting")
        case "value_error":
            # A default was not written there: what it is wrong with is, and the reason names both.
            written = details["loc"][-1:] == place[-1:]
            whole = isinstance(details.get("input"), dict | list)
            return Problem(path, str(context["error"]), value if written and not whole else "")
        case "union_tag_not_found":
            return Problem(f"{path}.{_name(context['discriminator'])}", "required, but not set")
        case "union_tag_invalid":
            field = _name(context["discriminator"])
            tag = _shown(details["input"][field])
            return Problem(f"{path}.{field}", f"allowed: {context['expected_tags']}", tag)
        case "too_short":
            least = context["min_length"]
            return Problem(
                path, f"allowed: {least} or more", "none given" if value.startswith("a ") else value
            )
        case _ if kind in _KINDS:
            return Problem(path, f"allowed: {_KINDS[kind]}", value)
        case "string_too_short":
            least = context["min_length"]
            return Problem(path, f"allowed: {least} character{'s' * (least > 1)} or more", value)
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


def _paths(namespace: str, places: Iterable[Place]) -> tuple[str, ...]:
    return tuple(_path(namespace, place) for place in places)


def _keys(raw: Any, details: Any) -> Place:
    """The place in the stack file: pydantic names the variant of a union as a level, which is none there.

    A variant may have the name of a setting; what the error was about tells the two apart.
    """
    missing, given = details["type"] == "missing", details.get("input")
    readings = sorted(_readings(raw, details["loc"], missing=missing), key=len, reverse=True)
    for keys in readings:
        if _is(_at(raw, keys[:-1] if missing else keys), given):
            return keys
    return readings[0]


def _readings(value: Any, location: Place, *, missing: bool) -> list[Place]:
    """The places that a location may mean, each part a key, or the name of a variant."""
    if not location:
        return [()]
    part, rest = location[0], location[1:]
    found: list[Place] = []
    if not isinstance(value, dict) or part in value or (missing and not rest):
        found += [(part, *keys) for keys in _readings(_at(value, (part,)), rest, missing=missing)]
    if isinstance(value, dict):
        found += _readings(value, rest, missing=missing)
    return found


def _is(value: Any, given: Any) -> bool:
    if isinstance(value, dict) and isinstance(given, dict):  # a copy where the variant was filled in
        return all(key in given and given[key] is inner for key, inner in value.items())
    return value is given


def _original(keys: Place, dropped: Iterable[Place]) -> Place:
    """The place as it was before items of lists were left out: each one moved those behind it up."""
    place: Place = ()
    for key in keys:
        if isinstance(key, int):
            for gone in sorted({int(left[-1]) for left in dropped if left[:-1] == place}):
                key += gone <= key
        place = (*place, key)
    return place


def _order(keys: Place) -> list[tuple[int, str]]:
    return [(key, "") if isinstance(key, int) else (0, key) for key in keys]


_NOTHING = object()


def _at(value: Any, keys: Place) -> Any:
    for key in keys:
        if isinstance(key, int):
            there = isinstance(value, list) and key < len(value)
        else:
            there = isinstance(value, dict) and key in value
        if not there:
            return _NOTHING
        value = value[key]
    return value


def _name(discriminator: str) -> str:
    return discriminator.strip("'").removesuffix("()").removeprefix("_")


# Nobody needs more of an address than its host; a digest's @ stands after a colon, too.
_LOGIN: Final = re.compile(
    r"(https?://)[^\s?#]*@|(\b[a-z][a-z0-9+.-]*://)?[^\s:]*:(?!//).*@(?!sha256:)", re.I | re.S
)
_QUERY: Final = re.compile(r"(://[^\s?]*\?).+", re.S)


def _shown(value: object) -> str:
    """As a report may say it: short, in the words of YAML, without the credentials of an address."""
    if isinstance(value, dict | list | tuple):
        return f"a {'mapping' if isinstance(value, dict) else 'list'}"
    if value is None or isinstance(value, bool):
        return str({None: "null", True: "true", False: "false"}[value])
    text = str(value)
    text = _LOGIN.sub(lambda found: f"{found[1] or found[2] or ''}***@", text)
    text = _QUERY.sub(r"\1***", text)
    text = repr(text) if isinstance(value, str) else text
    return text if len(text) <= 80 else f"{text[:77]}..."
