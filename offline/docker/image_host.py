"""Images on the Docker host: look up, pull, push, tag, remove."""

from __future__ import annotations

from typing import Any

import docker.errors

from offline.docker import image_name, registry
from offline.docker.image_stream import EngineError, Progress, explain, post
from offline.docker.registry import Credential, Registries
from offline.provider.resource import Context, ResourceError


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
        for message in post(ctx, "/images/create", params=params, headers=_auth(credential)):
            progress.see(message)
    except EngineError as problem:
        raise explain(problem, name) from None


def push(ctx: Context, name: str, credential: Credential) -> str:
    """Push, and answer with the digest under which the registry keeps the image."""
    parsed = image_name.parse(name)
    repository = name.removesuffix(f":{parsed.tag}") if parsed.tag else name
    progress = Progress(ctx, f"pushing {name}")
    digest = ""
    ctx.log(f"pushing {name}")
    try:
        for message in post(
            ctx,
            f"/images/{repository}/push",
            params={"tag": parsed.tag or "latest"},
            headers=_auth(credential),
        ):
            progress.see(message)
            digest = (message.get("aux") or {}).get("Digest") or digest
    except EngineError as problem:
        explained = explain(problem, name)
        raise ResourceError(f"pushing {name} failed: {explained.cause}", fix=explained.fix) from None
    if not digest:
        raise ResourceError(f"the registry reported no digest for {name}", fix="see the Docker engine's log")
    return f"{parsed.repository}@{digest}"


def tag(ctx: Context, source: str, target: str) -> None:
    """Give an image on the host a further name."""
    parsed = image_name.parse(target)
    if parsed.digest:
        raise ResourceError(f"{target!r} has a digest", fix="a tag is a name with a tag: name:1.2")
    repository = target.removesuffix(f":{parsed.tag}") if parsed.tag else target
    try:
        ctx.engine.api.tag(source, repository, tag=parsed.tag or "latest", force=True)
    except docker.errors.APIError as problem:
        raise ResourceError(f"{source} cannot be tagged {target}: {problem.explanation}") from None


def remove(ctx: Context, name: str, *, force: bool) -> None:
    """Remove a name and, when it was the last one, the image; one that is gone already is no error."""
    try:
        ctx.engine.api.remove_image(name, force=force)
    except docker.errors.ImageNotFound:
        return
    except docker.errors.APIError as problem:
        raise ResourceError(
            f"{name} cannot be removed: {problem.explanation}",
            fix="remove what uses it first, or set keep_locally to leave the image where it is",
        ) from None


def _auth(credential: Credential) -> dict[str, str]:
    return {"X-Registry-Auth": registry.header(credential)}
