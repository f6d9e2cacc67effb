"""Make a docker.Image: log in, fill the cache, build, push."""

from __future__ import annotations

import json
from typing import Any

from offline.docker import image_build, image_host, image_name, registry
from offline.docker.image_context import BuildContext
from offline.docker.image_stream import EngineError, Progress, post
from offline.docker.registry import Credential, Registries
from offline.provider.resource import Context, Inputs, State
from offline.provider.values import Secret


def make(ctx: Context, inputs: Inputs, *, push: bool) -> State:
    """Build, push if asked to, and answer with the outputs; without a push the digest is the image's id."""
    name, options = inputs["imageName"], inputs["build"]
    cache = (options.get("cacheFrom") or {}).get("images") or []
    registries = Registries(ctx.engine.config)
    credentials = registries.for_build()
    own: Credential = {}
    if cache or not inputs.get("skipPush"):
        own = _own_credential(ctx, registries, inputs)
        if own:
            credentials[own["serveraddress"]] = own
    for cached in cache:
        _pull_cache(ctx, cached, own, options.get("platform"))
    context = BuildContext(options["context"], options["dockerfile"])
    image = image_build.run(
        ctx,
        image_build.Build(
            context=context,
            tag=name,
            args=options.get("args") or {},
            credentials=credentials,
            options=_api_options(options, cache),
        ),
    )
    digest = image_host.push(ctx, name, own) if push else image
    return {
        "dockerfile": context.relative_dockerfile,
        "context": options["context"],
        "baseImageName": name,
        "registryServer": (inputs.get("registry") or {}).get("server") or "",
        "imageName": name,
        "platform": options.get("platform") or "",
        "repoDigest": digest,
        "__inputs": Secret(inputs),
    }


def _own_credential(ctx: Context, registries: Registries, inputs: Inputs) -> Credential:
    """The program's own login first, then what provider and machine know."""
    given = inputs.get("registry") or {}
    server = given.get("server") or image_name.parse(inputs["imageName"]).domain
    username, password = given.get("username"), given.get("password")
    if username and password:
        return registry.login(server, username, password)
    if username or password:
        missing = "password" if username else "username"
        ctx.warn(f"registry.{missing} is not set; using the credentials of the provider or of this machine")
    return registries.for_server(server)


def _api_options(build: Inputs, cache: list[str]) -> dict[str, Any]:
    options = {
        "platform": build.get("platform"),
        "target": build.get("target"),
        "networkmode": build.get("network"),
        "extrahosts": build.get("addHosts"),
        "cachefrom": json.dumps(cache) if cache else None,
    }
    return {key: value for key, value in options.items() if value}


def _pull_cache(ctx: Context, name: str, credential: Credential, wanted: str | None) -> None:
    params = {"fromImage": name, **({"platform": wanted} if wanted else {})}
    if not image_name.parse(name).tag:
        params["tag"] = "latest"
    progress = Progress(ctx, f"pulling the cache {name}")
    try:
        for message in post(
            ctx, "/images/create", params=params, headers={"X-Registry-Auth": registry.header(credential)}
        ):
            progress.see(message)
    except EngineError as problem:
        ctx.log(f"no build cache from {name}: {problem.message}")  # the build works without
