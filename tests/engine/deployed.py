"""A small project to deploy: a door that stays, and behind it a service of an image that is built here."""

from __future__ import annotations

import http.client
import json
import secrets
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from tests.docker.images import BUSYBOX
from tests.engine.workbench import Workbench

PROGRAM = """
import json
from pathlib import Path
import pulumi
import pulumi_docker as docker
from stacks.content import image_tag
from stacks.reads import follow

here = Path(__file__).parent
follow(here)
wanted = json.loads((here / "wanted.json").read_text())
stack = wanted["stack"]


def labels(service):
    return {"berth.stack": stack, "berth.system": "gateway", "berth.service": service}


def container(name, alias, **more):
    return docker.Container(
        name,
        user="65534",
        memory=64, memory_swap=64, cpus="0.5",
        log_driver="json-file", log_opts={"max-size": "1m", "max-file": "1"},
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
        security_opts=["no-new-privileges"],
        healthcheck=docker.ContainerHealthcheckArgs(
            tests=["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/health"],
            interval="1s", timeout="20s", retries=3, start_period=wanted["patience"],
        ),
        restart="unless-stopped", wait=True, wait_timeout=300,
        networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name, aliases=[alias])],
        labels=[docker.ContainerLabelArgs(label=k, value=v) for k, v in labels(alias).items()],
        **more,
    )


network = docker.Network(
    "inner",
    name=stack + "-inner",
    labels=[docker.NetworkLabelArgs(label=k, value=v) for k, v in labels("network").items()],
)
image = docker.Image(
    "image",
    image_name=image_tag(stack, here / "workloads" / "app", {}),
    build=docker.DockerBuildArgs(context="workloads/app", builder_version=docker.BuilderVersion.BUILDER_V1),
    skip_push=True,
    build_on_preview=False,
)
app = container(
    "app",
    "app",
    image=image.image_name,
    command=["sh", "/app/run"],
    opts=pulumi.ResourceOptions(delete_before_replace=False),
)
door = container(
    "door",
    "door",
    image="berth-test/busybox:1",
    command=["sh", "-c", wanted["forward"]],
    ports=[docker.ContainerPortArgs(internal=8080, external=wanted["port"], ip=wanted["ip"])],
    opts=pulumi.ResourceOptions(depends_on=[app], delete_before_replace=True),
)
pulumi.export("systems", {"gateway": {
    "services": {
        "app": {"containers": [app.name], "alias": "app", "port": 8080},
        "door": {"containers": [door.name], "alias": "door", "port": 8080},
    },
    "networks": [network.name],
    "stores": wanted["stores"],
    "url": f"http://127.0.0.1:{wanted['asked']}",
}})
"""
# Asks again where the service has two addresses for a while and one does not listen, or one ended before it
# answered: each turn takes one of both by chance. So a door of this kind tells whether somebody serves,
# and no more: that no request is lost is measured behind the edge (test_handover.py, each system's tests).
FORWARD = r"""
cat > /tmp/forward <<'END'
#!/bin/sh
end=$(printf '\r')
while IFS= read -r line && printf '%s\n' "$line" && [ "$line" != "$end" ]; do :; done > /tmp/asked.$$
for turn in $(seq 100); do
    nc -w 3 app 8080 < /tmp/asked.$$ > /tmp/answer.$$ && [ -s /tmp/answer.$$ ] && break
done
cat /tmp/answer.$$
rm /tmp/asked.$$ /tmp/answer.$$
END
chmod +x /tmp/forward
exec nc -ll -p 8080 -e /tmp/forward
"""
# Ends as a service should: it takes nothing more, and what it has taken it answers.
RUN = """
mkdir -p /tmp/w && cp /app/answer /tmp/w/health
httpd -f -p 8080 -h /tmp/w &
trap 'kill $!; sleep 0.5; exit' TERM
wait
"""
BROKEN = "echo 'no setting named COLOUR'; sleep 900\n"


class DeployBench(Workbench):
    """Runs `deploy` on the small project. `code` changes what its image is made of."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, f"deploy-{secrets.token_hex(3)}")
        (self.root / "workloads").unlink()
        (self.root / "workloads" / "app").mkdir(parents=True)
        (self.root / "workloads" / "app" / "Dockerfile").write_text(f"FROM {BUSYBOX}\nCOPY . /app\n")
        (self.root / "__main__.py").write_text(PROGRAM)
        self.code("one")
        self.choose()

    def choose(self, **wanted: Any) -> None:
        """What the program asks for, otherwise the usual."""
        usual = {
            "stack": self.name,
            "port": self.port,
            "asked": self.port,
            "ip": "127.0.0.1",
            "patience": "3s",
            "forward": FORWARD,
            "stores": {},
        }
        (self.root / "wanted.json").write_text(json.dumps(usual | wanted))

    def code(self, answer: str, run: str = RUN) -> None:
        """What the service answers, and how it starts."""
        for name, text in {"answer": answer, "run": run}.items():
            (self.root / "workloads" / "app" / name).write_text(text)

    def deploy(self, *args: str) -> dict[str, Any]:
        """A deployment that must succeed; its record."""
        found: dict[str, Any] = json.loads(self.ok("deploy", *args, "--json"))
        return found

    def deployments(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.ok("deploy", "list", "--json"))
        return found

    @property
    def kept(self) -> Path:
        """Where all of it is written down."""
        (found,) = (Path(self.environment["XDG_DATA_HOME"]) / "berth/deployments").iterdir()
        return found

    def answer(self) -> str:
        """What is answered at the door."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=60) as said:
            return str(said.read().decode())

    def remove(self, client: docker.DockerClient) -> None:
        """All that it made on the engine."""
        for container in self.containers(client):
            container.remove(force=True)
        for network in client.networks.list(filters={"label": f"berth.stack={self.name}"}):
            network.remove()
        for image in client.images.list(f"berth/{self.name}"):
            client.images.remove(str(image.id), force=True)


@dataclass
class Asked:
    """What was answered while something else went on."""

    answers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextmanager
def asking(bench: DeployBench) -> Iterator[Asked]:
    """Asks at the door about 20 times a second, each on a connection of its own."""
    seen, over = Asked(), threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                seen.answers.append(bench.answer())
            except (OSError, http.client.HTTPException) as error:
                seen.failures.append(repr(error))
            time.sleep(0.05)

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield seen
    finally:
        over.set()
        asker.join()
