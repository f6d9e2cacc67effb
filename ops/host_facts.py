"""The host that an engine runs on, measured: room, memory, listening ports, and what the engine has there.

Where the engine is on this machine, this machine is looked at. Of another one the engine tells some, and a
one-shot container of an image that is there the rest (`df` of its root is that of the engine's data).
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops import one_shot
from ops.engine import failures, in_words
from ops.errors import UserError
from stacks import gpu_host

if TYPE_CHECKING:
    from docker import DockerClient

    from ops.engine import Engine

EVERY = "0.0.0.0"  # noqa: S104 - to compare with
DEFAULT_ROOT = Path("/var/lib/docker")
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_LISTENING = "0A"
_MARK = "--berth--"
# Thousands of connections are no concern of the look, and its log is short. Without grep nothing is known.
_SCRIPT = f"""
df -Pk / 2>/dev/null; echo {_MARK}
grep -hs ' {_LISTENING} ' {" ".join(_TABLES)}; [ $? -ne 127 ] || exit
echo {_MARK}; cat {gpu_host.DRIVER} 2>/dev/null
"""
_CONTAINERD = Path("/var/lib/containerd")

Listener = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """What is known of the host. Sizes in bytes.

    here: it is this machine. untold: why disk, listening and driver are not known; "" when they are.
    unheard: the same for listening alone. disk: free where the engine keeps its data. root: what was measured
    for it, in words. up: the stack has containers there, even stopped ones. rootless: the engine. listening:
    addresses and TCP ports. driver: of NVIDIA; None: the host has none. containers (those that run) and
    networks: as the engine's API lists them. runtimes: of OCI. cdi: whether the engine knows the Container
    Device Interface.
    """

    here: bool
    memory: int
    untold: str = ""
    unheard: str = ""
    up: bool = False
    rootless: bool = False
    disk: int = 0
    root: str = ""
    listening: frozenset[Listener] = frozenset()
    driver: str | None = None
    containers: tuple[dict[str, Any], ...] = ()
    networks: tuple[dict[str, Any], ...] = ()
    runtimes: frozenset[str] = frozenset()
    cdi: bool = False


def without_engine() -> HostFacts:
    """Of this machine, on which the first `up` installs an engine."""
    return HostFacts(
        here=True,
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        disk=shutil.disk_usage(next(it for it in (DEFAULT_ROOT, *DEFAULT_ROOT.parents) if it.exists())).free,
        root=str(DEFAULT_ROOT),
        listening=_listening_here(),
        driver=gpu_host.driver(),
    )


def measure(engine: Engine, client: DockerClient, images: Sequence[str], *, stack: str) -> HostFacts:
    """Of the host that this engine runs on. images: what may be asked with, the best first."""
    info = client.info()
    root = root_here(engine, info)
    known: dict[str, Any] = {
        "here": root is not None,
        "memory": int(info["MemTotal"]),
        "root": str(info["DockerRootDir"]),
        "rootless": "name=rootless" in (info.get("SecurityOptions") or ()),
        "up": bool(client.api.containers(all=True, filters={"label": f"berth.stack={stack}"})),
        "containers": tuple(client.api.containers()),
        "networks": tuple(client.api.networks()),
        "runtimes": frozenset(info.get("Runtimes") or ()),
        "cdi": bool(info.get("CDISpecDirs")),
    }
    if root is not None:
        free, measured = min((shutil.disk_usage(it).free, str(it)) for it in _stores(root, info))
        return HostFacts(
            **known | {"root": measured},
            disk=free,
            listening=_listening_here(),
            driver=gpu_host.driver(),
        )
    known["unheard"] = _unheard(info)
    if _in_containerd(info):
        known["root"] = f"{_CONTAINERD} (its images; volumes lie in {info['DockerRootDir']})"
    there = one_shot.images_there(client, images)
    if not there:
        return HostFacts(**known, untold="its engine has no image of this stack to ask with yet")
    # Of an engine that remaps users, only a container that is not remapped may see the host's network.
    host = {"NetworkMode": "host", "UsernsMode": "host"}
    try:
        # The status is that of its last command, which fails where there is no driver.
        image, _, output = one_shot.ask_any(client, there, _SCRIPT, host=host, stack=stack, stderr=False)
    except UserError as error:
        return HostFacts(**known, untold=error.cause)
    except failures() as error:
        return HostFacts(**known, untold=in_words(error))
    try:
        return HostFacts(**known, **told(output))
    except (ValueError, IndexError):
        return HostFacts(**known, untold=f"a container of {image} says nothing that can be read")


def _in_containerd(info: Mapping[str, Any]) -> bool:
    """Whether images are kept by containerd, beside the engine's own folder."""
    return any("io.containerd.snapshotter.v1" in pair for pair in info.get("DriverStatus") or ())


def _stores(root: Path, info: Mapping[str, Any]) -> list[Path]:
    """Where images and volumes lie on this machine."""
    return [root, _CONTAINERD] if _in_containerd(info) and _CONTAINERD.exists() else [root]


def _unheard(info: Mapping[str, Any]) -> str:
    """Why a container in the host's network does not see the host's; "" when it does."""
    if info.get("OperatingSystem") == "Docker Desktop":
        return "Docker Desktop runs its containers in a machine of their own"
    if "name=rootless" in (info.get("SecurityOptions") or ()):
        return "the engine is rootless, and its containers do not see the host's network"
    return ""


def root_here(engine: Engine, info: dict[str, Any]) -> Path | None:
    """Where the engine keeps images and volumes; None when that is not on this machine, or not known."""
    root = Path(info["DockerRootDir"])
    # A socket may lead elsewhere: into Docker Desktop's machine, or out of the container that this runs in.
    own = engine.host.startswith("unix://") and info.get("Name") == socket.gethostname()
    try:
        return root if own and root.exists() else None
    except OSError:  # in a folder that this user may not enter
        return None


def told(output: str) -> dict[str, Any]:
    """The facts that the script's output tells. Raises ValueError for anything else."""
    room, sockets, driver = output.split(f"{_MARK}\n")
    return {
        "disk": int(room.splitlines()[-1].split()[-3]) * 1024,
        "listening": frozenset(listening(sockets)),
        "driver": gpu_host.version(driver),
    }


def listening(tables: str) -> Iterator[Listener]:
    """Addresses and ports that /proc/net/tcp and tcp6 have as listened on; only what IPv4 may meet there."""
    for address, port, _ in _sockets(tables):
        yield address, port


def _sockets(tables: str) -> Iterator[tuple[str, int, str]]:
    """The same, each with its inode; "" where the line is cut before it."""
    for line in tables.splitlines():
        columns = line.split()
        if len(columns) < 4 or columns[3] != _LISTENING or ":" not in columns[1]:
            continue
        address, _, port = columns[1].partition(":")
        if (found := _ipv4(bytes.fromhex(address))) is not None:
            yield found, int(port, 16), columns[9] if len(columns) > 9 else ""


def _ipv4(raw: bytes) -> str | None:
    """An address as the kernel writes it: words of four bytes, each turned around."""
    turned = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    if len(turned) == 4:
        return str(IPv4Address(turned))
    address = IPv6Address(turned)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return EVERY if address == IPv6Address("::") else None


def sockets_here() -> list[tuple[str, int, str]]:
    """What listens on this machine: address, port, inode."""
    tables = [Path(table) for table in _TABLES]
    return list(_sockets("".join(table.read_text() for table in tables if table.exists())))


def _listening_here() -> frozenset[Listener]:
    return frozenset((address, port) for address, port, _ in sockets_here())
