"""The image that tests start containers from: a static busybox of two megabytes, made here, not pulled."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import docker
import pytest

BUSYBOX = "berth-test/busybox:1"


def _static_busybox(folder: Path) -> bytes:
    """The binary of Debian's `busybox-static`, from PATH if it is there, else from the package archive."""
    found = shutil.which("busybox")
    if found and b"ld-linux" not in (binary := Path(found).read_bytes()):
        return binary
    subprocess.run(
        ["apt-get", "download", "-q", "busybox-static"], cwd=folder, check=True, capture_output=True
    )
    package = next(folder.glob("busybox-static_*.deb"))
    subprocess.run(["dpkg-deb", "-x", str(package), str(folder / "root")], check=True, capture_output=True)
    return next(p for p in folder.glob("root/**/bin/busybox") if p.is_file()).read_bytes()


def busybox_rootfs() -> bytes:
    """A tar of a root file system: busybox, a link for each command, the files that programs expect."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        binary = _static_busybox(folder)
        executable = folder / "busybox"
        executable.write_bytes(binary)
        executable.chmod(0o755)
        listing = subprocess.run([executable, "--list"], check=True, capture_output=True, text=True)
        commands = listing.stdout.split()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:

        def add(
            path: str, data: bytes = b"", *, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, to: str = ""
        ) -> None:
            info = tarfile.TarInfo(path)
            info.type, info.mode, info.linkname, info.size = kind, mode, to, len(data)
            tar.addfile(info, io.BytesIO(data))

        for directory in ("bin", "etc", "root", "var", "srv"):
            add(directory, kind=tarfile.DIRTYPE, mode=0o755)
        add("tmp", kind=tarfile.DIRTYPE, mode=0o1777)
        add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
        add("etc/group", b"root:x:0:\nnogroup:x:65534:\n")
        add("bin/busybox", binary, mode=0o755)
        for command in commands:
            if command != "busybox":
                add(f"bin/{command}", kind=tarfile.SYMTYPE, mode=0o777, to="busybox")
    return out.getvalue()


def ensure_busybox(client: docker.DockerClient) -> str:
    """Import the image into the engine unless it is there; its name."""
    try:
        client.images.get(BUSYBOX)
    except docker.errors.ImageNotFound:
        repository, tag = BUSYBOX.rsplit(":", 1)
        client.api.import_image_from_data(
            busybox_rootfs(), repository=repository, tag=tag, changes=["ENV PATH=/bin", 'CMD ["sh"]']
        )
    return BUSYBOX


@pytest.fixture(scope="session")
def busybox_image() -> str:
    """The name of the busybox image, present in the default engine."""
    client = docker.from_env()
    try:
        return ensure_busybox(client)
    finally:
        client.close()
