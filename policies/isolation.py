"""A container stays a container: no privileges, namespaces, devices or system folders of the host."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from typing import Final

from policies.host_paths import host_danger, is_harmless_device, reaches_engine
from policies.host_volumes import Volume, host_folder, volume_findings
from policies.node import Node
from policies.rule import CONTAINER, SERVICE, VOLUME, Check, Finding, Pending, Rule, Violation, shown

# Docker's own set, and two that only bound the container's own memory and priorities.
_CAPABILITIES: Final = frozenset(
    {
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
        *("NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT", "IPC_LOCK", "SYS_NICE"),
    }
)
_LOOSE_OPTIONS: Final = re.compile(
    r"(?:seccomp|apparmor|systempaths)[=:]unconfined|label[=:](?:disable|type:spc_t)|no-new-privileges[=:]false"
    r"|writable-cgroups(?:[=:]true)?|seccomp[=:].*\"defaultAction\"\s*:\s*\"SCMP_ACT_(?:ALLOW|LOG)\".*",
    re.IGNORECASE | re.DOTALL,
)
_NARROW: Final = "remove the mount, or mount the one directory that is needed"
_HOST_CGROUPS: Final = frozenset({"init.scope", "system.slice", "user.slice"})


def _privileged(inputs: Node) -> Iterator[Finding]:
    privileged = inputs["privileged"]
    if privileged.unknown:
        yield Pending(privileged.path)
    elif privileged.value:
        fix = "remove it and add the one capability or device that is needed"
        yield Violation(privileged.path, shown(privileged), "a privileged container is root on the host", fix)
    yield from _capabilities(inputs["capabilities"]["adds"])


def _privileged_service(inputs: Node) -> Iterator[Finding]:
    yield from _capabilities(inputs["taskSpec"]["containerSpec"]["capAdds"])


def _capabilities(capabilities: Node) -> Iterator[Finding]:
    for capability in capabilities.items():
        if capability.unknown:
            yield Pending(capability.path)
        elif capability.text().upper().removeprefix("CAP_") not in _CAPABILITIES:
            why = "it is a way to the host, as a privileged container has"
            fix = f"remove it; allowed: {', '.join(sorted(_CAPABILITIES))}"
            yield Violation(capability.path, shown(capability), why, fix)


def _devices(inputs: Node) -> Iterator[Finding]:
    for device in inputs["devices"].items():
        path = device["hostPath"]
        if path.unknown:
            yield Pending(path.path)
        elif not is_harmless_device(path.text()):
            why = "whoever has a disk, the memory or another device of the host has the host"
            fix = "remove it; allowed: GPUs, sound, video, /dev/kvm, /dev/net/tun, /dev/null and its like"
            yield Violation(path.path, shown(path), why, fix)


def _confinement(inputs: Node) -> Iterator[Finding]:
    for option in inputs["securityOpts"].items():
        if option.unknown:
            yield Pending(option.path)
        elif _LOOSE_OPTIONS.fullmatch(option.text().strip()):
            why = "it takes away what keeps a process from the host's kernel"
            yield Violation(option.path, shown(option), why, 'remove it, or set it to "no-new-privileges"')
    parent = inputs["cgroupParent"]
    cgroup = posixpath.normpath("/" + parent.text())
    if parent.unknown:
        yield Pending(parent.path)
    elif parent.value and (
        ".." in parent.text().split("/") or cgroup.lstrip("/") in _HOST_CGROUPS or cgroup.strip("/") == ""
    ):
        why = "the container counts as the host's own processes"
        yield Violation(
            parent.path, shown(parent), why, 'remove it, or name a slice of its own ("apps.slice")'
        )


def _service_confinement(inputs: Node) -> Iterator[Finding]:
    linux = inputs["taskSpec"]["containerSpec"]["privileges"]["seLinuxContext"]
    disabled, label = linux["disable"], linux["type"]
    for node, loose in ((disabled, bool(disabled.value)), (label, label.value == "spc_t")):
        if node.unknown:
            yield Pending(node.path)
        elif loose:
            why = "it takes away what keeps a process from the host's files"
            yield Violation(node.path, shown(node), why, "remove it")


def _namespaces(inputs: Node) -> Iterator[Finding]:
    for key, what in (
        (
            "networkMode",
            "network: every port it opens is open on the host, and it reaches what listens on loopback",
        ),
        ("pidMode", "processes: it can see and signal all of them"),
        ("ipcMode", "shared memory"),
        ("usernsMode", "users: root in it is root on the host"),
        ("cgroupnsMode", "control groups"),
    ):
        mode = inputs[key]
        if mode.unknown:
            yield Pending(mode.path)
        elif mode.value == "host":
            fix = "join a bridge network" if key == "networkMode" else "remove it"
            yield Violation(mode.path, shown(mode), f"the container shares the host's {what}", fix)
        elif mode.text().startswith("container:"):
            why = "it shares a container that may be anybody's, or the host's, and a name cannot tell"
            fix = "let both join one network" if key == "networkMode" else "remove it"
            yield Violation(mode.path, shown(mode), why, fix)
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


# A host path, and what says that it is mounted read-only.
HostPath = tuple[Node, Node]
Places = Callable[[Node], Iterator[HostPath]]
Volumes = Callable[[Node], Iterator[Volume]]


def _container_paths(inputs: Node) -> Iterator[HostPath]:
    yield from _mounts(inputs["mounts"])
    for volume in inputs["volumes"].items():
        # Docker takes a volume name that starts with a slash for a host path.
        yield volume["hostPath"], volume["readOnly"]
        yield volume["volumeName"], volume["readOnly"]


def _service_paths(inputs: Node) -> Iterator[HostPath]:
    yield from _mounts(inputs["taskSpec"]["containerSpec"]["mounts"])


def _mounts(mounts: Node) -> Iterator[HostPath]:
    for mount in mounts.items():
        yield mount["source"], mount["readOnly"]
    yield from _folders_of(_mounted(mounts))


def _volume_path(inputs: Node) -> Iterator[HostPath]:
    yield from _folders_of(_volume(inputs))


def _folders_of(volumes: Iterator[Volume]) -> Iterator[HostPath]:
    # A local volume with `o: bind` is a bind mount by another name.
    yield from (folder for folder in map(host_folder, volumes) if folder)


def _mounted(mounts: Node) -> Iterator[Volume]:
    for mount in mounts.items():
        options = mount["volumeOptions"]
        yield options["driverName"], options["driverOptions"], mount["readOnly"]


def _container_volumes(inputs: Node) -> Iterator[Volume]:
    yield from _mounted(inputs["mounts"])


def _service_volumes(inputs: Node) -> Iterator[Volume]:
    yield from _mounted(inputs["taskSpec"]["containerSpec"]["mounts"])


def _volume(inputs: Node) -> Iterator[Volume]:
    yield inputs["driver"], inputs["driverOpts"], Node("", value=False)


def _relative(inputs: Node) -> Iterator[Node]:
    """Sources of bind mounts that are no absolute paths."""
    mounts = (mount for mount in inputs["mounts"].items() if mount["type"].value == "bind")
    for source in (
        *(mount["source"] for mount in mounts),
        *(v["hostPath"] for v in inputs["volumes"].items()),
    ):
        if source.value and not source.text().startswith("/"):
            yield source


def _sockets(places: Places) -> Check:
    def check(inputs: Node) -> Iterator[Finding]:
        for path, _ in places(inputs):
            if path.unknown:
                yield Pending(path.path)
            elif reaches_engine(path.text()):
                why = "whoever reaches the container engine's socket is root on the host"
                yield Violation(path.path, shown(path), why, _NARROW)

    return check


def _folders(places: Places, volumes: Volumes, host: Callable[[Node], Node]) -> Check:
    def check(inputs: Node) -> Iterator[Finding]:
        for path, read_only in places(inputs):
            if path.unknown:
                yield Pending(path.path)
                continue
            if reaches_engine(path.text()):
                continue  # told by the rule about the socket
            if read_only.unknown and not host_danger(path.text(), read_only=True):
                if host_danger(path.text(), read_only=False):
                    yield Pending(read_only.path)
                continue
            danger = host_danger(path.text(), read_only=bool(read_only.value))
            if danger:
                yield Violation(path.path, shown(path), danger, _NARROW)
        for source in _relative(host(inputs)):
            yield Violation(
                source.path, shown(source), "a path of the host is absolute", "write it from / on"
            )
        for volume in volumes(inputs):
            yield from volume_findings(volume)

    return check


RULES: Final = (
    Rule(
        "no-privileged",
        "No container is privileged, nor has a capability that comes to the same.",
        {CONTAINER: _privileged, SERVICE: _privileged_service},
    ),
    Rule(
        "no-host-namespaces",
        "No container shares the network, processes, IPC, control groups or users of the host.",
        {CONTAINER: _namespaces, SERVICE: _service_namespaces},
    ),
    Rule(
        "no-docker-socket",
        "No container reaches a container engine's socket.",
        {
            CONTAINER: _sockets(_container_paths),
            SERVICE: _sockets(_service_paths),
            VOLUME: _sockets(_volume_path),
        },
    ),
    Rule(
        "no-host-folders",
        "No container gets the host's system folders, its kernel's switches or its users' keys.",
        {
            CONTAINER: _folders(_container_paths, _container_volumes, lambda inputs: inputs),
            SERVICE: _folders(
                _service_paths, _service_volumes, lambda inputs: inputs["taskSpec"]["containerSpec"]
            ),
            VOLUME: _folders(_volume_path, _volume, lambda inputs: inputs),
        },
    ),
    Rule(
        "no-host-devices",
        "No container gets a disk, the memory or another device that is the host.",
        {CONTAINER: _devices},
    ),
    Rule(
        "confinement",
        "No container loosens what confines it: seccomp, AppArmor, SELinux, masked paths, control groups.",
        {CONTAINER: _confinement, SERVICE: _service_confinement},
    ),
)
