"""docker.Tag: a further name for an image on the Docker host.

The Docker SDK takes a quarter of a second to load: operations import it, and previews do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from offline.provider.resource import UNKNOWN, Context, Field, Inputs, Resource, ResourceError, State


class Tag(Resource):
    """Every change makes a new tag; deleting one leaves both names, as the official plugin does."""

    type: ClassVar[str] = "docker:index/tag:Tag"
    schema_version: ClassVar[int] = 0
    fields: ClassVar[Mapping[str, Field]] = {
        "sourceImage": Field(replace=True),
        "targetImage": Field(replace=True),
        "tagTriggers": Field(replace=True, unordered=True),
    }

    def preview(self, ctx: Context, inputs: Inputs) -> State:  # noqa: ARG002
        return {**inputs, "sourceImageId": UNKNOWN}

    def create(self, ctx: Context, inputs: Inputs) -> tuple[str, State]:
        from offline.docker import image_host

        source, target = inputs["sourceImage"], inputs["targetImage"]
        found = image_host.inspect(ctx, source)
        if found is None:
            raise ResourceError(
                f"sourceImage {source} is not on the Docker host",
                fix="pull or build it first: RemoteImage or Image",
            )
        image_host.tag(ctx, source, target)
        return f"{source}.{target}", {**inputs, "sourceImageId": found["Id"]}

    def read(self, ctx: Context, id: str, inputs: Inputs, state: State) -> tuple[str, Inputs, State] | None:
        """A tag that was removed is gone; one that was moved to another image is left as recorded."""
        from offline.docker import image_host

        if not state:
            return self._import(ctx, id)
        return (id, inputs, state) if image_host.inspect(ctx, state["targetImage"]) else None

    def _import(self, ctx: Context, id: str) -> tuple[str, Inputs, State] | None:
        """The id is `source.target`, both with dots perhaps: the split that names one image twice."""
        from offline.docker import image_host

        for at in (index for index, char in enumerate(id) if char == "."):
            inputs = {"sourceImage": id[:at], "targetImage": id[at + 1 :]}
            if not all(inputs.values()):
                continue
            source, target = (image_host.inspect(ctx, name) for name in inputs.values())
            if source and target and source["Id"] == target["Id"]:
                return id, inputs, {**inputs, "sourceImageId": source["Id"]}
        return None

    def delete(self, ctx: Context, id: str, state: State) -> None:
        """Neither name is removed: containers may have been started by either."""
