"""How a container tells whether a folder that it was given lies on an encrypted disk (dm-crypt)."""

from __future__ import annotations


def must_be_encrypted(
    folder: str, *, told: str, system: str = "/sys", mounts: str = "/proc/self/mountinfo"
) -> str:
    """POSIX shell text that calls the script's `refuse CAUSE FIX` unless the file system of `folder` is.

    folder: a mount point in the container. told: its name in the message. A device counts when it is dm-crypt
    itself, or when all that it is made of (as LVM over LUKS is) does.
    """
    return f"""\
crypt() {{
    case $(cat "{system}/dev/block/$1/dm/uuid" 2>/dev/null) in CRYPT-*) return 0 ;; esac
    for below in "{system}/dev/block/$1/slaves"/*; do
        [ -e "$below/dev" ] || return 1
        crypt "$(cat "$below/dev")" || return 1
    done
}}
device=$(awk '$5 == "{folder}" {{ device = $3 }} END {{ print device }}' {mounts})
crypt "$device" || refuse "{told} lies on device $device, which is not encrypted (dm-crypt)" \\
    'open an encrypted device (cryptsetup open), mount it there, or choose the storage kind directory'
"""
