"""Which folders, files and devices of the host a container must not get."""

from __future__ import annotations

import posixpath
import re
from typing import Final

# Whoever may write to one of these is root on the host.
_SOCKETS: Final = (
    "/run/docker.sock",
    "/run/buildkit/buildkitd.sock",
    "/run/containerd/containerd.sock",
    "/run/crio/crio.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/podman/podman.sock",
)
_SOCKET_NAMES: Final = frozenset(posixpath.basename(socket) for socket in _SOCKETS)
_ROOTLESS: Final = re.compile(r"/run/user(/\d+)?")  # a rootless engine's socket lies below

# Not these, nothing below and nothing above, not even to read: keys, passwords, the kernel's switches.
_SEALED: Final = (
    *(
        "/boot",
        "/dev",
        "/etc",
        "/proc",
        "/root",
        "/run/buildkit",
        "/run/containerd",
        "/run/crio",
        "/run/dbus",
    ),
    *("/run/docker", "/run/podman", "/run/systemd", "/sys"),
    *("/var/backups", "/var/spool/cron", "/var/lib/cloud", "/var/lib/containerd", "/var/lib/containers"),
    *("/var/lib/docker", "/var/lib/kubelet"),
    # Other daemons that start whatever they are told to, as root.
    *("/run/k3s", "/run/libvirt", "/run/snapd-snap.socket", "/run/snapd.socket", "/var/lib/incus"),
    *("/var/lib/libvirt", "/var/lib/lxd", "/var/lib/rancher", "/var/snap/docker", "/var/snap/lxd"),
)
# Below the above, and yet anybody may read them.
_READABLE: Final = (
    *("/etc/ca-certificates", "/etc/hosts", "/etc/localtime", "/etc/os-release", "/etc/pki/ca-trust"),
    *("/etc/resolv.conf", "/etc/ssl/certs", "/etc/timezone"),
)
# The host runs what lies here: to read, not to write.
_PROGRAMS: Final = (
    *(
        "/bin",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/sbin",
        "/snap",
        "/usr",
        "/var/lib/dpkg",
        "/var/lib/rpm",
    ),
)
_KEY_FOLDERS: Final = frozenset({".aws", ".docker", ".gnupg", ".kube", ".ssh"})
# What a user's programs and logins read. A cache is for sharing.
_HOME: Final = re.compile(r"/home(/[^/]+(/\.(?!cache(?:/|$))[^/]+(/.*)?)?)?")
_DEVICES: Final = re.compile(
    r"/dev/(?:nvidia(?:ctl|-modeset|-uvm|-uvm-tools|\d+|-caps/nvidia-cap\d+)|dri(?:/(?:card|renderD)\d+)?|kfd|kvm"
    r"|net/tun|snd(?:/\w+)?|video\d+|full|null|random|urandom|zero)"
)
_CDI: Final = re.compile(r"[\w.-]+/[\w.-]+=[\w.:-]+")


def _normal(path: str) -> str:
    path = "/" + posixpath.normpath(path).lstrip("/")
    return path.removeprefix("/var") if path == "/var/run" or path.startswith("/var/run/") else path


def _within(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def reaches_engine(path: str) -> bool:
    """Whether a host path is a container engine's socket, or a directory above one."""
    if not path.startswith("/"):
        return False
    path = _normal(path)
    above = path.rstrip("/") + "/"
    return (
        path == "/var"  # holds the link to /run
        or posixpath.basename(path) in _SOCKET_NAMES
        or any(socket.startswith(above) for socket in _SOCKETS)
        or _ROOTLESS.fullmatch(path) is not None
    )


def host_danger(path: str, *, read_only: bool) -> str | None:
    """What a container can do to the host with this host path; None for a path that it may have."""
    if not path.startswith("/"):
        return None
    if ".." in path.split("/"):
        return "a link on the way makes .. lead elsewhere (/var/run/../etc is /etc)"
    path = _normal(path)
    above = path.rstrip("/") + "/"
    if _within(path, _READABLE):
        return None if read_only else "the host reads its own settings from it"
    if _within(path, _SEALED) or any(folder.startswith(above) for folder in _SEALED):
        return "it holds what makes the container root on the host, even read-only"
    if _HOME.fullmatch(path) or _KEY_FOLDERS.intersection(path.split("/")):
        return "it holds the keys of the host's users"
    if not read_only and _within(path, _PROGRAMS):
        return "the host runs the programs in it"
    return None


def is_harmless_device(name: str) -> bool:
    """Whether a container may have the device: GPUs, sound, video, tunnels, and those that hold nothing."""
    if not name.startswith("/"):
        return _CDI.fullmatch(name) is not None
    return ".." not in name.split("/") and _DEVICES.fullmatch(_normal(name)) is not None
