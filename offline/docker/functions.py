"""The provider's functions: each takes the arguments of an invoke and returns its result."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import docker.errors

from offline.docker import image_name
from offline.docker.image_host import inspect
from offline.docker.image_stream import EngineError, get
from offline.provider.resource import Context, ResourceError

Arguments = dict[str, Any]
Result = dict[str, Any]

_UNITS = {"h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds", "us": "microseconds"}


def get_network(ctx: Context, args: Arguments) -> Result:
    """Details of a network, its subnets and the containers attached."""
    name = args["name"]
    try:
        found = ctx.engine.api.inspect_network(name)
    except docker.errors.NotFound:
        raise ResourceError(f"there is no network {name!r}", fix="see `docker network ls`") from None
    except docker.errors.APIError as problem:
        raise ResourceError(f"network {name!r} cannot be looked up: {problem.explanation}") from None
    pools = (found.get("IPAM") or {}).get("Config") or []
    return {
        "id": found["Id"],
        "name": found["Name"],
        "driver": found["Driver"],
        "scope": found["Scope"],
        "internal": found["Internal"],
        "options": found.get("Options") or {},
        "ipamConfigs": [_present(_IPAM, pool) for pool in pools],
        "containers": [
            {"containerId": id, **_renamed(_ENDPOINT, endpoint)}
            for id, endpoint in sorted((found.get("Containers") or {}).items())
        ],
    }


def get_remote_image(ctx: Context, args: Arguments) -> Result:
    """Id and digest of an image on the Docker host."""
    name = args["name"]
    found = inspect(ctx, name)
    if found is None:
        raise ResourceError(
            f"there is no image {name!r} on the Docker host",
            fix="pull it first with a RemoteImage, or build it",
        )
    digest = image_name.repo_digest(name, found.get("RepoDigests") or [])
    return {"id": found["Id"], "name": name, "repoDigest": digest}


def get_logs(ctx: Context, args: Arguments) -> Result:
    """The output of a container, line by line."""
    name = args["name"]
    given = {**_LOG_DEFAULTS, **{key: value for key, value in args.items() if value is not None}}
    result: Result = {**given, "id": name}
    if not (given["showStdout"] or given["showStderr"]):
        raise ResourceError("getLogs: showStdout and showStderr are both off", fix="switch one of them on")
    params = {
        "stdout": int(given["showStdout"]),
        "stderr": int(given["showStderr"]),
        "timestamps": int(given["timestamps"]),
        "details": int(given["details"]),
        "follow": int(given["follow"]),
        "tail": given["tail"] or "all",
        "since": _moment(given["since"]),
        "until": _moment(given["until"]),
    }
    if given["logsListStringEnabled"]:
        try:
            terminal = ctx.engine.api.inspect_container(name)["Config"]["Tty"]
            content = b"".join(get(ctx, f"/containers/{name}/logs", params=params))
        except docker.errors.NotFound:
            raise ResourceError(f"there is no container {name!r}", fix="see `docker ps --all`") from None
        except (docker.errors.APIError, EngineError) as problem:
            raise ResourceError(f"the logs of {name!r} cannot be read: {problem}") from None
        if given["discardHeaders"] and not terminal:
            content = b"".join(_frames(content))
        result["logsListStrings"] = content.decode(errors="replace").splitlines()
    return result


_IPAM = {"subnet": "Subnet", "gateway": "Gateway", "ipRange": "IPRange", "auxAddress": "AuxiliaryAddresses"}
_ENDPOINT = {
    "name": "Name",
    "endpointId": "EndpointID",
    "macAddress": "MacAddress",
    "ipv4Address": "IPv4Address",
    "ipv6Address": "IPv6Address",
}
_LOG_DEFAULTS = {
    "showStdout": True,
    "showStderr": True,
    "discardHeaders": True,
    "logsListStringEnabled": True,
    "timestamps": False,
    "details": False,
    "follow": False,
    "since": "",
    "until": "",
    "tail": "",
}


def _renamed(names: Mapping[str, str], source: Mapping[str, Any]) -> Result:
    return {ours: source.get(theirs, "") for ours, theirs in names.items()}


def _present(names: Mapping[str, str], source: Mapping[str, Any]) -> Result:
    return {ours: source[theirs] for ours, theirs in names.items() if source.get(theirs)}


def _frames(content: bytes) -> Iterator[bytes]:
    """The payloads of Docker's log frames: eight bytes of stream and length before each."""
    at = 0
    while at + 8 <= len(content):
        (length,) = struct.unpack(">L", content[at + 4 : at + 8])
        yield content[at + 8 : at + 8 + length]
        at += 8 + length


def _moment(text: str) -> str:
    """What `docker logs` takes: seconds since 1970, RFC 3339, or a duration before now (`10m`)."""
    if not text or re.fullmatch(r"\d+(\.\d+)?", text):
        return text
    if re.fullmatch(r"(\d+(\.\d+)?(h|ms|us|m|s))+", text):
        parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|us|m|s)", text)
        ago = sum((timedelta(**{_UNITS[unit]: float(number)}) for number, unit in parts), timedelta())
        return f"{(datetime.now(UTC) - ago).timestamp():.6f}"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ResourceError(
            f"getLogs: {text!r} is no point in time",
            fix="write 10m, 2026-01-31T12:00:00Z or seconds since 1970",
        ) from None
    return f"{moment.astimezone().timestamp():.6f}"
