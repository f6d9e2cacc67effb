"""What the service answers: differences, states and foreseen outputs, as the engine wants them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from offline.provider import check, difference, values
from offline.provider.resource import (
    UNKNOWN,
    CheckFailure,
    Context,
    Inputs,
    PartialCreate,
    Resource,
    ResourceError,
    State,
)
from offline.provider.schema import Shape
from offline.stubs import provider_pb2

_KINDS: Final = provider_pb2.PropertyDiff.Kind


def failures(failures: list[CheckFailure]) -> list[Any]:
    """Refusals, as messages."""
    return [provider_pb2.CheckFailure(property=f.property, reason=f.reason) for f in failures]


def diff_response(changes: list[difference.Change], delete_before_replace: bool = False) -> Any:
    """An answer to Diff. Deleting first matters only where something is replaced."""
    tops = {change.path: difference.top(change.path) for change in changes}
    replaces = sorted({tops[change.path] for change in changes if change.replace})
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=sorted(set(tops.values())),
        replaces=replaces,
        deleteBeforeReplace=bool(replaces) and delete_before_replace,
        detailedDiff={
            change.path: provider_pb2.PropertyDiff(
                kind=_KINDS.Value(f"{change.kind}_REPLACE" if change.replace else change.kind)
            )
            for change in changes
        },
        hasDetailedDiff=True,
    )


def foreseen(served: Resource, state: State, old: State, outputs: Mapping[str, Shape]) -> State:
    """What a preview answers: the state that the resource foresees, and UNKNOWN (or the old value) for the
    rest of `outputs`, all properties of its type.
    """
    later = {name: old.get(name, UNKNOWN) for name in outputs if _is_output(served, name)}
    return {**later, **state}


def _is_output(served: Resource, name: str) -> bool:
    field = served.fields.get(name)
    return field is None or field.computed


def defaults_kept(new: State, old: State) -> State:
    """`__defaults` of refreshed inputs: as before; after an import none, for nobody filled anything in."""
    if check.DEFAULTS in old:
        return {**new, check.DEFAULTS: [name for name in old[check.DEFAULTS] if name in new]}
    return {**new, check.DEFAULTS: []}


def unchanged(served: Resource, ctx: Context, id: str, inputs: Inputs) -> State:
    """The state of an object that cannot change: the engine asks for it when its creation failed half-way."""
    found = served.read(ctx, id, inputs, {})
    if found is None:
        raise ResourceError(
            f"{served.type} '{id}' is gone", fix="run `pulumi refresh`, then repeat the command"
        )
    changes = difference.compare(served.fields, found[2], inputs)
    if changes:
        paths = ", ".join(change.path for change in changes)
        raise ResourceError(f"{served.type} '{id}' cannot change in place: {paths}", fix="replace it")
    return found[2]


@contextmanager
def versioned(served: Resource) -> Iterator[None]:
    """Half-made objects go into the state, too, and say of which schema they are."""
    try:
        yield
    except PartialCreate as error:
        error.state = _with_version(served, error.state)
        raise


def _with_version(served: Resource, state: State) -> State:
    if not (served.bridged and served.schema_version):
        return state
    version = {"schema_version": str(served.schema_version)}
    return {**state, check.META: json.dumps(version, separators=(",", ":"))}


def recorded(served: Resource, state: State, *marked: Mapping[str, Any]) -> Any:
    """A state for the engine to keep, with the secrets of `marked` marked in it."""
    return values.encode(values.mark(_with_version(served, state), *marked))
