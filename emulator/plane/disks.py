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
        sed -n "s|^$1 \\([^ ]*\\) .*|\\1|p" /proc/1/mounts | sort -r | while read -r at; do
            umount "$at" || umount -l "$at"
        done
        rm -f "$1" "/dev/disk/by-id/virtio-$2"
    ' sh "$3" "${1#d-}"
fi
[ -z "$loop" ] || losetup -d "$loop"
[ -z "$(losetup -j "/disks/$1.img")" ] || { echo "the disk is still in use on the machine" >&2; exit 1; }
"""


# What is mounted is frozen while it is copied: the copy is of one moment, and all that was written is in it.
_SNAPSHOT = """
set -e
frozen=
if [ "$3" -gt 0 ]; then
    frozen=$(nsenter -t "$3" -m sed -n "s|^$4 \\([^ ]*\\) .*|\\1|p" /proc/1/mounts | head -n 1)
fi
thaw() { [ -z "$frozen" ] || nsenter -t "$1" -m fsfreeze -u "$frozen"; }
trap 'thaw "$3"' EXIT
[ -z "$frozen" ] || nsenter -t "$3" -m fsfreeze -f "$frozen"
[ -e "/disks/$1.img" ] || { echo "the disk has no file" >&2; exit 1; }
cp --sparse=always --reflink=auto "/disks/$1.img" "/disks/$2.part"
mv "/disks/$2.part" "/disks/$2.snap"
"""
_FILL = """
rm -f "/disks/$1.part"
[ -z "$3" ] || cp --sparse=always --reflink=auto "$3" "/disks/$1.part"
truncate -s "$2" "/disks/$1.part"
"""
_CREATE = f"""
set -e
[ ! -e "/disks/$1.img" ] || exit 0
{_FILL}
mv "/disks/$1.part" "/disks/$1.img"
"""
_RESTORE = f"""
set -e
{_FILL}
# A machine that is off leaves its device behind.
losetup -j "/disks/$1.img" | cut -d: -f1 | xargs -r losetup -d
[ -z "$(losetup -j "/disks/$1.img")" ] || {{ echo "the disk is in use" >&2; exit 1; }}
mv "/disks/$1.part" "/disks/$1.img"
"""


class Disks:
    """The files of the disks, and the devices that they are."""

    def __init__(self, engine: Engine, networks: Networks) -> None:
        self._engine = engine
        self._networks = networks

    def create(self, disk: Disk) -> None:
        """A sparse file, empty or as its snapshot; one that is there stays as it is."""
        source = f"/disks/{disk.snapshot}.snap" if disk.snapshot else ""
        self._sh(_CREATE, disk.id, f"{disk.size}G", source)

    def snapshot(self, disk: Disk, snapshot_id: str, process: int) -> None:
        """A copy of what is on the disk. process: of the machine that it is in, 0 where that does not run."""
        self._sh(_SNAPSHOT, disk.id, snapshot_id, str(process), seen_as(disk))

    def restore(self, disk: Disk, snapshot_id: str) -> None:
        """What the snapshot has, in the place of all that the disk has. No machine may have its device."""
        self._sh(_RESTORE, disk.id, f"{disk.size}G", f"/disks/{snapshot_id}.snap")

    def forget(self, snapshot_id: str) -> None:
        self._sh('rm -f "/disks/$1.snap" "/disks/$1.part"', snapshot_id)

    def snapshots(self) -> set[str]:
        """The ids of the snapshots that have a file."""
        found = self._sh("ls /disks").split()
        return {name.removesuffix(".snap") for name in found if name.endswith(".snap")}

    def grow(self, disk: Disk) -> None:
        """To its size; a machine that has it sees that at once. One that is not there yet is not made."""
        script = 'truncate -c -s "$2" "$1"; losetup -j "$1" | cut -d: -f1 | xargs -r losetup -c'
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
