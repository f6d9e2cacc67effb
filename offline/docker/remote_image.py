"""docker.RemoteImage: an image that is on the Docker host, or is pulled or built there when it is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import docker.errors

from offline.docker import image_build, image_name, registry
from offline.docker.image_stream import EngineError, Progress, explain, post
from offline.docker.registry import Registries
from offline.docker.remote_image_build import BUILD_FIELDS, check_build, plan_build
from offline.docker.resource import (
    UNKNOWN,
    CheckFailure,
    Context,
    Field,
    Inputs,
    Resource,
    ResourceError,
    State,
)

_COMPUTED = ("imageId", "repoDigest")


class RemoteImage(Resource):
    """An image that is there is never pulled again; `pullTriggers` and `triggers` make a new resource."""

    type: ClassVar[str] = "docker:index/remoteImage:RemoteImage"
    schema_version: ClassVar[int] = 0
    fields: ClassVar[Mapping[str, Field]] = {
        "name": Field(replace=True),
        "keepLocally": Field(default=False),
        "forceRemove": Field(default=False),
        "pullTriggers": Field(replace=True, unordered=True, default=[]),
        "triggers": Field(replace=True, default={}),
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
        if build := inputs.get("build"):
            credentials = Registries(ctx.engine.config).for_build()
            image_build.run(ctx, plan_build(build, inputs["name"], credentials))
        found = find_or_pull(ctx, inputs["name"], inputs.get("platform") or "")
        return _id(found, inputs["name"]), _state(inputs, found)

    def read(self, ctx: Context, id: str, inputs: Inputs, state: State) -> tuple[str, Inputs, State] | None:
        imported = not (inputs or state)
        # The id is the image's id and its name without a separator; an import may give the name alone.
        name = state.get("name") or inputs.get("name") or _name_of(id)
        found = inspect(ctx, name)
        if found is None:
            return None
        return (
            _id(found, name),
            {"name": name} if imported else inputs,
            _state({**state, "name": name}, found),
        )

    def update(self, ctx: Context, id: str, state: State, inputs: Inputs) -> State:  # noqa: ARG002
        return _state(inputs, find_or_pull(ctx, inputs["name"], inputs.get("platform") or ""))

    def delete(self, ctx: Context, id: str, state: State) -> None:
        if state.get("keepLocally"):
            return
        name = state.get("name") or _name_of(id)
        try:
            ctx.engine.api.remove_image(name, force=bool(state.get("forceRemove")))
        except docker.errors.ImageNotFound:
            return
        except docker.errors.APIError as problem:
            raise ResourceError(
                f"{name} cannot be removed: {problem.explanation}",
                fix="remove what uses it first, or set keep_locally to leave the image where it is",
            ) from None


def inspect(ctx: Context, name: str) -> dict[str, Any] | None:
    """The image on the Docker host, or None."""
    try:
        found: dict[str, Any] = ctx.engine.api.inspect_image(name)
    except docker.errors.ImageNotFound:
        return None
    except docker.errors.APIError as problem:
        raise ResourceError(f"{name!r} cannot be looked up: {problem.explanation}") from None
    return found


def find_or_pull(ctx: Context, name: str, platform: str) -> dict[str, Any]:
    """The image on the Docker host, pulled if it was not there."""
    if found := inspect(ctx, name):
        return found
    pull(ctx, name, platform)
    if found := inspect(ctx, name):
        return found
    raise ResourceError(f"{name} was pulled and is not there", fix="see the Docker engine's log")


def pull(ctx: Context, name: str, platform: str) -> None:
    """Pull with the login for the image's registry. Raises ResourceError with cause and next step."""
    parsed = image_name.parse(name)
    params = {"fromImage": name, **({"platform": platform} if platform else {})}
    if not (parsed.tag or parsed.digest):
        params["tag"] = "latest"  # without it the engine pulls every tag
    credential = Registries(ctx.engine.config).for_image(name)
    progress = Progress(ctx, f"pulling {name}")
    ctx.log(f"pulling {name}")
    try:
        for message in post(
            ctx, "/images/create", params=params, headers={"X-Registry-Auth": registry.header(credential)}
        ):
            progress.see(message)
    except EngineError as problem:
        raise explain(problem, name) from None


def _id(found: Mapping[str, Any], name: str) -> str:
    return f"{found['Id']}{name}"


def _name_of(id: str) -> str:
    digest_length = len("sha256:") + 64
    return id[digest_length:] or id if id.startswith("sha256:") else id


def _state(properties: Mapping[str, Any], found: Mapping[str, Any]) -> State:
    digest = image_name.repo_digest(properties["name"], found.get("RepoDigests") or [])
    return {**properties, "imageId": found["Id"], "repoDigest": digest}
