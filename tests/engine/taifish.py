"""A stack with the celery system, and what a user of it does through its door."""

from __future__ import annotations

import ipaddress
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import docker
import httpx
from docker.models.containers import Container

from tests.engine.deployment import Deployment

T = TypeVar("T")
PEOPLE = "name,city,age\nAda,London,36\n李雷,北京,28\n"


def until(what: str, ask: Callable[[], T | None], seconds: float = 90) -> T:
    """The first answer that is not None; fails naming what was waited for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (answer := ask()) is not None:
            return answer
        time.sleep(0.3)
    raise AssertionError(f"{what}: not within {seconds} s")


def free_subnet(engine: docker.DockerClient) -> str:
    """A range that no network of the engine has, below those of tests/docker/engines.py."""
    taken = [
        ipaddress.ip_network(config["Subnet"])
        for network in engine.networks.list()
        for config in (network.attrs["IPAM"]["Config"] or [])
    ]
    while True:
        found = ipaddress.ip_network(f"10.{random.randrange(64, 213)}.{random.randrange(256)}.0/24")
        if not any(found.overlaps(other) for other in taken):
            return str(found)


class Taifish:
    """The stack. root: the folder of the host that its data lie in; subnet: of its network."""

    def __init__(self, folder: Path) -> None:
        for parent in (folder, folder.parent):
            parent.chmod(0o755)
        self.engine = docker.from_env(timeout=300)
        self.deployment = Deployment(folder, "celery")
        self.root, self.subnet = folder / "host", free_subnet(self.engine)
        self.beside: dict[str, Mapping[str, Any]] = {}
        self.said = ""
        """What the first `up` said."""
        self.settings: dict[str, Any] = {
            "data": {"kind": "directory", "root": str(self.root)},
            "network": {"name": f"{self.deployment.stack}-network", "subnet": self.subnet},
            # As the document has it, but for a pause that a test need not wait for.
            "app": {"replicas": 3, "pause": "1s", "health_interval": "3s"},
            "worker": {"replicas": 2},
        }
        self.configure()

    def configure(self, changes: Mapping[str, Any] | None = None, **beside: Mapping[str, Any]) -> None:
        """Changes settings, one level deep. beside: other systems of the stack, from now on."""
        self.beside.update(beside)
        for name, values in (changes or {}).items():
            self.settings[name] = {**self.settings.get(name, {}), **values}
        self.deployment.configure(self.settings, **self.beside)

    def address(self, number: int) -> str:
        """Of this number in the subnet."""
        return str(ipaddress.ip_network(self.subnet)[number])

    def containers(self, service: str = "", *, every: bool = False) -> list[Container]:
        """Those that run; every: also jobs that ended and what carries files."""
        labels = [f"berth.stack={self.deployment.stack}", "berth.system=celery"]
        labels += [f"berth.service={service}"] if service else []
        found = self.engine.containers.list(
            all=every,
            ignore_removed=True,
            filters={"label": labels, **({} if every else {"status": "running"})},
        )
        return [item for item in found if every or not item.name.rpartition("-")[0].endswith("-step")]

    def close(self) -> None:
        """Takes the stack down with its data."""
        stack = self.deployment.stack
        self.deployment.berth("destroy", "--with-data", text=f"{stack}\n", check=False)
        filters = {"label": f"berth.stack={stack}"}
        for container in self.engine.containers.list(all=True, ignore_removed=True, filters=filters):
            container.remove(force=True, v=True)
        for volume in self.engine.volumes.list(filters=filters):
            volume.remove(force=True)
        for network in self.engine.networks.list(filters=filters):
            network.remove()
        self.engine.close()


def upload(client: httpx.Client, body: str, name: str = "people.csv") -> str:
    """Uploads a table; its id."""
    answer = client.post("/api/uploads", params={"name": name}, content=body.encode())
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def export(client: httpx.Client, **wish: Any) -> str:
    """Asks for an export; its id."""
    answer = client.post("/api/exports", json=wish)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def ended(client: httpx.Client, id: str, seconds: float = 90) -> dict[str, Any]:
    """The task once it is done or failed."""

    def look() -> dict[str, Any] | None:
        answer = client.get(f"/api/tasks/{id}")
        assert answer.status_code == 200, answer.text
        task: dict[str, Any] = answer.json()
        return task if task["state"] in ("done", "failed") else None

    return until(f"task {id} ends", look, seconds)
