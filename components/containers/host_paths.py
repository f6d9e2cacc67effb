"""Which of the host's paths a container must not have; the policy pack draws the same line on its own."""

from __future__ import annotations

import posixpath
import re
from typing import Final

# An engine's socket lies here, by its name or somewhere below its folder.
_SOCKET: Final = re.compile(r"(?:/.*)?/(?:buildkitd|containerd|crio|docker|podman)\.sock|/run/user(?:/\d+)?")
# Not these, nothing below and nothing above, not even to read.
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
    *("/run/docker", "/run/podman", "/run/systemd", "/sys", "/var/backups", "/var/run"),
    *("/var/spool/cron", "/var/lib/cloud", "/var/lib/containerd", "/var/lib/containers", "/var/lib/docker"),
    # Other daemons that start whatever they are told to, as root.
    *("/var/lib/kubelet", "/run/k3s", "/run/libvirt", "/run/snapd-snap.socket", "/run/snapd.socket"),
    *("/var/lib/incus", "/var/lib/libvirt", "/var/lib/lxd", "/var/lib/rancher", "/var/snap/docker"),
    "/var/snap/lxd",
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
# A hidden file in a home is read by the user's programs and logins; a cache is for sharing.
_USERS: Final = re.compile(
    r"/home(?:/[^/]+)?|/home/[^/]+/\.(?!cache(?:/|$))[^/]+(?:/.*)?|.*/\.(?:aws|docker|gnupg|kube|ssh)(?:/.*)?"
)


def host_danger(path: str, *, read_only: bool) -> str | None:
    """Why a container must not have this path of the host; None for a path that it may have."""
    if not path.startswith("/"):
        return "a path of the host is absolute"
    if ".." in path.split("/"):
        return "a link on the way makes .. lead elsewhere (/var/run/../etc is /etc)"
    path = "/" + posixpath.normpath(path).lstrip("/")
    path = re.sub(r"^/var/run(?=/)", "/run", path)
    if _SOCKET.fullmatch(path):
        return "the engine's socket hands over the whole host"
    if _within(path, _READABLE):
        return None if read_only else "the host reads its own settings from it"
    if _within(path, _SEALED) or any(folder.startswith(path.rstrip("/") + "/") for folder in _SEALED):
        return "it holds what hands over the whole host, even read-only"
    if _USERS.fullmatch(path):
        return "it holds the keys of the host's users"
    return "the host runs the programs in it" if not read_only and _within(path, _PROGRAMS) else None


def _within(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in folders)
