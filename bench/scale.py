"""Many containers: how long a preview takes, and how much memory the plugin needs."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from bench.programs import EMPTY, MANY
from bench.result import Result
from bench.workspace import Workspace, workspace

_PREFIX = f"bench-{os.getpid()}"
_PLUGIN = "offline/bin/plugin.py docker"
_SIZES = (250, 500, 1000)
_MIB = 1024 * 1024


def preview() -> list[Result]:
    """A preview of 1,000 containers that are not there yet, and whether the time grows in proportion."""
    with _many(0) as none:
        floor = none.run("preview").seconds
    seconds = []
    for size in _SIZES:
        with _many(size) as bench:
            seconds.append(bench.run("preview").seconds)
    detail = ", ".join(f"{size}: {taken:.1f} s" for size, taken in zip(_SIZES, seconds, strict=True))
    # Linear: the last 500 take as long as the first 500, above the floor. Twice that would be far from it.
    growth = (seconds[2] - seconds[1]) / max(seconds[1] - floor, 0.001)
    return [
        Result("preview of 1,000 containers", seconds[-1], "s", 30, f"{detail}; empty: {floor:.1f} s"),
        Result("linear: second 500 against first 500", growth, "x", 1.25, detail),
    ]


def memory(size: int = 100) -> list[Result]:
    """The plugin's largest resident size while it creates, previews and refreshes 100 real containers."""
    with _image() as image, _many(size, image) as bench:
        peaks = {
            "up": bench.run("up", "--yes", "--skip-preview", watch=_PLUGIN).peak,
            "preview": bench.run("preview", "--expect-no-changes", watch=_PLUGIN).peak,
            "refresh": bench.run("refresh", "--yes", "--skip-preview", watch=_PLUGIN).peak,
        }
    if not all(peaks.values()):
        raise RuntimeError(
            "the plugin's process was not found: this measures the plugin in offline/, not another one"
        )
    detail = ", ".join(f"{verb}: {peak / _MIB:.0f} MB" for verb, peak in peaks.items())
    return [Result(f"memory of the plugin, {size} containers", max(peaks.values()) / _MIB, "MB", 80, detail)]


@contextmanager
def _many(size: int, image: str = "berth/bench:absent") -> Iterator[Workspace]:
    program = MANY if size else EMPTY
    with workspace(program, BENCH_CONTAINERS=str(size), BENCH_PREFIX=_PREFIX, BENCH_IMAGE=image) as bench:
        yield bench


@contextmanager
def _image() -> Iterator[str]:
    """An image that can sleep, made from a few files of this machine; removed at the end."""
    client = docker.from_env()
    name = f"berth/{_PREFIX}:1"
    try:
        client.api.import_image_from_data(_sleeper(), repository=name.partition(":")[0], tag="1")
        yield name
        client.images.remove(name, force=True)
    finally:
        client.close()


def _sleeper() -> bytes:
    """A root file system with `sleep` and the libraries it loads."""
    listing = subprocess.run(["ldd", "/bin/sleep"], capture_output=True, text=True, check=True).stdout
    files = ["/bin/sleep", *(word for word in listing.split() if word.startswith("/"))]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for file in dict.fromkeys(files):
            tar.add(Path(file).resolve(), arcname=file.lstrip("/"))
    return out.getvalue()
