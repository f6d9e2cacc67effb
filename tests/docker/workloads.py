"""The reference images, built as `up` builds them, and containers from them, hardened as systems.md says."""

from __future__ import annotations

import fcntl
import http.client
import json
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import docker
from docker.errors import ImageNotFound
from docker.models.containers import Container
from docker.models.networks import Network

from stacks.content import base_image, content_key

WORKLOADS = Path(__file__).parents[2] / "workloads"
NAMES = ("api-gateway", "douyin-processor", "file-system-go")
USER = 10001
T = TypeVar("T")


def base(client: docker.DockerClient) -> str:
    """The tag of the base image, made when the engine lacks it."""
    tag = base_image(WORKLOADS)
    try:
        client.images.get(tag)
    except ImageNotFound:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "base.tar"
            subprocess.run([WORKLOADS / "base" / "build.sh", archive], check=True, capture_output=True)
            changes = (WORKLOADS / "base" / "changes").read_text().splitlines()
            name, version = tag.split(":")
            with archive.open("rb") as stream:
                client.api.import_image_from_data(stream, repository=name, tag=version, changes=changes)
    return tag


def image(client: docker.DockerClient, name: str) -> str:
    """The tag of a workload's image, built from its folder alone."""
    # Test processes run side by side: the first one builds, the others find what it built.
    with (Path(tempfile.gettempdir()) / f"berth-test-image-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        args = {"BASE": base(client)}
        tag = f"berth/{name}:{content_key(WORKLOADS / name, args)}"
        try:
            client.images.get(tag)
        except ImageNotFound:
            client.images.build(path=str(WORKLOADS / name), tag=tag, buildargs=args, rm=True, forcerm=True)
    return tag


def unit_tests(client: docker.DockerClient, name: str) -> None:
    """Run what the stage `test` of a workload's Dockerfile runs; fails with its output."""
    args = {"BASE": base(client)}
    built, _ = client.images.build(
        path=str(WORKLOADS / name), target="test", buildargs=args, rm=True, forcerm=True
    )
    container = client.containers.run(str(built.id), detach=True, init=True)
    try:
        assert container.wait(timeout=600)["StatusCode"] == 0, container.logs().decode()
    finally:
        container.remove(force=True)


def until(what: str, ask: Callable[[], T | None], seconds: float = 240) -> T:
    """The first answer that is not None; fails naming what was waited for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (answer := ask()) is not None:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:g} s: {what}")


def vanish(network: Network, container: Container, alias: str) -> None:
    """Starts a container again as after a loss of power: nobody heard that its connections are over."""
    network.disconnect(container, force=True)
    container.kill()
    network.connect(container, aliases=[alias])
    container.start()


class System:
    """The gateway system on a network of its own."""

    def __init__(self, client: docker.DockerClient, folder: Path) -> None:
        self.client = client
        self.id = f"berth-test-workloads-{secrets.token_hex(3)}"
        self.images = {name: image(client, name) for name in NAMES}
        self.config = folder / "gateway"
        self.config.mkdir(mode=0o755)
        self.app = folder / "app.yaml"
        self.key = folder / "key"
        self.secret = secrets.token_hex(16)
        self.key.write_text(self.secret)
        self.key.chmod(0o400)
        shutil.chown(self.key, USER, USER)
        self.network = client.networks.create(self.id)
        self.port = 0

    def close(self) -> None:
        """Removes everything of ours."""
        for container in self.client.containers.list(all=True, filters={"label": f"test={self.id}"}):
            container.remove(force=True, v=True)
        self.network.remove()
        for volume in self.client.volumes.list(filters={"name": self.id}):
            volume.remove(force=True)

    def run(self, service: str, **options: Any) -> Container:
        """A container that can be reached under the service's name, once its probe answers."""
        container = self.client.containers.create(
            self.images[service],
            labels={"test": self.id},
            read_only=True,
            tmpfs={"/tmp": ""},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit="256m",
            memswap_limit="256m",
            network=self.id,
            networking_config={self.id: self.client.api.create_endpoint_config(aliases=[service])},
            **options,
        )
        container.start()
        port = {"api-gateway": 8010, "douyin-processor": 8093, "file-system-go": 8000}[service]
        self.healthy(container, port)
        return container

    def healthy(self, container: Container, port: int) -> None:
        """Waits as Docker's health check would."""

        def ask() -> bool | None:
            container.reload()
            assert container.status == "running", container.logs().decode()
            probe = container.exec_run(["probe", f"http://127.0.0.1:{port}/health"])
            return True if probe.exit_code == 0 else None

        until(f"{container.name} healthy", ask)

    def gateway(self) -> Container:
        container = self.run(
            "api-gateway",
            ports={"8010/tcp": ("127.0.0.1", 0)},
            volumes={str(self.config): {"bind": "/app/config", "mode": "ro"}},
        )
        container.reload()
        self.port = int(container.ports["8010/tcp"][0]["HostPort"])
        return container

    def files(self) -> Container:
        return self.run("file-system-go", volumes={f"{self.id}-files": {"bind": "/data"}})

    def processor(self) -> Container:
        return self.run(
            "douyin-processor",
            environment={"ALIYUN_ACCESS_KEY_FILE": "/run/secrets/aliyun_access_key"},
            volumes={
                f"{self.id}-jobs": {"bind": "/data"},
                str(self.app): {"bind": "/app/config/app.yaml", "mode": "ro"},
                str(self.key): {"bind": "/run/secrets/aliyun_access_key", "mode": "ro"},
            },
        )

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Status and JSON through the gateway, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def result(self, video: str, seconds: float = 60) -> dict[str, Any]:
        """The finished job's answer."""

        def ask() -> dict[str, Any] | None:
            status, body = self.ask("GET", f"/api/douyin/videos/{video}/result")
            assert status in {200, 202}, (status, body)
            return body if status == 200 else None

        return until(f"result of {video}", ask, seconds)


@contextmanager
def system(client: docker.DockerClient) -> Iterator[System]:
    """A system that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="berth-") as folder:
        running = System(client, Path(folder))
        try:
            yield running
        finally:
            running.close()
