"""docker.Container: one container, from its creation to its removal.

The Docker SDK takes a quarter of a second to load: operations import it, and previews do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from offline.docker.container_check import failures
from offline.docker.container_fields import CANNOT_BE_UNSET, FIELDS
from offline.docker.foreign import warn_of_addresses, warn_of_ports
from offline.provider.difference import compare, top
from offline.provider.resource import (
    CheckFailure,
    Context,
    Difference,
    Field,
    Inputs,
    Resource,
    State,
)


class Container(Resource):
    """A container that is made, waited for, changed in place where the engine can, and else replaced."""

    type: ClassVar[str] = "docker:index/container:Container"
    schema_version: ClassVar[int] = 2
    fields: ClassVar[Mapping[str, Field]] = FIELDS
    delete_before_replace: ClassVar[bool] = True

    def check(self, ctx: Context, olds: Inputs, news: Inputs) -> tuple[Inputs, list[CheckFailure]]:  # noqa: ARG002
        """Name what the engine would refuse, or would take in another sense than it reads."""
        return news, failures(news)

    def diff(self, ctx: Context, id: str, state: State, news: Inputs) -> Difference | None:  # noqa: ARG002
        """The generic comparison, with what an engine cannot change after all."""
        result = Difference()
        for change in compare(self.fields, state, news):
            unset = top(change.path) in CANNOT_BE_UNSET and not news.get(top(change.path))
            (result.replace if change.replace or unset else result.update).append(change.path)
        networks = [path for path in result.replace if top(path) == "networksAdvanced"]
        if networks and networks == result.replace:
            from offline.docker import container_lifecycle

            if container_lifecycle.same_networks(ctx, state, news):
                result.replace = []
        return result

    def foresee(self, ctx: Context, inputs: Inputs) -> None:
        warn_of_ports(ctx, inputs)
        warn_of_addresses(ctx, inputs)

    def create(self, ctx: Context, inputs: Inputs) -> tuple[str, State]:
        from offline.docker import container_lifecycle

        return container_lifecycle.create(ctx, inputs)

    def read(self, ctx: Context, id: str, inputs: Inputs, state: State) -> tuple[str, Inputs, State] | None:
        from offline.docker import container_lifecycle

        return container_lifecycle.read(ctx, id, inputs, state)

    def update(self, ctx: Context, id: str, state: State, inputs: Inputs) -> State:
        from offline.docker import container_lifecycle

        return container_lifecycle.update(ctx, id, state, inputs)

    def delete(self, ctx: Context, id: str, state: State) -> None:
        from offline.docker import container_lifecycle

        container_lifecycle.delete(ctx, id, state)
