"""The plugin as a process: it starts, stays small, outlives an engine that stops, and goes when it should."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from tests.docker.engines import start_engine
from tests.docker.plugin import PluginClient

pytestmark = pytest.mark.docker
ROOT = Path(__file__).parents[2]
WRAPPER = ROOT / "offline" / "bin" / "pulumi-resource-docker"
NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"
CONTAINER = "docker:index/container:Container"


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Started as the engine starts it, in a folder whose modules must not get in its way."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "__init__.py").write_text("raise SystemExit('imported from the program')")
    with subprocess.Popen([WRAPPER], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as started:
        yield started
        started.kill()


def port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def test_it_serves_and_ends_on_sigterm(process: subprocess.Popen[str]) -> None:
    client = PluginClient(port_of(process))
    client.configure()
    assert client.preview(NETWORK, {})
    process.terminate()
    assert process.wait(5) == 0


def test_it_goes_with_the_process_that_started_it(tmp_path: Path) -> None:
    parent = subprocess.run(
        [sys.executable, "-c", f"import subprocess as s; p = s.Popen(['{WRAPPER}'], stdout=s.PIPE); "
         "print(p.pid, p.stdout.readline().decode().strip())"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    plugin = Path("/proc", parent.stdout.split()[0])
    deadline = time.monotonic() + 15
    while plugin.exists() and "Z (zombie)" not in (plugin / "status").read_text():
        assert time.monotonic() < deadline, "the plugin is still there"
        time.sleep(0.1)


def test_it_stays_small_with_a_hundred_containers(
    process: subprocess.Popen[str], busybox_image: str, prefix: str
) -> None:
    client = PluginClient(port_of(process))
    client.configure()
    inputs = {
        "image": busybox_image,
        "command": ["sleep", "600"],
        "rm": False,
        "mustRun": False,
        "start": False,
    }
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda i: client.create(CONTAINER, inputs, name=f"{prefix}-{i}"), range(100)))
        try:
            assert all(pool.map(lambda one: not client.diff(one, inputs), made))
            assert all(pool.map(client.read, made))
            used = resident_mb(process.pid)
        finally:
            list(pool.map(client.delete, made))
    assert used < 80, f"{used:.0f} MB"


def test_an_engine_that_stops_is_told_and_found_again(process: subprocess.Popen[str]) -> None:
    home = Path("/tmp", f"bq{secrets.token_hex(3)}")
    home.mkdir()
    client = PluginClient(port_of(process))
    try:
        with start_engine(home) as url:
            client.configure(host=url)
            made = client.create(VOLUME, {"name": "kept"})
        with pytest.raises(grpc.RpcError) as failed:
            client.read(made)
        assert "the Docker engine stopped answering" in failed.value.details()
        assert "repeat the command" in failed.value.details()
        with pytest.raises(grpc.RpcError, match="stopped answering"):
            client.delete(made)
        with start_engine(home) as again:
            socket = Path(url.removeprefix("unix://"))
            socket.parent.mkdir(parents=True, exist_ok=True)
            socket.unlink(missing_ok=True)
            socket.symlink_to(again.removeprefix("unix://"))
            assert client.create(VOLUME, {"name": "new"}).id == "new"
            assert client.read(made) is None
    finally:
        shutil.rmtree(home)
