"""`./berth doctor`: what is there, what is missing, how to get it. Looks only; changes nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from ops import apt, base_image, engine, passphrase, places, sealed, settings, toolchain
from ops.errors import UserError
from ops.findings import Finding, Look, gather
from ops.host_facts import root_here
from ops.project import StackFile, WantedHost

SPACE = 5 << 30  # bytes: CLI 160 MB, Go's caches 2 GB, base and images 1.5 GB, and room to work


def examine(stack_name: str) -> list[Finding]:
    """Looks at everything a run of the stack needs."""
    file = StackFile(stack_name)
    looks: tuple[Look, ...] = (
        ("Python", lambda: [_python()]),
        ("stack file", lambda: [_stack(file)]),
        ("secrets", lambda: [_secrets(file)]),
        ("Pulumi", lambda: [_toolchain()]),
        ("Docker engine", lambda: [docker_engine(file)]),
        ("base image", lambda: [_base(file)]),
        ("passphrase", lambda: [_passphrase(file)]),
        ("disk space", lambda: _disks(file)),
    )
    return gather(looks)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", "ok", f"{version} ({sys.prefix})")


def _stack(file: StackFile) -> Finding:
    try:
        settings.check(file)
    except UserError as error:
        return Finding("stack file", "missing", error.cause, error.fix)
    return Finding("stack file", "ok", f"{file.path.name} is valid (host: {file.host.kind})")


def _secrets(file: StackFile) -> Finding:
    settings.check(file)  # one that is wrong has been told, and may need other secrets
    if missing := settings.missing_secrets(file):
        names = ", ".join(request.config_path for request in missing)
        return Finding("secrets", "later", f"the first up makes and encrypts {names}")
    return Finding("secrets", "ok", "all that the stack needs are set")


def _toolchain() -> Finding:
    try:
        found = toolchain.look()
    except UserError as error:
        return Finding("Pulumi", "missing", error.cause, error.fix)
    if found is None:
        return Finding(
            "Pulumi", "later", "not on PATH; the first run builds the CLI from its Go modules (7 minutes)"
        )
    return Finding("Pulumi", "ok", f"{toolchain.origin(found)} ({found.pulumi})")


def docker_engine(file: StackFile) -> Finding:
    """The engine that the stack runs on: its version, or why it does not answer."""
    try:
        wanted = file.host
    except UserError:
        wanted = WantedHost()
    if wanted.kind == "ecs":
        return Finding(
            "host",
            "missing",
            "host kind `ecs` is not there yet: `up` refuses it",
            "`kind: ssh` and `address: ssh://user@machine` deploy to a machine that runs Docker",
        )
    try:
        found = engine.reachable(wanted)
    except UserError as error:
        if engine.existing(wanted).host == engine.DEFAULT_HOST and apt.usable():
            return Finding(
                "Docker engine", "later", "none answers; the first up installs and starts Debian's"
            )
        return Finding("Docker engine", "missing", error.cause, error.fix)
    try:
        with closing(found.client()) as client:
            version = client.version()["Version"]
    except UserError as error:
        return Finding("Docker engine", "missing", error.cause, error.fix)
    except engine.failures() as error:
        told = f"{engine.in_words(error)} ({found.host}, {found.origin})"
        return Finding("Docker engine", "missing", told, "see that it runs, and look again")
    return Finding("Docker engine", "ok", f"{version} at {found.host} ({found.origin})")


def _base(file: StackFile) -> Finding:
    if (tag := base_image.wanted(file)) is None:
        return Finding("base image", "ok", "not needed: the stack's images are not local ones")
    if base_image.archive(tag).exists():
        return Finding("base image", "ok", f"{tag}, cached in {base_image.archive(tag).parent}")
    if apt.usable():
        return Finding("base image", "later", f"{tag}: the first up makes it with debootstrap (2 minutes)")
    return Finding(
        "base image",
        "missing",
        f"{tag} is not cached, and making it needs root on Debian or Ubuntu",
        "run ./berth up as root once, or set `berth:images` to a registry",
    )


def _passphrase(file: StackFile) -> Finding:
    try:
        found = passphrase.variables(file, create=False)
    except UserError as error:
        return Finding("passphrase", "missing", error.cause, error.fix)
    if (known := passphrase.known(file)) is not None:
        sealed.verify(file, known)
    path = passphrase.generated_file()
    if not found:
        return Finding("passphrase", "ok", "set by the environment or the stack's secrets provider")
    if path.exists():
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            return Finding(
                "passphrase", "missing", f"{path} can be read by others (mode {mode:o})", f"chmod 600 {path}"
            )
        return Finding("passphrase", "ok", str(path))
    return Finding("passphrase", "later", f"the first up generates one in {path}")


def _disks(file: StackFile) -> list[Finding]:
    """The project's, and those of the cache and of Docker where they are others."""
    disks: dict[int, list[Path]] = {}
    for wanted in (places.ROOT, places.cache(), places.data(), _docker_root(file)):
        if wanted is None:
            continue
        disks.setdefault(_device(_there(wanted)), []).append(wanted)
    return [_disk(folders) for folders in disks.values()]


def _there(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _device(path: Path) -> int:
    return path.stat().st_dev


def _docker_root(file: StackFile) -> Path | None:
    """Where the engine keeps images and volumes; None when that is not on this machine, or not known."""
    try:
        found = engine.reachable(file.host)
        if not found.host.startswith("unix://"):
            return None
        client = found.client()
    except UserError:
        return None
    try:
        return root_here(found, client.info())
    finally:
        client.close()


def _disk(folders: Sequence[Path]) -> Finding:
    free = shutil.disk_usage(_there(folders[0])).free
    found = f"{free >> 30} GiB free for {', '.join(map(str, folders))}"
    if free < SPACE:
        return Finding(
            "disk space", "missing", found, f"free some: {SPACE >> 30} GiB are needed the first time"
        )
    return Finding("disk space", "ok", found)
