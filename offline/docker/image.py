"""docker.Image: an image built from a Dockerfile, and pushed unless told otherwise.

The Docker SDK takes a quarter of a second to load: operations import it, and previews do without.
"""

from __future__ import annotations

import os.path
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from offline.docker import image_name
from offline.docker.image_context import BuildContext
from offline.provider.resource import (
    UNKNOWN,
    CheckFailure,
    Context,
    Difference,
    Field,
    Inputs,
    Resource,
    ResourceError,
    State,
)
from offline.provider.values import Secret

_NO_BUILDKIT = (
    "BuilderBuildKit is not served: this plugin builds with the engine's classic builder; "
    "leave builderVersion out (the official plugin then takes BuildKit, this one its own) or set BuilderV1"
)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


class Image(Resource):
    """Inputs live in the state as `__inputs`, kept secret as a whole: build args may be.

    `builderVersion` left out means BuildKit to the official plugin and the classic builder here; neither
    writes it into the inputs, so a stack moves between both without a change.
    """

    type: ClassVar[str] = "docker:index/image:Image"
    schema_version: ClassVar[int] = 0
    bridged: ClassVar[bool] = False
    fields: ClassVar[Mapping[str, Field]] = {
        "imageName": Field(),
        "skipPush": Field(default=False),
        "buildOnPreview": Field(default=False),
        "build": Field(
            nested={
                "context": Field(default="."),
                "dockerfile": Field(),
                "args": Field(),
                "platform": Field(),
                "target": Field(),
                "cacheFrom": Field(nested={"images": Field()}),
                "addHosts": Field(),
                "network": Field(),
                "builderVersion": Field(),
            }
        ),
        "registry": Field(nested={"server": Field(), "username": Field(), "password": Field()}),
    }

    def check(self, ctx: Context, olds: Inputs, news: Inputs) -> tuple[Inputs, list[CheckFailure]]:  # noqa: ARG002
        inputs = {**news, "buildOnPreview": _known(news.get("buildOnPreview"), False)}
        build = news.get("build")
        if build is not None and not isinstance(build, dict):  # unknown as a whole
            return inputs, []
        build = dict(build or {})
        inputs["build"] = build
        if build.setdefault("context", ".") is not UNKNOWN:
            # Without a `build` the official plugin looks in the working directory; both readings agree there.
            build.setdefault("dockerfile", os.path.normpath(os.path.join(build["context"], "Dockerfile")))  # noqa: PTH118
        else:
            build.setdefault("dockerfile", UNKNOWN)
        failures = [*_check_builder(build), *_check_cache(build), *_check_name(inputs, build)]
        if UNKNOWN not in (build["context"], build["dockerfile"]):
            failures += _check_dockerfile(build)
            if not failures:
                build["contextDigest"] = BuildContext(build["context"], build["dockerfile"]).digest()
        if build.get("platform") is None:
            build["platform"] = _host_platform()
        return inputs, failures

    def diff(self, ctx: Context, id: str, state: State, news: Inputs) -> Difference:  # noqa: ARG002
        olds = state.get("__inputs") or {}
        changed = [key for key in sorted({*olds, *news}) if olds.get(key) != news.get(key)]
        if "registry" in changed and olds.get("registry") and news.get("registry"):
            # A registry's password may be new on every run; only another registry asks for another push.
            before, after = olds["registry"], news["registry"]
            both = isinstance(before, dict) and isinstance(after, dict)
            if both and (
                "server" not in before or "server" not in after or before["server"] == after["server"]
            ):
                changed.remove("registry")
        return Difference(update=changed)

    def preview(self, ctx: Context, inputs: Inputs) -> State:
        computed = ("dockerfile", "context", "baseImageName", "registryServer", "platform", "repoDigest")
        later = {**inputs, **dict.fromkeys(computed, UNKNOWN)}
        if inputs.get("buildOnPreview") is not True:
            return later
        build = inputs.get("build")
        needed = [inputs.get("imageName"), build]
        if isinstance(build, dict):
            needed += [build.get("dockerfile"), build.get("context"), *_values(build.get("args"))]
        if UNKNOWN in needed:
            ctx.warn("not built during the preview: name, context, Dockerfile or arguments are not known yet")
            return later
        return _make(ctx, inputs, push=False)

    def create(self, ctx: Context, inputs: Inputs) -> tuple[str, State]:
        return inputs["imageName"], _make(ctx, inputs, push=not inputs.get("skipPush"))

    def update(self, ctx: Context, id: str, state: State, inputs: Inputs) -> State:  # noqa: ARG002
        return _make(ctx, inputs, push=not inputs.get("skipPush"))

    def read(self, ctx: Context, id: str, inputs: Inputs, state: State) -> tuple[str, Inputs, State] | None:
        """A pushed image stays as recorded, as the official plugin has it; a local one must still exist."""
        from offline.docker import image_host

        recorded = state.get("__inputs") or inputs
        if recorded and not recorded.get("skipPush"):
            return id, inputs, state
        name = recorded.get("imageName") or id
        found = image_host.inspect(ctx, name)
        if found is None:
            return None
        if state:
            return id, inputs, {**state, "repoDigest": found["Id"]}
        imported = {"imageName": name, "skipPush": True}
        outputs = {"imageName": name, "baseImageName": name, "registryServer": "", "repoDigest": found["Id"]}
        return id, imported, {**outputs, "dockerfile": "", "context": "", "__inputs": Secret(imported)}

    def delete(self, ctx: Context, id: str, state: State) -> None:
        """Images stay where they are, like the official plugin leaves them: other stacks may run them."""


