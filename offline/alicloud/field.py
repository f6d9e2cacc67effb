"""How one property of a resource behaves, and where it stands in Alibaba Cloud's requests and answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Final

from offline.provider.resource import UNKNOWN, CheckFailure, Field

Valid = Callable[[Any], str | None]
"""What is wrong with a value; None: nothing."""

_IGNORED_TAGS: Final = ("aliyun", "acs:", "http://", "https://")


@dataclass(frozen=True, kw_only=True)
class Property(Field):
    """A property, after the official provider's schema.

    create: the parameter of the action that creates.
    modify: the parameter of the action that changes the object in place, where that is the resource's own.
    read: where an answer has it; steps are divided by dots.
    flag: false is sent, too; other empty values are as good as absent.
    conflicts: properties that must not stand beside it.
    valid: what is wrong with a value.
    secret: the value is kept secret wherever it comes from.
    """

    create: str = ""
    modify: str = ""
    read: str = ""
    flag: bool = False
    conflicts: tuple[str, ...] = ()
    valid: Valid | None = None
    secret: bool = False


def one_of(*allowed: str) -> Valid:
    def valid(value: Any) -> str | None:
        return None if value in allowed else f"must be one of {', '.join(allowed)}"

    return valid


def between(least: int, most: int) -> Valid:
    def valid(value: Any) -> str | None:
        return None if least <= value <= most else f"must be from {least} to {most}"

    return valid


def length(least: int, most: int) -> Valid:
    def valid(value: Any) -> str | None:
        return None if least <= len(value) <= most else f"must have from {least} to {most} characters"

    return valid


def matching(pattern: str, meaning: str) -> Valid:
    compiled = re.compile(pattern)

    def valid(value: Any) -> str | None:
        return None if compiled.search(value) else meaning

    return valid


def is_json(value: str) -> str | None:
    try:
        json.loads(value)
    except ValueError as error:
        return f"is no JSON: {error}"
    return None


def failures(fields: Mapping[str, Field], inputs: Mapping[str, Any]) -> Iterator[CheckFailure]:
    """What is wrong with values, or with their standing beside each other."""
    for name, value in inputs.items():
        field = fields.get(name)
        if not isinstance(field, Property) or value is UNKNOWN:
            continue
        for other in field.conflicts:
            if other in inputs:
                yield CheckFailure(property=name, reason=f"conflicts with {other}: give one of the two")
        if field.valid is not None and (wrong := field.valid(value)) is not None:
            yield CheckFailure(property=name, reason=wrong)


def together(names: Sequence[str], inputs: Mapping[str, Any], *, most: int = 1) -> Iterator[CheckFailure]:
    """At least one of the properties, and no more than `most`."""
    given = [name for name in names if name in inputs]
    if not given:
        yield CheckFailure(property=names[0], reason=f"one of {', '.join(names)} is required")
    elif len(given) > most:
        yield CheckFailure(property=given[1], reason=f"only one of {', '.join(names)} can be given")


def sent(field: Property, value: Any) -> bool:
    """Whether a value is one: empty ones are as good as absent, false only where it is no flag."""
    return value is not None and (field.flag or value not in ("", [], {}, False, 0))


def pick(answer: Any, path: str) -> Any:
    """What stands in an answer at the end of a path of steps divided by dots; None where it ends before."""
    for step in path.split("."):
        if not isinstance(answer, Mapping):
            return None
        answer = answer.get(step)
    return answer


def tags_sent(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as requests have them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def tags_read(answer: Any) -> dict[str, str]:
    """Tags as answers have them, without those that Alibaba Cloud sets itself."""
    found = {
        one.get("Key", one.get("TagKey")): one.get("Value", one.get("TagValue", "")) for one in answer or ()
    }
    return {key: value for key, value in found.items() if key and not key.startswith(_IGNORED_TAGS)}


def same_network(old: Any, new: Any) -> bool:
    """One IPv6 network, however it is abbreviated."""
    try:
        return ip_network(str(old), strict=False) == ip_network(str(new), strict=False)
    except ValueError:
        return bool(old == new)


def same_items(old: Any, new: Any) -> bool:
    """The same elements, in whatever order."""
    return isinstance(old, Iterable) and isinstance(new, Iterable) and sorted(old) == sorted(new)


def same_document(old: Any, new: Any) -> bool:
    """The same JSON, however it is written."""
    try:
        return bool(json.loads(old) == json.loads(new))
    except (TypeError, ValueError):
        return bool(old == new)
