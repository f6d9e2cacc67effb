"""What every resource of the plugin is: a table of fields and five operations.

The server (server.py) owns gRPC, marshalling, unknowns, refusals and the generic diff; a resource owns one
noun. Property values are plain Python values (None, bool, int, float, str, list, dict); a value that is not
known yet during a preview is UNKNOWN. Secrets never get here as such: the engine hands plain values over and
keeps the marks.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

Inputs = dict[str, Any]
State = dict[str, Any]


class Unknown:
    """The one value that stands for 'known after the update'."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


class ResourceError(Exception):
    """A failure a user can act on: one line of cause, and the next step."""

    def __init__(self, cause: str, *, fix: str | None = None) -> None:
        self.cause = cause
        self.fix = fix
        super().__init__(f"{cause}\n  fix: {fix}" if fix else cause)


class PartialCreate(ResourceError):  # noqa: N818 - what it says is what happened
    """The object exists but is not as wanted; the engine records it, so that nothing is lost or orphaned."""

    def __init__(self, cause: str, *, id: str, state: State, fix: str | None = None) -> None:
        self.id = id
        self.state = state
        super().__init__(cause, fix=fix)


@dataclass(frozen=True, kw_only=True)
class Field:
    """How one input property behaves, after the official provider's schema.

    replace: a change needs a new object (`ForceNew`); else the change is an update in place.
    computed: absent from the inputs, it keeps whatever the engine reports; no difference.
    default: the value that absence stands for.
    unordered: a list that is a set; order makes no difference.
    same: decides whether an old and a new value mean the same (a diff-suppress function).
    nested: the fields of the object, or of each object in the list.
    refused: the property is part of the official schema but not served here; why, and what to do instead.
    deprecated: it is served, but neither a default nor an automatic name is filled in.
    """

    replace: bool = False
    computed: bool = False
    default: Any = None
    unordered: bool = False
    same: Callable[[Any, Any], bool] | None = None
    nested: Mapping[str, Field] | None = None
    refused: str | None = None
    deprecated: bool = False


@dataclass(frozen=True, kw_only=True)
class CheckFailure:
    """One input that is refused: the path of the property (`healthcheck.interval`) and why."""

    property: str
    reason: str


@dataclass(kw_only=True)
class Difference:
    """What separates the recorded state from the wanted inputs: paths to update and paths that need a new
    object.
    """

    update: list[str] = field(default_factory=list)
    replace: list[str] = field(default_factory=list)
    delete_before_replace: bool = False


@dataclass(frozen=True, kw_only=True)
class Context:
    """What an operation may use: the Docker engine, the log, a deadline and the cancellation flag."""

    engine: (
        Any  # an offline.docker.engine.Engine: it connects on first use, so previews of new stacks need none
    )
    urn: str
    log: Callable[[str], None]  # shown beside the resource while it works
    warn: Callable[[str], None]
    cancelled: (
        threading.Event
    )  # set on Ctrl-C or when the engine is gone; long waits look at it and raise ResourceError
    timeout: float | None = None  # seconds, from customTimeouts


class Resource(ABC):
    """One resource type of the official schema."""

    type: ClassVar[str]  # "docker:index/network:Network"
    schema_version: ClassVar[
        int
    ]  # of the official provider's state, kept in `__meta` so that it can continue ours
    fields: ClassVar[Mapping[str, Field]]
    bridged: ClassVar[bool] = (
        True  # False for Image, whose official state has neither `__defaults` nor `__meta`
    )
    delete_before_replace: ClassVar[bool] = False  # True: the old object goes first whatever it is named

    def check(self, ctx: Context, olds: Inputs, news: Inputs) -> tuple[Inputs, list[CheckFailure]]:  # noqa: ARG002
        """Complete and validate inputs. The server has reported unknown names and refused fields."""
        return news, []

    def diff(self, ctx: Context, id: str, state: State, news: Inputs) -> Difference | None:  # noqa: ARG002
        """None: the generic comparison by `fields` decides."""
        return None

    @abstractmethod
    def create(self, ctx: Context, inputs: Inputs) -> tuple[str, State]:
        """Make the object. Raises PartialCreate when it exists but failed later."""

    @abstractmethod
    def read(self, ctx: Context, id: str, inputs: Inputs, state: State) -> tuple[str, Inputs, State] | None:
        """What the engine has now, for refresh and import (inputs and state are empty then); None: gone."""

    def update(self, ctx: Context, id: str, state: State, inputs: Inputs) -> State:  # noqa: ARG002
        """Change the object in place."""
        raise ResourceError(f"{self.type} cannot be updated in place")

    @abstractmethod
    def delete(self, ctx: Context, id: str, state: State) -> None:
        """Remove the object; one that is gone already is no error."""

    def undo(self, ctx: Context, id: str, state: State) -> None:
        """Take back a creation that the engine did not live to record."""
        self.delete(ctx, id, state)

    def foresee(self, ctx: Context, inputs: Inputs) -> None:  # noqa: B027 - most meet nothing
        """Warn, in the preview of a creation that replaces nothing, of what will be in its way."""

    def preview(self, ctx: Context, inputs: Inputs) -> State:  # noqa: ARG002
        """Outputs of a create or update that has not happened: inputs, with computed properties UNKNOWN."""
        return dict(inputs)

    def preview_update(self, ctx: Context, id: str, state: State, inputs: Inputs) -> State:  # noqa: ARG002
        """The same of an update. Raises ResourceError for a change that is known to fail."""
        return self.preview(ctx, inputs)
