"""The cloud-api system as a stack of its own, and what tests ask of it."""

from __future__ import annotations

import json
import re
import secrets as words
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
import httpx
from docker.models.containers import Container

from tests.docker.editor import PASSWORD, Person
from tests.engine.deployment import Deployment

# As short as users are in these tests: everybody waits for it when a replica goes.
DRAIN = "5s"


class CloudApi:
    """On loopback ports, with the stand-in of the clouds and two backends."""

    def __init__(self, folder: Path, engine: docker.DockerClient) -> None:
        self.engine = engine
        self.deployment = Deployment(folder, "cloud-api")
        self.nginx: dict[str, Any] = {"drain": DRAIN}
        """Its usual settings."""
        self.configure({})

    @property
    def stack(self) -> str:
        return self.deployment.stack

    @property
    def url(self) -> str:
        return self.deployment.url

    def configure(self, settings: Mapping[str, Any]) -> None:
        """What the stack file says; `settings` is laid over the usual ones."""
        usual: dict[str, Any] = {
            "apis": {"kind": "stand-in"},
            "nginx": self.nginx,
            "backend": {"replicas": 2},
        }
        for service, values in settings.items():
            usual[service] = {**usual.get(service, {}), **values}
        self.deployment.configure(usual)

    def person(self) -> Person:
        """Somebody new."""
        return Person(self.url, trust=self._trust())

    def again(self, name: str) -> Person:
        """Somebody who comes back after a while, and logs in anew."""
        trust = self._trust()
        client = httpx.Client(timeout=60, trust_env=False, verify=trust)
        person = Person(self.url, name, client=client, trust=trust)
        person.post("/api/login", {"name": name, "password": PASSWORD}, 200)
        return person

    def _trust(self) -> Any:
        return self.deployment.trust()

    def running(self, service: str) -> list[Container]:
        """The containers that serve as `service` now."""
        mine = {"label": [f"berth.stack={self.stack}", f"berth.service={service}"], "status": "running"}
        found = self.engine.containers.list(filters=mine)
        return [it for it in found if it.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"]

    def happened(self, since: float) -> list[str]:
        """What its containers did since a time, and what its edge said but of requests that went well."""
        mine = {"label": f"berth.stack={self.stack}", "type": "container"}
        told = []
        for event in self.engine.events(since=int(since), until=int(time.time()), filters=mine, decode=True):
            if event["Action"] in ("start", "kill", "die", "destroy"):
                at = event["timeNano"] / 1e9
                about = event["Actor"]["Attributes"]
                told.append((at, f"{event['Action']} {about['name']} {about.get('exitCode', '')}"))
        for edge in self.running("nginx"):
            for line in edge.logs(since=int(since), timestamps=True).decode(errors="replace").splitlines():
                at, _, said = line.partition(" ")
                if not re.search(r'"status":"?[123]', said):
                    told.append((datetime.fromisoformat(at[:26] + "+00:00").timestamp(), said[:300]))
        return [f"{at:.2f} {what}" for at, what in sorted(told)][-150:]

    def ids(self, *services: str) -> set[str]:
        return {container.id or "" for service in services for container in self.running(service)}

    def secrets(self) -> dict[str, str]:
        """All of `berth:secrets`, in plain text."""
        config = json.loads(self._pulumi("config --show-secrets --json"))
        found: dict[str, str] = json.loads(config["berth:secrets"]["value"])
        return found

    def set_secret(self, name: str, value: str) -> None:
        self._pulumi(f"config set --secret --path berth:secrets.{name} -- {value}")

    def unchanged(self) -> None:
        """A preview that fails when anything would change."""
        self._pulumi("preview --expect-no-changes --diff")

    def _pulumi(self, command: str) -> str:
        verb, _, rest = command.partition(" ")
        script = f'eval "$(./berth env -s {self.stack})" && pulumi {verb} --stack {self.stack} {rest}'
        return self.deployment.shell(script).stdout

    def script(self, program: str, service: str = "backend") -> str:
        """What a JavaScript program prints in a container of the service."""
        code, output = self.running(service)[0].exec_run(["node", "-e", program])
        assert code == 0, output.decode()
        text: str = output.decode()
        return text

    def close(self) -> None:
        """Nothing of it is left."""
        self.deployment.berth("destroy", "--with-data", text=f"{self.stack}\n", check=False)


def another_password() -> str:
    """A strong one."""
    return words.token_hex(20)
