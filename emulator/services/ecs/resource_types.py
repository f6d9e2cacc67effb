"""What tags may be put on, and what belongs to resource groups, by the name that the API has for its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from emulator.api.call import Call
from emulator.api.errors import ApiError
from emulator.services.ecs.model_groups import SecurityGroup
from emulator.services.ecs.model_keys import KeyPair, key_of
from emulator.services.ecs.model_policies import AutoSnapshotPolicy
from emulator.tags import Tagged


@dataclass(frozen=True)
class ResourceType:
    """A kind of thing that clients name by an id of their own."""

    cls: type[Tagged]
    key: Callable[[str, str], str] = lambda region, id_: id_  # noqa: ARG005
    """From a region and the client's id to the id in the store."""
    shown: Callable[[Tagged], str] = lambda thing: thing.id
    """The client's id of a thing."""


def _pair_name(thing: Tagged) -> str:
    return thing.name if isinstance(thing, KeyPair) else thing.id


_TYPES: Final[dict[str, ResourceType]] = {
    "securitygroup": ResourceType(SecurityGroup),
    "keypair": ResourceType(KeyPair, key_of, _pair_name),
    "snapshotpolicy": ResourceType(AutoSnapshotPolicy),
}


def serves(name: str, cls: type[Tagged]) -> None:
    """From now on things of the class can be tagged under that ResourceType, as `instance`."""
    _TYPES[name] = ResourceType(cls)


def known(name: str) -> ResourceType:
    """Raises ApiError for a kind that is not served."""
    if (found := _TYPES.get(name.lower())) is None:
        raise ApiError(
            404,
            "InvalidResourceType.NotFound",
            f"The ResourceType provided does not exist in our records. ({name}; served here: "
            f"{', '.join(sorted(_TYPES))})",
        )
    return found


def found(call: Call, kind: ResourceType, ids: tuple[str, ...]) -> list[Tagged]:
    """Raises ApiError unless all are in the region."""
    things = [call.cloud.store.get(kind.cls, kind.key(call.region, one)) for one in ids]
    if any(thing is None or thing.region != call.region for thing in things):
        raise ApiError(
            404, "InvalidResourceId.NotFound", "The specified ResourceId is not found in our records."
        )
    return [thing for thing in things if thing is not None]
