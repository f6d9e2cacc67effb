"""A container stays a container: no privileges, no namespaces of the host, no way to the Docker engine."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from policies.node import Node
from policies.rule import CONTAINER, SERVICE, VOLUME, Finding, Pending, Rule, Violation, shown

# Whoever may write to one of these is root on the host.
_SOCKETS: Final = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
)
_SOCKET_NAMES: Final = frozenset(posixpath.basename(socket) for socket in _SOCKETS)
_ROOTLESS: Final = re.compile(r"/run/user(/\d+)?")  # a rootless engine's socket lies below


def reaches_engine(path: str) -> bool:
    """Whether a host path is a container engine's socket, or a directory above one."""
    if not path.startswith("/"):
        return False
    path = "/" + posixpath.normpath(path).lstrip("/")
    return (
        posixpath.basename(path) in _SOCKET_NAMES
        or any(socket.startswith(path.rstrip("/") + "/") for socket in _SOCKETS)
        or _ROOTLESS.fullmatch(path) is not None
    )


def _privileged(inputs: Node) -> Iterator[Finding]:
    privileged = inputs["privileged"]
    if privileged.unknown:
        yield Pending(privileged.path)
    elif privileged.value:
        fix = "remove it and add the one capability or device that is needed"
        yield Violation(privileged.path, shown(privileged), "a privileged container is root on the host", fix)
    yield from _all_capabilities(inputs["capabilities"]["adds"])


def _privileged_service(inputs: Node) -> Iterator[Finding]:
    yield from _all_capabilities(inputs["taskSpec"]["containerSpec"]["capAdds"])


def _all_capabilities(capabilities: Node) -> Iterator[Finding]:
    for capability in capabilities.items():
        if capability.unknown:
            yield Pending(capability.path)
        elif capability.text().upper().removeprefix("CAP_") == "ALL":
            fix = "name the capabilities that are needed"
            yield Violation(
                capability.path, shown(capability), "all capabilities together are privileged", fix
            )


def _namespaces(inputs: Node) -> Iterator[Finding]:
    for key, what in (
        (
            "networkMode",
            "network: every port it opens is open on the host, and it reaches what listens on loopback",
        ),
        ("pidMode", "processes: it can see and signal all of them"),
        ("ipcMode", "shared memory"),
        ("usernsMode", "users: root in it is root on the host"),
    ):
        mode = inputs[key]
        if mode.unknown:
            yield Pending(mode.path)
        elif mode.value == "host":
            fix = "join a bridge network" if key == "networkMode" else "remove it"
            yield Violation(mode.path, shown(mode), f"the container shares the host's {what}", fix)
    yield from _host_networks(inputs["networksAdvanced"])


def _service_namespaces(inputs: Node) -> Iterator[Finding]:
    yield from _host_networks(inputs["taskSpec"]["networksAdvanceds"])


def _host_networks(networks: Node) -> Iterator[Finding]:
    for network in networks.items():
        name = network["name"]
        if name.unknown:
            yield Pending(name.path)
        elif name.value == "host":
            yield Violation(
                name.path, shown(name), "the container shares the host's network", "join another network"
            )


def _container_paths(inputs: Node) -> Iterator[Finding]:
    yield from _mounts(inputs["mounts"])
    for volume in inputs["volumes"].items():
        # Docker takes a volume name that starts with a slash for a host path.
        yield from _path(volume["hostPath"])
        yield from _path(volume["volumeName"])


def _service_paths(inputs: Node) -> Iterator[Finding]:
    yield from _mounts(inputs["taskSpec"]["containerSpec"]["mounts"])


def _mounts(mounts: Node) -> Iterator[Finding]:
    for mount in mounts.items():
        yield from _path(mount["source"])
        # A local volume with `o: bind` is a bind mount by another name.
        yield from _path(mount["volumeOptions"]["driverOptions"]["device"])


def _volume_path(inputs: Node) -> Iterator[Finding]:
    yield from _path(inputs["driverOpts"]["device"])


def _path(path: Node) -> Iterator[Finding]:
    if path.unknown:
        yield Pending(path.path)
    elif reaches_engine(path.text()):
        why = "whoever reaches the container engine's socket is root on the host"
        yield Violation(
            path.path, shown(path), why, "remove the mount, or mount the one directory that is needed"
        )


RULES: Final = (
    Rule(
        "no-privileged",
        "No container is privileged.",
        {CONTAINER: _privileged, SERVICE: _privileged_service},
    ),
    Rule(
        "no-host-namespaces",
        "No container shares the network, processes, IPC or users of the host.",
        {CONTAINER: _namespaces, SERVICE: _service_namespaces},
    ),
    Rule(
        "no-docker-socket",
        "No container reaches a container engine's socket.",
        {CONTAINER: _container_paths, SERVICE: _service_paths, VOLUME: _volume_path},
    ),
)
