"""docker.Service: a replicated or global service of an engine in swarm mode.

The Docker SDK takes a quarter of a second to load: operations import it, and previews do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from offline.docker.service_check import failures
from offline.docker.service_fields import FIELDS
from offline.provider.difference import compare
from offline.provider.resource import CheckFailure, Context, Difference, Field, Inputs, Resource, State


class Service(Resource):
    """A service that is made, waited for where `convergeConfig` says so, and rolled out in place."""

    type: ClassVar[str] = "docker:index/service:Service"
    schema_version: ClassVar[int] = 2
    fields: ClassVar[Mapping[str, Field]] = FIELDS

    def check(self, ctx: Context, olds: Inputs, news: Inputs) -> tuple[Inputs, list[CheckFailure]]:  # noqa: ARG002
        """Name what swarm would refuse, or would take in another sense than it reads."""
        return news, failures(news)

    def diff(self, ctx: Context, id: str, state: State, news: Inputs) -> Difference | None:  # noqa: ARG002
        """The generic comparison, where a network's name is worth the id that the engine reports."""
        if _names_networks(news):
            from offline.docker import service_lifecycle

            state = service_lifecycle.named_networks(ctx, state, news)
        result = Difference()
        for change in compare(self.fields, state, news):
            (result.replace if change.replace else result.update).append(change.path)
        return result

    def create(self, ctx: Context, inputs: Inputs) -> tuple[str, State]:
        from offline.docker import service_lifecycle

        return service_lifecycle.create(ctx, inputs)

    def read(self, ctx: Context, id: str, inputs: Inputs, state: State) -> tuple[str, Inputs, State] | None:
        from offline.docker import service_lifecycle

        return service_lifecycle.read(ctx, id, inputs, state)

    def update(self, ctx: Context, id: str, state: State, inputs: Inputs) -> State:  # noqa: ARG002
        from offline.docker import service_lifecycle

        return service_lifecycle.update(ctx, id, inputs)

    def delete(self, ctx: Context, id: str, state: State) -> None:
        from offline.docker import service_lifecycle

        service_lifecycle.delete(ctx, id, state)


def _names_networks(inputs: Inputs) -> bool:
    networks = (inputs.get("taskSpec") or {}).get("networksAdvanceds") or ()
    return any(isinstance(entry, Mapping) and not entry.get("id") for entry in networks)
