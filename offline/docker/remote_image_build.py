"""The `build` block of docker.RemoteImage: its fields, and the engine parameters that they become."""

from __future__ import annotations

import json
import os.path
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offline.docker.image_context import BuildContext
from offline.provider.resource import UNKNOWN, CheckFailure, Context, Field, Inputs

_BUILDX = "only BuildKit's buildx serves it, and this plugin builds with the engine's classic builder"
_NEW = Field(replace=True)

BUILD_FIELDS: Mapping[str, Field] = {
    "context": _NEW,
    "dockerfile": Field(replace=True, default="Dockerfile"),
    "tags": Field(),
    "remove": Field(default=True),
    "label": Field(),
    "labels": _NEW,
    "suppressOutput": _NEW,
    "noCache": _NEW,
    "forceRemove": _NEW,  # every build here clears up after itself, so it makes no difference
    "pullParent": _NEW,
    "isolation": _NEW,
    "cpuSetCpus": _NEW,
    "cpuSetMems": _NEW,
    "cpuShares": _NEW,
    "cpuQuota": _NEW,
    "cpuPeriod": _NEW,
    "memory": _NEW,
    "memorySwap": _NEW,
    "cgroupParent": _NEW,
    "networkMode": _NEW,
    "shmSize": _NEW,
    "ulimits": Field(nested={"name": _NEW, "hard": _NEW, "soft": _NEW}),
    "buildArgs": _NEW,
    "authConfigs": Field(
        nested={
            name: Field()
            for name in (
                "hostName",
                "userName",
                "password",
                "auth",
                "email",
                "serverAddress",
                "identityToken",
                "registryToken",
            )
        }
    ),
    "squash": _NEW,
    "cacheFroms": _NEW,
    "securityOpts": _NEW,
    "extraHosts": _NEW,
    "target": _NEW,
    "platform": _NEW,
    "version": _NEW,
    "useLegacyBuilder": Field(replace=True, default=False),
    "provenance": _NEW,
    "sbom": _NEW,
    "secrets": Field(
        nested={"id": _NEW, "src": _NEW, "env": _NEW},
        refused=f"{_BUILDX}; use buildArgs in an early stage of a multi-stage build",
    ),
    "additionalContexts": Field(
        refused=f"{_BUILDX}; copy the files into the context, or COPY --from an image"
    ),
    "cacheTos": Field(refused=f"{_BUILDX}; the classic builder's cache stays on the Docker host"),
    "builder": Field(refused=f"{_BUILDX}; leave it out"),
    "buildLogFile": Field(refused=f"{_BUILDX}; a failing build shows its step and last output"),
    "buildId": Field(refused=f"{_BUILDX}; Ctrl-C ends a build"),
    "sessionId": Field(refused=f"{_BUILDX}; leave it out"),
    "remoteContext": Field(
        refused="the plugin sends the files of `context`; clone the repository and name its folder"
    ),
}

# Ours -> the engine's query parameter. Maps and lists go as JSON, flags as 1.
_PARAMETERS = {
    "suppressOutput": "q",
    "noCache": "nocache",
    "pullParent": "pull",
    "isolation": "isolation",
    "cpuSetCpus": "cpusetcpus",
    "cpuSetMems": "cpusetmems",
    "cpuShares": "cpushares",
    "cpuQuota": "cpuquota",
    "cpuPeriod": "cpuperiod",
    "memory": "memory",
    "memorySwap": "memswap",
    "cgroupParent": "cgroupparent",
    "networkMode": "networkmode",
    "shmSize": "shmsize",
    "squash": "squash",
    "cacheFroms": "cachefrom",
    "target": "target",
    "platform": "platform",
}


def check_build(build: Inputs) -> list[CheckFailure]:
    """What the classic builder cannot do with values that the schema allows."""
    failures = []
    for name in ("provenance", "sbom"):
        if build.get(name) not in (None, UNKNOWN, "", "false"):
            failures.append(
                CheckFailure(property=f"build.{name}", reason=f"{_BUILDX}; 'false' is the only value")
            )
    if build.get("version") not in (None, UNKNOWN, "", "1"):
        failures.append(CheckFailure(property="build.version", reason=f"{_BUILDX}; leave it out or set '1'"))
    caches = build.get("cacheFroms")
    for index, cache in enumerate(caches if isinstance(caches, list) else []):
        if isinstance(cache, str) and "=" in cache:
            reason = f"{_BUILDX}; name an image instead of {cache!r}"
            failures.append(CheckFailure(property=f"build.cacheFroms[{index}]", reason=reason))
    context, dockerfile = build.get("context"), build.get("dockerfile", "Dockerfile")
    if UNKNOWN in (context, dockerfile) or not isinstance(context, str):
        return failures
    if not Path(context).expanduser().is_dir():
        failures.append(CheckFailure(property="build.context", reason=f"{context!r} is not a folder"))
    elif not Path(_context(build).dockerfile).is_file():
        reason = f"no Dockerfile at {_context(build).dockerfile!r}; the path is relative to the context"
        failures.append(CheckFailure(property="build.dockerfile", reason=reason))
    return failures


def run_build(ctx: Context, build: Inputs, tag: str) -> str:
    """Build what a `build` block describes; the image's id."""
    from offline.docker import (
        image_build,
        registry,
    )  # the SDK takes a quarter of a second, which previews never spend

    options = {parameter: _encode(build[name]) for name, parameter in _PARAMETERS.items() if build.get(name)}
    options["t"] = [tag, *(build.get("tags") or [])]
    if build.get("remove") is False:
        options |= {"rm": "0", "forcerm": "0"}
    options["extrahosts"] = build.get("extraHosts") or []
    options["securityopt"] = json.dumps(build["securityOpts"]) if build.get("securityOpts") else []
    if labels := {**(build.get("labels") or {}), **(build.get("label") or {})}:
        options["labels"] = json.dumps(labels)
    if limits := build.get("ulimits"):
        options["ulimits"] = json.dumps(
            [{"Name": limit["name"], "Hard": limit["hard"], "Soft": limit["soft"]} for limit in limits]
        )
    credentials = registry.Registries(ctx.engine.config).for_build()
    for entry in build.get("authConfigs") or []:
        credentials[registry.address(entry["hostName"])] = _login(entry)
    planned = image_build.Build(
        context=_context(build),
        tag=tag,
        args=build.get("buildArgs") or {},
        credentials=credentials,
        options=options,
    )
    return image_build.run(ctx, planned)


def _context(build: Inputs) -> BuildContext:
    folder = os.path.expanduser(build["context"])  # noqa: PTH111
    return BuildContext(folder, os.path.join(folder, build.get("dockerfile") or "Dockerfile"))  # noqa: PTH118


def _encode(value: Any) -> Any:
    if value is True:
        return "1"
    return json.dumps(value) if isinstance(value, list | dict) else value


def _login(entry: Mapping[str, str]) -> dict[str, str]:
    names = {
        "userName": "username",
        "password": "password",
        "auth": "auth",
        "email": "email",
        "identityToken": "identitytoken",
        "registryToken": "registrytoken",
    }
    given = {names[key]: value for key, value in entry.items() if key in names and value}
    return {"serveraddress": entry.get("serverAddress") or entry["hostName"], **given}
