"""Tags: their limits, and the three actions that every service has for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic import Field

from emulator.api.call import Tag
from emulator.api.errors import ApiError
from emulator.store import Store, Thing

MOST: Final = 20


def checked(tags: Sequence[Tag]) -> dict[str, str]:
    """By key. Raises ApiError for too many, one key twice, and keys that are the cloud's own."""
    found: dict[str, str] = {}
    for tag in tags:
        if tag.key.lower().startswith(("aliyun", "acs:", "http://", "https://")):
            raise ApiError(400, "InvalidTagKey.Malformed", "The specified Tag.n.Key is not valid.")
        if tag.key in found:
            raise ApiError(400, "Duplicate.TagKey", "The Tag.N.Key contain duplicate key.")
        found[tag.key] = tag.value
    if len(found) > MOST:
        raise too_many()
    return found


def too_many() -> ApiError:
    return ApiError(400, "InvalidTagCount", f"The specified tags are beyond the permitted range: {MOST}.")


def match(tags: dict[str, str], wanted: Iterable[Tag]) -> bool:
    """Whether every wanted tag is there; one without a value stands for all its values."""
    return all(tag.key in tags and tag.value in ("", tags[tag.key]) for tag in wanted)


def shaped(tags: dict[str, str], *, key: str = "Key", value: str = "Value") -> dict[str, Any]:
    """As answers hold them: ECS calls the two TagKey and TagValue."""
    return {"Tag": [{key: name, value: text} for name, text in sorted(tags.items())]}


class Tagged(Thing):
    """A thing that tags can be put on."""

    tags: dict[str, str] = Field(default_factory=dict)


def add(store: Store, thing: Tagged, tags: dict[str, str]) -> None:
    """Put tags on, in place of those with the same keys. Raises ApiError for too many."""
    merged = thing.tags | tags
    if len(merged) > MOST:
        raise too_many()
    store.put(thing.but(tags=merged))


def remove(store: Store, thing: Tagged, keys: Iterable[str] | None) -> None:
    """keys: None for all."""
    gone = set(thing.tags) if keys is None else set(keys)
    store.put(thing.but(tags={key: text for key, text in thing.tags.items() if key not in gone}))


def listed(things: Iterable[Tagged], kind: str, wanted: Sequence[Tag]) -> list[dict[str, str]]:
    """A row for each tag of each thing that has all wanted tags."""
    return [
        {"ResourceId": thing.id, "ResourceType": kind, "TagKey": key, "TagValue": text}
        for thing in things
        if match(thing.tags, wanted)
        for key, text in sorted(thing.tags.items())
    ]
