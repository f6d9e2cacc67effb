"""Services of celery, cloud-api and gpu, and nginx's configuration, changed under load; the same by recreate.

The edge's nginx is as new as the official image's. Users keep their connections and send nothing again.
"""

from __future__ import annotations

import copy
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import docker
from docker.models.containers import Container

from bench.recreated import recreate
from bench.result import Result
from bench.rolling import RATE, REQUESTS, lost
from bench.traffic import Ask, Users, traffic
from tests.docker.editor import Person
from tests.engine.deployment import Deployment
from tests.engine.newer import edge, editors, generation, newer_nginx, readers_and_writers
from tests.engine.taifish import ended, export, free_subnet

# A release that differs from the one before by its label: built within a second.
_RELEASE: Final = "ARG BASE\nFROM ${BASE}\nARG RELEASE\nLABEL release=${RELEASE}\n"
_SPOKEN: Final = 300
"""Texts that the trainer has not spoken before; one client may ask ten times a second."""
_SPEECH: Final = Ask("POST", "/v1/speech", b'{"text": "hello", "provider": "auto"}')


class _System:
    """A system that is up. settings: of its stack."""

    def __init__(self, deployment: Deployment, settings: Mapping[str, Any]) -> None:
        self.deployment, self.engine = deployment, docker.from_env(timeout=300)
        self.settings = copy.deepcopy(dict(settings))
        self.settings.setdefault("nginx", {})["image"] = newer_nginx(self.engine)
        self.up()

    def up(self) -> None:
        self.deployment.configure(self.settings)
        self.deployment.berth("up", "--yes")

    def replicas(self, service: str) -> list[Container]:
        labels = [f"berth.stack={self.deployment.stack}", f"berth.service={service}"]
        found = self.engine.containers.list(filters={"label": labels, "status": "running"})
        return [it for it in found if it.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"]

    def release(self, service: str) -> None:
        """A new version of one service becomes the wish of the stack."""
        folder = self.deployment.folder / "release"
        folder.mkdir(exist_ok=True)
        (folder / "Dockerfile").write_text(_RELEASE)
        base = self.replicas(service)[0].attrs["Config"]["Image"]
        image = {"source": "build", "context": "release", "args": {"BASE": base, "RELEASE": "2"}}
        self.settings.setdefault(service.replace("-", "_"), {})["image"] = image

    def rolled(self, service: str, users: Users, *, sockets: int, **load: Any) -> Result:
        before = {it.id for it in self.replicas(service)}
        self.release(service)
        result = self.changed(f"{service}, {len(before)} replicas, rolling", users, sockets=sockets, **load)
        if before & {it.id for it in self.replicas(service)}:
            raise RuntimeError(f"{service} was not replaced")
        return result

    def changed(
        self,
        what: str,
        users: Users,
        *,
        sockets: int,
        url: str = "",
        rate: int = RATE,
        requests: int = REQUESTS,
    ) -> Result:
        """An `up` under load."""
        door = edge(self.engine, self.deployment.stack)
        before = generation(door)
        with traffic(
            url or self.deployment.url, users, rate=rate, sockets=sockets, requests=requests, resend=False
        ) as seen:
            time.sleep(2)
            began = time.monotonic()
            self.up()
            taken = time.monotonic() - began
        note = f"; {generation(door) - before} reloads, the update took {taken:.0f} s"
        return lost(f"{self.deployment.system}: {what}", seen, 0, note)

    def recreated(self, service: str, users: Users, *, sockets: int) -> Result:
        """The same by recreate; the stack's own containers of the service are gone then."""
        replicas = self.replicas(service)
        load = traffic(
            self.deployment.url, users, rate=RATE, sockets=sockets, requests=REQUESTS, resend=False
        )
        with ExitStack() as after, load as seen:
            time.sleep(2)
            labels = {**replicas[0].labels, "release": "3"}
            after.callback(recreate(self.engine, replicas, {"Labels": labels}).remove)
        return lost(f"{self.deployment.system}: {service}, {len(replicas)} replicas, recreate", seen, None)


def rolling_systems() -> list[Result]:
    """celery and gpu have no WebSockets. tts-proxy is asked as by the backend, on the edge's inner port."""
    with tempfile.TemporaryDirectory(prefix="berth-bench-") as folder:
        return [*celery(Path(folder)), *cloud_api(Path(folder)), *gpu(Path(folder))]


def celery(folder: Path) -> list[Result]:
    """Its application. folder: for the copy of the project, which both systems may share."""
    settings: dict[str, dict[str, Any]] = {
        "data": {"kind": "engine"},
        "app": {"replicas": 3, "pause": "1s", "health_interval": "3s"},
        "worker": {"replicas": 1},
    }
    with _deployed(folder, "celery", settings) as system:
        with system.deployment.client() as client:
            id = export(client, rows=[{"a": 1}])
            ended(client, id)
        users = readers_and_writers(system.deployment, id)
        return [system.rolled("app", users, sockets=0), system.recreated("app", users, sockets=0)]


def cloud_api(folder: Path) -> list[Result]:
    """Its three services, and the configuration of its nginx."""
    settings: dict[str, dict[str, Any]] = {"apis": {"kind": "stand-in"}, "backend": {"replicas": 2}}
    with _deployed(folder, "cloud-api", settings) as system:
        deployment = system.deployment
        trust = deployment.trust()
        assert not isinstance(trust, bool)
        person = Person(deployment.url, trust=trust)
        everything, of_backend = editors(person), editors(person, "/api/me", "/api/voices")
        speech = Users(
            asks=[_SPEECH, *[Ask("GET", "/v1/voices")] * 39],
            socket=everything.socket,
            headers=everything.headers,
            trust=trust,
        )
        networks = edge(system.engine, deployment.stack).attrs["NetworkSettings"]["Networks"]
        (inside,) = (f"http://{network['IPAddress']}:8001" for network in networks.values())
        results = [
            system.rolled("frontend", editors(person, "/", "/", "/"), sockets=10),
            system.rolled("backend", of_backend, sockets=10),
            system.rolled("tts-proxy", speech, sockets=10, url=inside),
        ]
        _reroute(deployment)
        results.append(system.changed("nginx's configuration", everything, sockets=10))
        return [*results, system.recreated("backend", of_backend, sockets=10)]


def gpu(folder: Path) -> list[Result]:
    """Its application, while it speaks."""
    settings = {"device": "cpu", "texts": {"kind": "built-in"}}
    with _deployed(folder, "gpu", settings) as system:
        trust = system.deployment.trust()
        assert not isinstance(trust, bool)
        asks = [
            Ask("POST", "/api/tts", json.dumps({"text": f"number {number}"}).encode())
            for number in range(_SPOKEN)
        ]
        users = Users(asks=asks, trust=trust)
        return [system.rolled("app", users, sockets=0, rate=5, requests=_SPOKEN)]


def _reroute(deployment: Deployment) -> None:
    """A route of the copied project changes, and with it nothing but nginx's configuration."""
    path = deployment.folder / "stacks/cloud_api.py"
    old, new = (f'websocket=True, timeout=Duration("{hours}h")' for hours in (1, 2))
    text = path.read_text()
    if text.count(old) != 1:
        raise RuntimeError(f"the route to change is not in {path.name} any more: {old}")
    path.write_text(text.replace(old, new))


@contextmanager
def _deployed(folder: Path, name: str, settings: Mapping[str, Any]) -> Iterator[_System]:
    """A stack of its own in the copy; nothing of it is left."""
    deployment = Deployment(folder, name)
    engine = docker.from_env()
    network = {"name": f"{deployment.stack}-network", "subnet": free_subnet(engine)}
    engine.close()
    try:
        yield _System(deployment, {**settings, "network": network})
    finally:
        deployment.berth("destroy", "--with-data", text=f"{deployment.stack}\n", check=False)
