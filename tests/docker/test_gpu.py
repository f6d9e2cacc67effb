"""GPU requests as they reach the driver: an engine of the test's own, whose nvidia hook and runtime record.

The engine, its device driver and its runtimes are real; only what NVIDIA installs beside them is replaced.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import grpc
import pytest
from pydantic import TypeAdapter

from components.containers.gpu import Gpu
from offline.docker.server import Provider
from offline.provider.process import start
from tests.docker.engines import start_engine
from tests.docker.images import ensure_busybox
from tests.docker.plugin import PluginClient
from tests.unit.test_service import inputs_of

pytestmark = pytest.mark.docker
TOKEN = "docker:index/container:Container"
GPU: TypeAdapter[Any] = TypeAdapter(Gpu)

# The hook is given the container's state, which names its bundle; the runtime is given the bundle itself.
HOOK = """#!/bin/sh
bundle=$(sed 's/.*"bundle":"\\([^"]*\\)".*/\\1/')
echo "$1" >>{seen}/hook
cp "$bundle/config.json" {seen}/config.json
"""
RUNTIME = """#!/bin/sh
echo "$@" >>{seen}/runtime
exec runc "$@"
"""


@dataclass
class GpuHost:
    """A Docker engine that takes itself for one with GPUs, and what was asked of it."""

    plugin: PluginClient
    engine: docker.DockerClient
    image: str
    seen: Path

    def asked(self, gpu: dict[str, Any]) -> tuple[dict[str, str], bool]:
        """What a service with this request makes the driver mount, and whether the nvidia runtime ran it."""
        for file in self.seen.iterdir():
            file.unlink()
        inputs = self.inputs(gpu)
        made = self.plugin.create(TOKEN, inputs)
        try:
            assert not self.plugin.diff(made, inputs)
            assert not self.plugin.diff(self.plugin.read(made), inputs), "a refresh sees no change"
        finally:
            self.plugin.delete(made)
        assert (self.seen / "hook").read_text().split() == ["prestart"], "asked once"
        env = json.loads((self.seen / "config.json").read_text())["process"]["env"]
        given = dict(entry.split("=", 1) for entry in env)
        return {key: given[key] for key in sorted(given) if key.startswith("NVIDIA_")}, (
            self.seen / "runtime"
        ).exists()

    def inputs(self, gpu: dict[str, Any]) -> dict[str, Any]:
        """Of a container, with what a component makes of the request."""
        made = inputs_of(gpu=GPU.validate_python(gpu))
        wanted = {key: made[key] for key in ("deviceRequests", "runtime") if key in made}
        return {"name": "gpu-tried", "image": self.image, "command": ["sleep", "1000"], **wanted}


@pytest.fixture(scope="module")
def host() -> Iterator[GpuHost]:
    with tempfile.TemporaryDirectory(prefix="g-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        home, seen = Path(folder), Path(folder, "seen")
        seen.mkdir()
        for name, text in (("nvidia-container-runtime-hook", HOOK), ("recording-runtime", RUNTIME)):
            file = home / "bin" / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text.format(seen=seen))
            file.chmod(0o755)
        env = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}"}
        options = ("--add-runtime", f"nvidia={home / 'bin' / 'recording-runtime'}")
        with start_engine(home, env=env, options=options) as url:
            provider = Provider()
            server, port = start(provider)
            plugin = PluginClient(port)
            plugin.configure(host=url)
            engine = docker.DockerClient(base_url=url)
            yield GpuHost(plugin, engine, ensure_busybox(engine), seen)
            engine.close()
            server.stop(0).wait()
            provider.engine.close()


@pytest.mark.parametrize(
    ("gpu", "visible", "capabilities", "by_nvidia"),
    [
        ({}, "all", "compute,utility", True),
        ({"kind": "all", "runtime": None}, "all", "compute,utility", False),
        ({"kind": "count", "count": 2}, "0,1", "compute,utility", True),
        ({"kind": "devices", "device_ids": ["0", "GPU-3a2b"]}, "0,GPU-3a2b", "compute,utility", True),
        ({"kind": "all", "capabilities": ["gpu", "compute", "video"]}, "all", "compute,video", True),
    ],
)
def test_the_driver_is_asked_for_what_was_written(
    host: GpuHost, gpu: dict[str, Any], visible: str, capabilities: str, by_nvidia: bool
) -> None:
    env, runtime = host.asked(gpu)
    assert env.pop("NVIDIA_VISIBLE_DEVICES") == visible
    assert sorted(env.pop("NVIDIA_DRIVER_CAPABILITIES").split(",")) == capabilities.split(",")
    assert env == {} and runtime == by_nvidia


def test_cdi_names_need_an_engine_that_knows_them(host: GpuHost) -> None:
    """Docker 20.10 does not; the refusal says which does."""
    with pytest.raises(grpc.RpcError) as failure:
        host.plugin.create(TOKEN, host.inputs({"kind": "cdi", "names": ["nvidia.com/gpu=all"]}))
    text = str(failure.value.details())
    assert 'device driver "cdi"' in text and "Docker 25 or newer" in text
    assert host.engine.containers.list(all=True) == []


def test_a_runtime_that_the_engine_lacks_is_refused_with_the_way_out(
    plugin: PluginClient, busybox_image: str, prefix: str
) -> None:
    inputs = {"name": prefix, "image": busybox_image, "command": ["true"], "runtime": "nvidia"}
    with pytest.raises(grpc.RpcError) as failure:
        plugin.create(TOKEN, inputs)
    text = str(failure.value.details())
    assert "nvidia" in text and "nvidia-ctk runtime configure" in text
