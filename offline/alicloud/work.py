"""What resources say in tables of the actions that make, change and remove them, and how one is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from offline.alicloud.api import Answer, Api, Patience, Refused
from offline.provider.resource import Context


@dataclass(frozen=True, kw_only=True)
class Creation:
    """The action that makes the object.

    id: where its answer has the id, or a pattern of the inputs that it is made of.
    token: it takes a client token; without one it is not repeated where it may have happened already.
    again: codes of errors that pass.
    seconds: how long creation may take, waiting included.
    """

    action: str
    id: str
    token: bool = True
    tags: bool = True
    again: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 300.0


@dataclass(frozen=True, kw_only=True)
class Change:
    """An action that changes an object that exists.

    properties: what it changes, and the parameters for that; only what differs is sent.
    id: the parameter that names the object, where that is not the resource's usual one.
    fixed: parameters that always stand beside.
    late: it also follows a creation, whose action does not take these properties.
    """

    action: str
    properties: Mapping[str, str]
    id: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    late: bool = False
    token: bool = False
    again: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """The action that removes the object.

    again: codes that pass once others have let go of it.
    """

    action: str
    again: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    token: bool = False
    seconds: float = 300.0


@dataclass(frozen=True)
class Work:
    """One operation on a resource: the API, how long it may take, and who listens."""

    api: Api
    product: str
    patience: Patience
    ctx: Context

    @classmethod
    def of(cls, ctx: Context, product: str, seconds: float) -> Work:
        return cls(ctx.engine, product, Patience.of(ctx.cancelled, ctx.timeout or seconds), ctx)

    def __call__(self, action: str, parameters: Mapping[str, Any], **options: Any) -> Answer:
        """Call an action. Raises Refused and Unreached."""
        return self.api.call(
            options.pop("product", self.product),
            action,
            parameters,
            self.patience,
            say=self.ctx.log,
            **options,
        )

    def found(self, action: str, parameters: Mapping[str, Any], **options: Any) -> Answer | None:
        """The same, for what may not be there: None then."""
        try:
            return self(action, parameters, **options)
        except Refused as refused:
            if refused.missing:
                return None
            raise
