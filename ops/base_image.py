"""`berth/base:<key>`, the image under every local image: made once by debootstrap, cached, imported."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops import apt, places
from ops.engine import Engine
from ops.errors import UserError
from ops.hold import hold
from ops.places import ROOT
from ops.progress import say, step
from ops.project import StackFile
from stacks import content

FOLDER = ROOT / "workloads" / "base"


def wanted(stack: StackFile, *, root: Path = ROOT) -> str | None:
    """The base that the stack's local images stand on; None when its images come from elsewhere.

    root: the project's folder.
    """
    return content.base_image(root / "workloads") if _chooses_local(stack.config) else None


def _chooses_local(settings: Any) -> bool:
    """Whether `source: local` stands anywhere: for all images, or for those of one service."""
    if isinstance(settings, dict):
        return settings.get("source") == "local" or any(map(_chooses_local, settings.values()))
    return isinstance(settings, list) and any(map(_chooses_local, settings))


def _mirror(stack: StackFile) -> dict[str, str]:
    """The Debian mirror of `berth:images.build.apt`, as build.sh takes it."""
    images = stack.config.get("images")
    build = images.get("build") if isinstance(images, dict) else None
    apt_mirror = build.get("apt") if isinstance(build, dict) else None
    return {"APT_MIRROR": str(apt_mirror)} if apt_mirror else {}


def archive(tag: str) -> Path:
    """Where the root file system of this tag is cached."""
    return places.cache() / "base" / f"{tag.rpartition(':')[2]}.tar"


def ensure(engine: Engine, stack: StackFile) -> None:
    """Makes the stack's base exist on the engine: already there, imported from the cache, or built first."""
    if tag := wanted(stack):
        provide(engine, stack, tag)


def provide(engine: Engine, stack: StackFile, tag: str) -> None:
    """Makes the base of this tag exist on an engine. stack: whose Debian mirror is asked."""
    from docker.errors import ImageNotFound

    client = engine.client()
    try:
        try:
            client.images.get(tag)
            return
        except ImageNotFound:
            pass
        name = hashlib.sha256(f"{engine.host} {tag}".encode()).hexdigest()[:16]
        with hold(places.data() / "locks" / f"base-{name}.lock", doing="importing the base image", wait=True):
            if client.images.list(name=tag):
                return
            rootfs = _rootfs(tag, _mirror(stack))
            with step(f"Importing {tag} ({rootfs.stat().st_size >> 20} MiB)"), rootfs.open("rb") as stream:
                repository, _, version = tag.partition(":")
                changes = [line for line in (FOLDER / "changes").read_text().splitlines() if line.strip()]
                client.api.import_image_from_data(stream, repository=repository, tag=version, changes=changes)
                client.images.get(tag)
    finally:
        client.close()


def _rootfs(tag: str, mirror: Mapping[str, str]) -> Path:
    path = archive(tag)
    with hold(path.with_suffix(".lock"), doing="building the base image", wait=True):
        if path.exists():
            return path
        if shutil.which("debootstrap") is None and apt.usable():
            apt.install("debootstrap", why="it makes the base of the local images")
        if shutil.which("debootstrap") is None or os.geteuid() != 0:
            raise UserError(
                "the local images need a base made by debootstrap, which needs root and a Debian or Ubuntu",
                fix="run ./berth as root there, or set `berth:images` to a registry in the stack file",
            )
        with step("Making the base of the local images with debootstrap (about two minutes)"):
            # build.sh writes beside its output and renames at the end, so a partial archive is never taken.
            done = subprocess.run(
                ["sh", str(FOLDER / "build.sh"), str(path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**os.environ, **mirror},
            )
            if done.returncode:
                say("\n".join(done.stdout.splitlines()[-25:]))
                raise UserError(
                    f"the base image could not be made (exit code {done.returncode}; its last lines are "
                    "above)",
                    fix="make the Debian mirror reachable, or set APT_MIRROR to one that is",
                )
        _keep_newest(path)
    return path


def _keep_newest(path: Path) -> None:
    """Older archives only fill the disk: the engine keeps what it imported."""
    for other in path.parent.glob("*.tar"):
        if other != path:
            other.unlink(missing_ok=True)
