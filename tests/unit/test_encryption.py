"""Encrypted disks as the kernel shows them, in a tree of files: this machine may have no device mapper."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from components.containers.encryption import must_be_encrypted

MOUNTS = """\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 253:2 /data /var/lib/things rw - ext4 /dev/mapper/data rw
"""
PLAIN = {"8:1": (None, [])}
LUKS = {"253:2": ("CRYPT-LUKS2-0123-data", ["8:1"]), **PLAIN}
LVM_ON_LUKS = {"253:2": ("LVM-abc", ["253:1"]), "253:1": ("CRYPT-LUKS2-0123-disk", ["8:1"]), **PLAIN}
LVM = {"253:2": ("LVM-abc", ["8:1"]), **PLAIN}
HALF = {"253:2": ("LVM-abc", ["253:1", "8:1"]), "253:1": ("CRYPT-LUKS2-0123-disk", []), **PLAIN}


def checked(
    tmp_path: Path, devices: dict[str, tuple[str | None, list[str]]]
) -> subprocess.CompletedProcess[str]:
    for device, (uuid, below) in devices.items():
        folder = tmp_path / "sys/dev/block" / device
        (folder / "slaves").mkdir(parents=True)
        (folder / "dev").write_text(device + "\n")
        if uuid:
            (folder / "dm").mkdir()
            (folder / "dm/uuid").write_text(uuid + "\n")
        for other in below:
            (folder / "slaves" / other.replace(":", "-")).symlink_to(tmp_path / "sys/dev/block" / other)
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    text = must_be_encrypted(
        "/var/lib/things", told="/opt/things", system=str(tmp_path / "sys"), mounts=str(mounts)
    )
    script = 'refuse() { echo "$1"; echo "fix: $2"; exit 1; }\n' + text
    return subprocess.run(["sh", "-u"], input=script, text=True, capture_output=True)


@pytest.mark.parametrize("devices", [LUKS, LVM_ON_LUKS], ids=["luks", "lvm on luks"])
def test_an_encrypted_disk_is_taken(tmp_path: Path, devices: dict[str, tuple[str | None, list[str]]]) -> None:
    done = checked(tmp_path, devices)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("devices", [PLAIN, LVM, HALF], ids=["plain", "lvm", "half"])
def test_another_disk_is_refused_by_name(
    tmp_path: Path, devices: dict[str, tuple[str | None, list[str]]]
) -> None:
    done = checked(tmp_path, devices)
    assert done.returncode == 1
    assert "/opt/things lies on device 253:2, which is not encrypted (dm-crypt)" in done.stdout
    assert "fix: open an encrypted device" in done.stdout
