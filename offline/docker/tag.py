"""docker.Tag: a further name for an image on the Docker host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import docker.errors

from offline.docker import image_name
from offline.docker.remote_image import inspect
from offline.docker.resource import UNKNOWN, Context, Field, Inputs, Resource, ResourceError, State


class Tag(Resource):
    """Every change makes a new tag; deleting one leaves both names, as the official plugin does."""

    type: ClassVar[str] = "docker:index/tag:Tag"
    schema_version: ClassVar[int] = 0
    fields: ClassVar[Mapping[str, Field]] = {
        "sourceImage": Field(replace=True),
        "targetImage": Field(replace=True),
        "tagTriggers": Field(replace=True, unordered=True, default=[]),
    }

    def preview(self, ctx: Context, inputs: Inputs) -> State:  # noqa: ARG002
        return {**inputs, "sourceImageId": UNKNOWN}

    def create(self, ctx: Context, inputs: Inputs) -> tuple[str, State]:
        source, target = inputs["sourceImage"], inputs["targetImage"]
        parsed = image_name.parse(target)
        if parsed.digest:
            raise ResourceError(
                f"targetImage {target!r} has a digest", fix="a tag is a name with a tag: name:1.2"
            )
        found = inspect(ctx, source)
        if found is None:
            raise ResourceError(
                f"sourceImage {source} is not on the Docker host",
                fix="pull or build it first: RemoteImage or Image",
            )
        repository = target.removesuffix(f":{parsed.tag}") if parsed.tag else target
        try:
            ctx.engine.api.tag(source, repository, tag=parsed.tag or "latest", force=True)
        except docker.errors.APIError as problem:
            raise ResourceError(f"{source} cannot be tagged {target}: {problem.explanation}") from None
        return f"{source}.{target}", {**inputs, "sourceImageId": found["Id"]}

    def read(self, ctx: Context, id: str, inputs: Inputs, state: State) -> tuple[str, Inputs, State] | None:
        """A tag that was removed is gone; one that was moved to another image is left as recorded."""
        if not state:
            return self._import(ctx, id)
        return (id, inputs, state) if inspect(ctx, state["targetImage"]) else None

    def _import(self, ctx: Context, id: str) -> tuple[str, Inputs, State] | None:
        """The id is `source.target`, both with dots perhaps: the split that names one image twice."""
        for at in (index for index, char in enumerate(id) if char == "."):
            inputs = {"sourceImage": id[:at], "targetImage": id[at + 1 :]}
            if not all(inputs.values()):
                continue
            source, target = (inspect(ctx, name) for name in inputs.values())
            if source and target and source["Id"] == target["Id"]:
                return id, inputs, {**inputs, "sourceImageId": source["Id"]}
        return None

    def delete(self, ctx: Context, id: str, state: State) -> None:
        """Neither name is removed: containers may have been started by either."""
