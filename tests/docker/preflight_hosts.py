"""Hosts for `./berth preflight`, and stack files that are looked at on them.

As in test_gpu.py, only what NVIDIA installs beside an engine is replaced: its hook and its runtime.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from ops import preflight
from ops.findings import Finding
from ops.project import StackFile
from stacks import gpu_host
from tests.docker.engines import engine_address, free_subnet, start_engine
from tests.docker.images import busybox_rootfs, ensure_busybox
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]

# What NVIDIA's does is done in the container's own mounts, before it sees them; `mode` says what is tested.
HOOK = """#!/bin/sh
state=$(cat)
echo "$1" >>{seen}/hook
case $(cat {home}/mode) in
refuses) echo "nvidia-container-cli: initialization error: nvml error: driver not loaded" >&2; exit 1 ;;
slow) n=0; while [ ! -e {home}/go ] && [ $n -lt 600 ]; do sleep 0.1; n=$((n + 1)); done ;;
works)
    bundle=$(echo "$state" | sed 's/.*"bundle":"\\([^"]*\\)".*/\\1/')
    pid=$(echo "$state" | sed 's/.*"pid":\\([0-9]*\\).*/\\1/')
    root=$(sed 's/.*"root":{{"path":"\\([^"]*\\)".*/\\1/' "$bundle/config.json")
    exec nsenter --target "$pid" --mount mknod -m 666 "$root/dev/nvidia0" c 195 0 ;;
esac
"""
RUNTIME = """#!/bin/sh
echo "$@" >>{seen}/runtime
exec runc "$@"
"""
TRAINER = "berth/trainer:0123456789ab"


@dataclass
class Host:
    """An engine, its address, and what is looked at to see that nothing changed."""

    url: str
    engine: docker.DockerClient
    home: Path

    def objects(self) -> dict[str, list[str]]:
        """All that is on the engine."""
        api = self.engine.api
        return {
            "containers": sorted(it["Id"] for it in api.containers(all=True)),
            "networks": sorted(it["Id"] for it in api.networks()),
            "volumes": sorted(it["Name"] for it in api.volumes()["Volumes"] or ()),
            "images": sorted(f"{it['Id']} {it['RepoTags']}" for it in api.images(all=True)),
        }

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Nothing on the engine is other after the block."""
        before = self.objects()
        yield
        assert self.objects() == before

    def mode(self, name: str) -> None:
        """What the hook does. slow: it waits for `go`, a minute at most."""
        (self.home / "go").unlink(missing_ok=True)
        (self.home / "mode").write_text(name)

    def go(self) -> None:
        """A slow hook ends."""
        (self.home / "go").touch()


def import_trainer(client: docker.DockerClient) -> None:
    """An image of the trainer's name whose containers have an anonymous volume, and a health check."""
    repository, tag = TRAINER.split(":")
    changes = ["ENV PATH=/bin", "VOLUME /data", 'ENTRYPOINT ["false"]']
    client.api.import_image_from_data(busybox_rootfs(), repository=repository, tag=tag, changes=changes)


def import_without_shell(client: docker.DockerClient, name: str) -> None:
    """An image with nothing in it but a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        folder = tarfile.TarInfo("etc")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
    repository, tag = name.split(":")
    client.api.import_image_from_data(out.getvalue(), repository=repository, tag=tag, changes=["CMD x"])


@contextmanager
def host_with_gpus() -> Iterator[Host]:
    """An engine that takes itself for one of a host with GPUs."""
    with tempfile.TemporaryDirectory(prefix="g-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        home, seen = Path(folder), Path(folder, "seen")
        seen.mkdir()
        for name, text in (("nvidia-container-runtime-hook", HOOK), ("recording-runtime", RUNTIME)):
            file = home / "bin" / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text.format(seen=seen, home=home))
            file.chmod(0o755)
        env = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}"}
        options = ("--add-runtime", f"nvidia={home / 'bin' / 'recording-runtime'}")
        with start_engine(home, env=env, options=options) as url:
            client = docker.DockerClient(base_url=url)
            ensure_busybox(client)
            import_trainer(client)
            yield Host(url, client, home)
            client.close()


@contextmanager
def other_host() -> Iterator[Host]:
    """Reached over TCP, as another machine's is; its data lie on a small disk."""
    with tempfile.TemporaryDirectory(prefix="f-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        subnet = free_subnet()
        url = f"tcp://{engine_address(subnet)}:2375"
        options = ("--host", url, "--tls=false")
        with start_engine(Path(folder), 300, options=options, subnet=subnet) as local:
            client = docker.DockerClient(base_url=local)
            yield Host(url, client, Path(local.removeprefix("unix://")).parent)
            client.close()


class Stacks:
    """Stack files in a folder of the test's own, looked at from this process or by the command.

    This machine has a GPU's driver, as far as this process can tell.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._patch = folder, monkeypatch
        monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        monkeypatch.setattr(gpu_host, "driver", lambda: "535.104.05")
        self.name = f"pre{secrets.token_hex(3)}"
        self.http, self.https, self.admin = free_port(), free_port(), free_port()
        self.gpu()

    def gpu(self, host: dict[str, Any] | None = None, **changes: Any) -> None:
        """A stack of the gpu system on free loopback ports."""
        settings = {
            "texts": {"kind": "built-in"},
            "network": {"name": f"{self.name}-app"},
            "nginx_network": {"name": f"{self.name}-nginx"},
            "nginx": {"http_port": self.http, "https_port": self.https, "address": "127.0.0.1"},
            "admin": {"port": self.admin},
            "cuda": "12.1",
            **changes,
        }
        config = {
            "berth:systems": ["gpu"],
            "berth:images": {"source": "local"},
            "berth:generate_secrets": True,
            **({"berth:host": host} if host else {}),
            "berth:gpu": {key: value for key, value in settings.items() if value is not None},
        }
        (self.folder / f"Pulumi.{self.name}.yaml").write_text(json.dumps({"config": config}))

    def look(self, url: str) -> dict[str, Finding]:
        """The findings on the engine at this address, by what was looked at; of one kind the first."""
        self._patch.setenv("DOCKER_HOST", url)
        self._patch.setattr(preflight, "StackFile", lambda name: StackFile(name, self.folder))
        found = preflight.examine(self.name)
        return {finding.what: finding for finding in reversed(found)}

    def start(self, url: str, *args: str) -> subprocess.Popen[str]:
        """The command, in a session of its own."""
        for name in ("Pulumi.yaml", "workloads"):
            if not (self.folder / name).exists():
                (self.folder / name).symlink_to(ROOT / name)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
        return subprocess.Popen(
            [sys.executable, "-m", "ops", "preflight", "-s", self.name, *args],
            env=environment
            | {
                "BERTH_ROOT": str(self.folder),
                "PYTHONPATH": str(ROOT),
                "DOCKER_HOST": url,
                "XDG_DATA_HOME": str(self.folder / "data"),
                "XDG_CONFIG_HOME": str(self.folder / "config"),
            },
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
