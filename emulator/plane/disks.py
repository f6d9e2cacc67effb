"""Disks: files in one volume, each a loop device while a running machine has it."""

from __future__ import annotations

from emulator.plane.engine import Engine
from emulator.plane.networks import Networks
from emulator.services.ecs.model_instances import Disk

# The node is made in the machine's own /dev. by-id is how udev would call it: scripts find a disk by its id.
_ATTACH = """
set -e
file=/disks/$1.img
exec 9>/dev/shm/disks; flock 9
[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237
n=0
while [ $n -lt 256 ]; do [ -e /dev/loop$n ] || mknod /dev/loop$n b 7 $n; n=$((n + 1)); done
loop=$(losetup -j "$file" | cut -d: -f1 | head -n 1)
[ -n "$loop" ] || loop=$(losetup -f --show "$file")
minor=${loop#/dev/loop}
nsenter -t "$2" -m sh -ec '
    umask 117; rm -f "$1"; mknod "$1" b 7 "$2"; umask 022
    mkdir -p /dev/disk/by-id; ln -sf "$1" "/dev/disk/by-id/virtio-$3"
' sh "$3" "$minor" "${1#d-}"
"""
# What is mounted is unmounted first: a device that goes away under a file system loses what was not written.
_DETACH = """
set -e
loop=$(losetup -j "/disks/$1.img" | cut -d: -f1 | head -n 1)
if [ "$2" -gt 0 ]; then
    nsenter -t "$2" -m sh -c '
        sed -n "s|^$1 \\([^ ]*\\) .*|\\1|p" /proc/self/mounts | sort -r | while read -r at; do
            umount "$at" || umount -l "$at"
        done
        rm -f "$1" "/dev/disk/by-id/virtio-$2"
    ' sh "$3" "${1#d-}"
fi
[ -z "$loop" ] || losetup -d "$loop"
[ -z "$(losetup -j "/disks/$1.img")" ] || { echo "the disk is still in use on the machine" >&2; exit 1; }
"""


class Disks:
    """The files of the disks, and the devices that they are."""

    def __init__(self, engine: Engine, networks: Networks) -> None:
        self._engine = engine
        self._networks = networks

    def create(self, disk: Disk) -> None:
        """A sparse file; it grows as it is written to."""
        self._sh('[ -e "$1" ] || truncate -s "$2" "$1"', f"/disks/{disk.id}.img", f"{disk.size}G")

    def grow(self, disk: Disk) -> None:
        """To its size. A machine that has it sees that at once."""
        script = 'truncate -s "$2" "$1"; losetup -j "$1" | cut -d: -f1 | xargs -r losetup -c'
        self._sh(script, f"/disks/{disk.id}.img", f"{disk.size}G")

    def attach(self, disk: Disk, process: int) -> None:
        """Into a running machine, by its first process."""
        self.create(disk)
        self._sh(_ATTACH, disk.id, str(process), seen_as(disk))

    def detach(self, disk: Disk, device: str, process: int) -> None:
        """Out of it. process: 0 where the machine does not run. Raises ScriptError while it is held."""
        self._sh(_DETACH, disk.id, str(process), device.replace("/dev/xvd", "/dev/vd"))

    def delete(self, disk_id: str) -> None:
        script = 'losetup -j "$1" | cut -d: -f1 | xargs -r losetup -d; rm -f "$1"'
        self._sh(script, f"/disks/{disk_id}.img")

    def present(self) -> set[str]:
        """The ids of the disks that have a file."""
        return {name.removesuffix(".img") for name in self._sh("ls /disks").split() if name.endswith(".img")}

    def release(self) -> None:
        """Give all devices back: before the volume with the files is removed."""
        self._sh('for f in /disks/*.img; do losetup -j "$f" | cut -d: -f1 | xargs -r losetup -d; done')

    def _sh(self, script: str, *arguments: str) -> str:
        return self._engine.run(self._networks.plumber(), ["sh", "-c", script, "sh", *arguments])


def seen_as(disk: Disk) -> str:
    """The API says /dev/xvdb; the machine's kernel has it as /dev/vdb."""
    return disk.device.replace("/dev/xvd", "/dev/vd")