def _make(ctx: Context, inputs: Inputs, *, push: bool) -> State:
    from offline.docker.image_make import make

    return make(ctx, inputs, push=push)


def _known(value: Any, default: Any) -> Any:
    return default if value is None or value is UNKNOWN else value


def _values(mapping: Any) -> list[Any]:
    return list(mapping.values()) if isinstance(mapping, dict) else [mapping]


def _host_platform() -> str:
    machine = platform.machine()
    return f"linux/{_ARCHITECTURES.get(machine, machine)}"


def _check_builder(build: Inputs) -> list[CheckFailure]:
    version = build.get("builderVersion")
    if version in (None, UNKNOWN, "BuilderV1"):
        return []
    reason = (
        _NO_BUILDKIT if version == "BuilderBuildKit" else f"{version!r} is no builder; BuilderV1 is served"
    )
    return [CheckFailure(property="build.builderVersion", reason=reason)]


def _check_cache(build: Inputs) -> list[CheckFailure]:
    cache = build.get("cacheFrom")
    if isinstance(cache, dict) and "images" not in cache:
        return [CheckFailure(property="build.cacheFrom", reason="cacheFrom requires an `images` field")]
    return []


def _check_name(inputs: Inputs, build: Inputs) -> list[CheckFailure]:
    """A name that is pushed has to name its registry."""
    name, server = inputs.get("imageName"), inputs.get("registry")
    if name is None:
        return [CheckFailure(property="imageName", reason="missing")]
    if name is UNKNOWN or (inputs.get("skipPush") and not build.get("cacheFrom")):
        return []
    if isinstance(server, dict) and server.get("server"):
        return []
    try:
        canonical = image_name.is_canonical(name)
    except ResourceError as problem:
        return [CheckFailure(property="imageName", reason=str(problem))]
    if canonical:
        return []
    reason = f"{name!r} is pushed, so write it in full: {str(image_name.parse(name))!r}; or set skipPush"
    return [CheckFailure(property="imageName", reason=reason)]


def _check_dockerfile(build: Inputs) -> list[CheckFailure]:
    dockerfile, context = build["dockerfile"], build["context"]
    if not Path(context).is_dir():
        reason = f"the build context {context!r} is not a folder; paths are relative to the project's folder"
        return [CheckFailure(property="build.context", reason=reason)]
    if Path(dockerfile).is_file():
        return []
    inside = os.path.normpath(os.path.join(context, dockerfile))  # noqa: PTH118
    reason = f"no Dockerfile at {dockerfile!r}, relative to the project's folder"
    if not Path(dockerfile).is_absolute() and Path(inside).is_file():
        reason += f"; try setting `dockerfile` to {inside!r}"
    return [CheckFailure(property="build.dockerfile", reason=reason)]
