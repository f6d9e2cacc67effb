"""The same containers without Pulumi: made with the Docker SDK in dependency order, with health waits."""

from __future__ import annotations

import base64
import io
import json
import tarfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import NotFound

_CONTAINER = "docker:index/container:Container"
_NETWORK = "docker:index/network:Network"
_VOLUME = "docker:index/volume:Volume"
_TIMEOUT = 120


@dataclass(frozen=True)
class Network:
    """A network as the engine describes it."""

    name: str
    description: Mapping[str, Any]


@dataclass(frozen=True)
class Volume:
    """options: of its driver."""

    name: str
    options: Mapping[str, str]


@dataclass(frozen=True)
class Container:
    """A container as the engine describes it, the files it is given, and the containers it waits for."""

    urn: str
    description: Mapping[str, Any]
    files: Mapping[str, tuple[bytes, int]]
    after: frozenset[str]
    starts: bool
    runs_on: bool
    """It keeps running; else it is waited for until it ends."""


@dataclass(frozen=True)
class Plan:
    """What to make."""

    networks: Sequence[Network]
    volumes: Sequence[Volume]
    containers: Sequence[Container]


def read(state: Sequence[Mapping[str, Any]]) -> Plan:
    """The plan to make what the stack made, from its state and the engine's description of what runs."""
    client = docker.from_env()
    by_urn = {str(resource["urn"]): resource for resource in state}
    try:
        return Plan(
            [
                Network(resource["outputs"]["name"], client.api.inspect_network(resource["outputs"]["name"]))
                for resource in state
                if resource["type"] == _NETWORK and resource.get("custom") and not resource.get("external")
            ],
            [
                Volume(resource["outputs"]["name"], resource["inputs"].get("driverOpts") or {})
                for resource in state
                if resource["type"] == _VOLUME and not resource.get("external")
            ],
            [
                Container(
                    urn=str(resource["urn"]),
                    description=client.api.inspect_container(resource["id"]),
                    files=_files(resource["inputs"].get("uploads")),
                    after=_containers_before(str(resource["urn"]), by_urn),
                    starts=resource["inputs"].get("start") is not False,
                    runs_on=resource["inputs"].get("mustRun") is not False,
                )
                for resource in state
                if resource["type"] == _CONTAINER
            ],
        )
    finally:
        client.close()


def create(plan: Plan) -> float:
    """Make it all, wait until it is healthy, remove it again. Returns the seconds until it was healthy."""
    client = docker.from_env()
    made: list[str] = []
    networks: list[str] = []
    had = {volume.name for volume in client.volumes.list()}
    began = time.perf_counter()
    try:
        for network in plan.networks:
            networks.append(_make_network(client, network))
        for volume in plan.volumes:
            client.volumes.create(volume.name, driver_opts=dict(volume.options))
        done: set[str] = set()
        waiting = list(plan.containers)
        with ThreadPoolExecutor(max_workers=8) as pool:
            while waiting:
                ready = [container for container in waiting if container.after <= done]
                if not ready:
                    raise RuntimeError(
                        f"circular dependencies among {[container.urn for container in waiting]}"
                    )
                for container in ready:
                    made.append(container.description["Name"].lstrip("/"))
                list(pool.map(lambda container: _make_container(client, container), ready))
                done |= {container.urn for container in ready}
                waiting = [container for container in waiting if container not in ready]
        return time.perf_counter() - began
    finally:
        for name in made:
            with suppress(NotFound):
                client.api.remove_container(name, force=True, v=True)
        for name in networks:
            with suppress(NotFound):
                client.api.remove_network(name)
        for name in {volume.name for volume in plan.volumes} - had:
            with suppress(NotFound):
                client.api.remove_volume(name)
        client.close()


def _make_network(client: docker.DockerClient, network: Network) -> str:
    given = network.description
    client.api.create_network(
        network.name,
        driver=given["Driver"],
        options=given["Options"],
        labels=given["Labels"],
        internal=given["Internal"],
        attachable=given["Attachable"],
        ipam=given["IPAM"],
    )
    return network.name


def _make_container(client: docker.DockerClient, container: Container) -> None:
    given = container.description
    name = given["Name"].lstrip("/")
    networks: dict[str, Any] = {
        network: {
            "Aliases": [alias for alias in endpoint["Aliases"] or () if not given["Id"].startswith(alias)],
            "IPAMConfig": endpoint["IPAMConfig"] or {},
        }
        for network, endpoint in given["NetworkSettings"]["Networks"].items()
    }
    # The plugin may have connected it to its networks after its creation: begin where it ended.
    mode = given["HostConfig"]["NetworkMode"]
    first = mode if mode in networks else next(iter(networks), mode)
    config = {
        **given["Config"],
        "HostConfig": {**given["HostConfig"], "NetworkMode": first},
        "NetworkingConfig": {"EndpointsConfig": {first: networks[first]} if first in networks else {}},
    }
    client.api.create_container_from_config(config, name)  # type: ignore[no-untyped-call]
    for network, endpoint in networks.items():
        if network != first:
            client.api.connect_container_to_network(
                name,
                network,
                aliases=endpoint["Aliases"],
                ipv4_address=endpoint["IPAMConfig"].get("IPv4Address"),
            )
    if container.files:
        client.api.put_archive(name, "/", _archive(container.files))
    if not container.starts:
        return
    client.api.start(name)
    if container.runs_on:
        _wait_until_healthy(client, name)
    elif code := client.api.wait(name, timeout=_TIMEOUT)["StatusCode"]:
        raise RuntimeError(f"container {name} ended with {code}:\n{client.api.logs(name, tail=20).decode()}")


def _wait_until_healthy(client: docker.DockerClient, name: str) -> None:
    until = time.monotonic() + _TIMEOUT
    while time.monotonic() < until:
        state = client.api.inspect_container(name)["State"]
        health = (state.get("Health") or {}).get("Status", "healthy")
        if state["Running"] and health == "healthy":
            return
        if not state["Running"] or health == "unhealthy":
            break
        time.sleep(0.1)
    raise RuntimeError(f"container {name} did not become healthy:\n{client.api.logs(name, tail=20).decode()}")


def _containers_before(urn: str, by_urn: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """The containers that this one depends on, also through a component: then on all the containers in it."""
    found: set[str] = set()
    seen = {urn}
    queue = list(by_urn[urn].get("dependencies") or ())
    while queue:
        current = queue.pop()
        if current in seen:
            continue
        seen.add(current)
        resource = by_urn.get(current)
        if resource is None:
            continue
        if resource["type"] == _CONTAINER:
            found.add(current)
        else:
            queue += resource.get("dependencies") or ()
            queue += [other for other, entry in by_urn.items() if entry.get("parent") == current]
    return frozenset(found)


def _files(uploads: Any) -> dict[str, tuple[bytes, int]]:
    """Path in the container, to content and mode."""
    files = {}
    for upload in map(_open, _open(uploads) or ()):
        encoded = _open(upload.get("contentBase64"))
        content = base64.b64decode(encoded) if encoded else str(_open(upload.get("content")) or "").encode()
        mode = int(str(upload.get("permissions") or ("744" if upload.get("executable") else "644")), 8)
        files[str(upload["file"])] = (content, mode)
    return files


def _open(value: Any) -> Any:
    """The value inside a secret, as an export with --show-secrets has it; any other value as it is."""
    return json.loads(value["plaintext"]) if isinstance(value, dict) and "plaintext" in value else value


def _archive(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, (content, mode) in files.items():
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()
