"""docker.RemoteImage: an image that is on the Docker host, or is pulled or built there when it is not.

The Docker SDK takes a quarter of a second to load: operations import it, and previews do without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from offline.docker import image_name
from offline.docker.remote_image_build import BUILD_FIELDS, check_build, run_build
from offline.provider.resource import (
    UNKNOWN,
    CheckFailure,
    Context,
    Field,
    Inputs,
    Resource,
    State,
)

_COMPUTED = ("imageId", "repoDigest")


class RemoteImage(Resource):
    """An image that is there is never pulled again; `pullTriggers` and `triggers` make a new resource."""

    type: ClassVar[str] = "docker:index/remoteImage:RemoteImage"
    schema_version: ClassVar[int] = 0
    fields: ClassVar[Mapping[str, Field]] = {
        "name": Field(replace=True),
        "keepLocally": Field(),
        "forceRemove": Field(),
        "pullTriggers": Field(replace=True, unordered=True),
        "triggers": Field(replace=True),
        "platform": Field(replace=True, default=""),
        "build": Field(nested=BUILD_FIELDS),
    }

    def check(self, ctx: Context, olds: Inputs, news: Inputs) -> tuple[Inputs, list[CheckFailure]]:  # noqa: ARG002
        build, failures = news.get("build"), list[CheckFailure]()
        if build and news.get("pullTriggers"):
            reason = "an image is either built or pulled: give build or pullTriggers, not both"
            failures.append(CheckFailure(property="pullTriggers", reason=reason))
        if isinstance(build, dict):
            failures += check_build(build)
        if news.get("name") == "":
            failures.append(CheckFailure(property="name", reason="empty image name is not allowed"))
        return news, failures

    def preview(self, ctx: Context, inputs: Inputs) -> State:  # noqa: ARG002
        return {**inputs, **dict.fromkeys(_COMPUTED, UNKNOWN)}

    def create(self, ctx: Context, inputs: Inputs) -> tuple[str, State]:
        from offline.docker import image_host

        if build := inputs.get("build"):
            run_build(ctx, build, inputs["name"])
        found = image_host.find_or_pull(ctx, inputs["name"], inputs.get("platform") or "")
        return _id(found, inputs["name"]), _state(inputs, found)

    def read(self, ctx: Context, id: str, inputs: Inputs, state: State) -> tuple[str, Inputs, State] | None:
        from offline.docker import image_host

        imported = not (inputs or state)
        # The id is the image's id and its name without a separator; an import may give the name alone.
        name = state.get("name") or inputs.get("name") or _name_of(id)
        found = image_host.inspect(ctx, name)
        if found is None:
            return None
        return (
            _id(found, name),
            {"name": name} if imported else inputs,
            _state({**state, "name": name}, found),
        )

    def update(self, ctx: Context, id: str, state: State, inputs: Inputs) -> State:  # noqa: ARG002
        from offline.docker import image_host

        return _state(inputs, image_host.find_or_pull(ctx, inputs["name"], inputs.get("platform") or ""))

    def delete(self, ctx: Context, id: str, state: State) -> None:
        from offline.docker import image_host

        if state.get("keepLocally"):
            return
        name = state.get("name") or _name_of(id)
        image_host.remove(ctx, name, force=bool(state.get("forceRemove")))

    def undo(self, ctx: Context, id: str, state: State) -> None:
        """The image stays: it may have been on the host before."""


def _id(found: Mapping[str, Any], name: str) -> str:
    return f"{found['Id']}{name}"


def _name_of(id: str) -> str:
    digest_length = len("sha256:") + 64
    return id[digest_length:] or id if id.startswith("sha256:") else id


def _state(properties: Mapping[str, Any], found: Mapping[str, Any]) -> State:
    digest = image_name.repo_digest(properties["name"], found.get("RepoDigests") or [])
    return {**properties, "imageId": found["Id"], "repoDigest": digest}
