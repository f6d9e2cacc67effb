"""What a volume shows its containers: the engine's own storage, or by its options a part of the host.

The engine's driver `local` hands `type`, `o` and `device` to the kernel as they are. So a device is
one of four things, and what is none of them is refused by name:

- a folder of the host, with `bind` or `rbind` in `o` whatever the type, or with the type `none`: absolute,
  as the engine would look for a relative one below its own working directory, and judged as any mount is;
- memory: type `tmpfs`;
- a share of another machine: type `nfs`, `nfs4` (`[SERVER]:/PATH`) or `cifs` (`//SERVER/SHARE`), and not
  of the host itself by way of loopback;
- a device that an operator opened for the purpose, such as an encrypted one: `/dev/mapper/NAME` with the type
  of its file system. Not a disk or partition (`/dev/sda1`), nor one that installers name for the host itself:
  whoever has that file system has the host.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from policies.exposure import is_loopback
from policies.host_paths import host_danger
from policies.node import Node
from policies.rule import Finding, Pending, Violation, shown

_SHARES: Final = {
    "cifs": re.compile(r"//[^/\s]+/\S.*"),
    "nfs": re.compile(r"[^/\s]*:/.*"),
    "nfs4": re.compile(r"[^/\s]*:/.*"),
}
_THIS_HOST: Final = frozenset({"0.0.0.0", "::", "localhost", "ip6-localhost", "ip6-loopback"})  # noqa: S104
_SERVER: Final = re.compile(r"//([^/\s]+)/.*|\[([^\]]*)\]:/.*|([^/\s]*):/.*")
_ADDRESS: Final = re.compile(r"(?:addr|ip|mountaddr)=(.*)")
_DISKS: Final = frozenset({"btrfs", "ext4", "xfs"})
_FOLDERS: Final = frozenset({"bind", "none"})
_TYPES: Final = frozenset({*_SHARES, *_DISKS, *_FOLDERS, "tmpfs"})
_OPENED: Final = re.compile(r"/dev/mapper/[A-Za-z0-9][A-Za-z0-9_.+-]*")
# control: the mapper itself. The others: what the installers of distributions call the system's own.
_HOSTS_OWN: Final = re.compile(
    r"control|.*(?:root|swap).*|.*vg-.*|(?:dm_crypt|luks)-.*|(?:sd|vd|xvd|nvme|mmcblk)\w+_crypt",
    re.IGNORECASE,
)
_NARROW: Final = "name the one folder that is needed"

# What a resource says of one volume: the driver, its options, and whether the container may only read it.
Volume = tuple[Node, Node, Node]


def _flags(options: Node) -> list[str]:
    return [flag.strip().lower() for flag in options["o"].text().split(",")]


def _folder(kind: str, flags: list[str]) -> bool:
    return kind in _FOLDERS or kind == "" or not {"bind", "rbind"}.isdisjoint(flags)


def host_folder(volume: Volume) -> tuple[Node, Node] | None:
    """The option that names a folder of the host, and what says that it is read only; None for others."""
    driver, options, read_only = volume
    device, kind = options["device"], options["type"]
    if driver.text() not in ("", "local"):
        return None
    known = not (kind.unknown or options["o"].unknown)
    if known and not _folder(kind.text(), _flags(options)):
        return None
    return device, replace(read_only, value=bool(read_only.value) or "ro" in _flags(options))


def volume_findings(volume: Volume) -> Iterator[Finding]:
    """What is wrong with a volume whose device is no folder of the host, or not told as one."""
    driver, options, read_only = volume
    if driver.unknown or driver.text() not in ("", "local"):
        yield from _foreign(driver, options, read_only)
        return
    device, kind, flags = options["device"], options["type"], options["o"]
    if kind.unknown or flags.unknown:
        yield from (Pending(node.path) for node in (kind, flags) if node.unknown)
        return
    if kind.text() not in {*_TYPES, ""}:
        why = "the volume could show the host's own files or its kernel's"
        yield Violation(kind.path, shown(kind), why, f"allowed: {', '.join(sorted(_TYPES))}")
        return
    found = None if device.unknown else _fault(device.text(), kind.text(), _flags(options))
    if found:
        yield Violation(device.path, shown(device), *found)


def _fault(device: str, kind: str, flags: list[str]) -> tuple[str, str] | None:
    """Why the device is none of the four things, and the fix."""
    if _folder(kind, flags):
        if device and not device.startswith("/"):
            return (
                "the engine looks for it below its own working directory, which is the host's root",
                _NARROW,
            )
        return None  # judged as every folder is
    if kind in _SHARES:
        if not _SHARES[kind].fullmatch(device):
            form = "//SERVER/SHARE" if kind == "cifs" else "SERVER:/PATH, or :/PATH with addr= in `o`"
            return "it is no share of another machine", f"write {form}"
        if any(map(_is_this_host, _servers(device, flags))):
            return "loopback is the host itself, and its exports are its own files", "name another machine"
        return None
    if kind == "tmpfs":
        return None if re.fullmatch(r"[\w-]*", device) else ("memory has no path", 'write "tmpfs"')
    if not _OPENED.fullmatch(device):
        return (
            "a disk or partition of the host may hold the host itself",
            "open a device for the purpose, and name it: /dev/mapper/NAME",
        )
    if _HOSTS_OWN.fullmatch(device.removeprefix("/dev/mapper/")):
        return "by its name it holds the host's own system", "give the device a name of its own"
    return None


def _servers(device: str, flags: list[str]) -> list[str]:
    matches = (_SERVER.fullmatch(device), *(_ADDRESS.fullmatch(flag) for flag in flags))
    return [group for match in matches if match for group in match.groups() if group]


def _is_this_host(server: str) -> bool:
    name = server.lower().rstrip(".").strip("[]")
    name = _full_address(name) or name
    return name in _THIS_HOST or name.endswith(".localhost") or is_loopback(name)


def _full_address(name: str) -> str | None:
    """An IPv4 address as the C library reads it: `127.1`, `0x7f000001`, `2130706433`."""
    try:
        return socket.inet_ntoa(socket.inet_aton(name))
    except (OSError, UnicodeError):
        return None


def _foreign(driver: Node, options: Node, read_only: Node) -> Iterator[Finding]:
    """Options of another driver: their meaning is its own, so what looks like a path is taken for one."""
    if driver.unknown:
        yield Pending(driver.path)
    elif options.unknown:
        yield Pending(options.path)
    for _, option in options.members():
        if option.unknown:
            yield Pending(option.path)
        elif danger := host_danger(option.text(), read_only=bool(read_only.value)):
            yield Violation(option.path, shown(option), danger, _NARROW)
