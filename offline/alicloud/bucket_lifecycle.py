"""The rules of a bucket that say when objects move to another class, and when they go."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from offline.alicloud.field import Property, length, one_of
from offline.alicloud.form import Spelled
from offline.provider.resource import UNKNOWN, CheckFailure, Field

CLASSES: Final = ("Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive")
_DATE: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")


def _is_date(value: str) -> str | None:
    return None if _DATE.fullmatch(value) else "must be a date like 2030-12-31"


def _date(element: str) -> Property:
    return Spelled(
        create=element,
        valid=_is_date,
        spell=lambda day: f"{day}T00:00:00.000Z",
        unspell=lambda text: text[:10] or None,
    )


def _at_least_one(value: int) -> str | None:
    return None if value >= 1 else "must be at least 1"


_CLASS: Final = Property(create="StorageClass", valid=one_of(*CLASSES))
_ON_ACCESS: Final = {
    "isAccessTime": Property(create="IsAccessTime"),
    "returnToStdWhenVisit": Property(create="ReturnToStdWhenVisit"),
}
RULE: Final[Mapping[str, Field]] = {
    "abortMultipartUploads": Property(
        create="AbortMultipartUpload",
        unordered=True,
        nested={"createdBeforeDate": _date("CreatedBeforeDate"), "days": Property(create="Days")},
    ),
    "enabled": Spelled(
        create="Status",
        spell=lambda on: "Enabled" if on else "Disabled",
        unspell=lambda text: text == "Enabled",
    ),
    "expirations": Property(
        create="Expiration",
        unordered=True,
        nested={
            "createdBeforeDate": _date("CreatedBeforeDate"),
            "date": _date("Date"),
            "days": Property(create="Days"),
            "expiredObjectDeleteMarker": Property(create="ExpiredObjectDeleteMarker"),
        },
    ),
    "filter": Property(
        create="Filter",
        nested={
            "not": Property(
                create="Not",
                nested={
                    "prefix": Property(create="Prefix"),
                    "tag": Property(
                        create="Tag",
                        nested={"key": Property(create="Key"), "value": Property(create="Value")},
                    ),
                },
            ),
            "objectSizeGreaterThan": Property(create="ObjectSizeGreaterThan", valid=_at_least_one),
            "objectSizeLessThan": Property(create="ObjectSizeLessThan", valid=_at_least_one),
        },
    ),
    "id": Property(create="ID", computed=True, valid=length(0, 255)),
    "noncurrentVersionExpirations": Property(
        create="NoncurrentVersionExpiration",
        unordered=True,
        nested={"days": Property(create="NoncurrentDays")},
    ),
    "noncurrentVersionTransitions": Property(
        create="NoncurrentVersionTransition",
        unordered=True,
        nested={"days": Property(create="NoncurrentDays"), "storageClass": _CLASS, **_ON_ACCESS},
    ),
    "prefix": Property(create="Prefix"),
    "tags": Property(create="Tag"),
    "transitions": Property(
        create="Transition",
        unordered=True,
        nested={
            "createdBeforeDate": _date("CreatedBeforeDate"),
            "days": Property(create="Days"),
            "storageClass": _CLASS,
            **_ON_ACCESS,
        },
    ),
}

_DATES: Final = ("date", "createdBeforeDate", "days")


def wrong(rules: Any) -> Iterator[CheckFailure]:
    """What is wrong with rules beyond each of their values. The API has one expiration to a rule."""
    for i, rule in enumerate(rules if isinstance(rules, list) else ()):
        if not isinstance(rule, Mapping):
            continue
        for name in ("expirations", "abortMultipartUploads", "noncurrentVersionExpirations"):
            listed = rule.get(name)
            if isinstance(listed, list) and len(listed) > 1:
                yield CheckFailure(property=f"lifecycleRules[{i}].{name}", reason="a rule can have one")
        for name in ("expirations", "abortMultipartUploads", "transitions"):
            listed = rule.get(name)
            for j, one in enumerate(listed if isinstance(listed, list) else ()):
                if isinstance(one, Mapping) and (why := _undated(one)) is not None:
                    yield CheckFailure(property=f"lifecycleRules[{i}].{name}[{j}]", reason=why)


def _undated(one: Mapping[str, Any]) -> str | None:
    given = [name for name in _DATES if one.get(name) is UNKNOWN or one.get(name)]
    if one.get("expiredObjectDeleteMarker"):
        return f"expiredObjectDeleteMarker conflicts with {given[0]}" if given else None
    if len(given) == 1:
        return None
    return "give either days or a date" if not given else f"give one of {' and '.join(given)}"


def completed(rules: list[Any], before: Any) -> list[Any]:
    """Rules as they are put: one without an id keeps what the API gave it."""
    known = before if isinstance(before, list) else []
    ids = [rule.get("id") for rule in known] + [None] * len(rules)
    return [
        {"prefix": "", **rule, "id": rule.get("id") or old} for rule, old in zip(rules, ids, strict=False)
    ]
