"""workloads/base/build.sh with a debootstrap and a chroot that do nothing but what the script reads."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from ops.base_image import FOLDER

DEBOOTSTRAP = """#!/bin/sh
shift 3
for folder in etc/apt/apt.conf.d etc/dpkg/dpkg.cfg.d usr/sbin usr/share/doc/bash \\
    usr/local/share/ca-certificates; do
    mkdir -p "$1/$folder"
done
echo "deb http://mirror.example/debian bookworm main" >"$1/etc/apt/sources.list"
echo free >"$1/usr/share/doc/bash/copyright"
echo long >"$1/usr/share/doc/bash/changelog"
[ ! -e "$FAILS" ] || exit 1
"""


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {
        "debootstrap": DEBOOTSTRAP,
        "chroot": "#!/bin/sh\n",
        "id": "#!/bin/sh\necho 0\n",
        # Nothing is mounted: debootstrap has its /proc unmounted itself.
        "umount": "#!/bin/sh\nexit 32\n",
    }.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def build(commands: Path, output: Path) -> subprocess.CompletedProcess[str]:
    scratch = output.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    return subprocess.run(
        ["sh", str(FOLDER / "build.sh"), str(output)],
        env={
            "PATH": f"{commands}:{os.environ['PATH']}",
            "TMPDIR": str(scratch),
            "SSL_CERT_FILE": str(output.parent / "none"),
            "FAILS": str(output.parent / "fails"),
        },
        capture_output=True,
        text=True,
    )


def test_a_base_is_made_and_nothing_else_is_left(commands: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "base.tar"
    output.parent.mkdir()
    done = build(commands, output)
    assert done.returncode == 0, done.stderr
    with tarfile.open(output) as archive:
        names = set(archive.getnames())
        sources = archive.extractfile("./etc/apt/sources.list")
        assert sources and sources.read().decode().splitlines() == [
            "deb http://mirror.example/debian bookworm main",
            "deb http://mirror.example/debian bookworm-updates main",
            "deb http://mirror.example/debian-security bookworm-security main",
        ]
    assert "./usr/share/doc/bash/copyright" in names and "./usr/share/doc/bash/changelog" not in names
    assert [path.name for path in output.parent.iterdir() if path.name != "scratch"] == ["base.tar"]
    assert not list((output.parent / "scratch").iterdir())


def test_a_debootstrap_that_fails_is_told_and_leaves_nothing(commands: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "base.tar"
    output.parent.mkdir()
    (output.parent / "fails").touch()
    done = build(commands, output)
    assert done.returncode == 1 and "base: debootstrap failed; is the mirror reachable?" in done.stderr
    assert not output.exists() and not list((output.parent / "scratch").iterdir())
