"""A service of one's own behind the edge, changed by a plain `pulumi up`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker

from offline.toolchain import Toolchain
from stacks.content import base_image
from tests.docker.workloads import WORKLOADS, base, image
from tests.engine.project import Project, Result
from tests.ports import free_port

HERE = Path(__file__).parent
PYTHON = "berth-test/python:1"


class Rolling:
    """`up(VERSION=2, replicas=3)`: capitals are the service's environment, others what the program wants."""

    def __init__(self, project: Project, engine: docker.DockerClient) -> None:
        self.project, self.engine = project, engine
        self.name, self.port = f"berth-roll-{secrets.token_hex(3)}", free_port()
        base(engine)
        engine.images.build(
            path=str(WORKLOADS / "douyin-processor"),
            target="runtime",
            tag=PYTHON,
            buildargs={"BASE": base_image(WORKLOADS)},
            rm=True,
        )
        self.nginx = image(engine, "nginx")
        project.env["PYTHONPATH"] = str(HERE.parents[1])
        project.program((HERE / "rolling_program.py").read_text())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def up(self, *, check: bool = True, **wanted: Any) -> Result:
        given = {
            "name": self.name,
            "port": self.port,
            "nginx": self.nginx,
            "python": PYTHON,
            "echo": str(HERE / "echo.py"),
            "env": {key: str(value) for key, value in wanted.items() if key.isupper()},
        } | {key: value for key, value in wanted.items() if not key.isupper()}
        (self.project.folder / "wanted.json").write_text(json.dumps(given))
        return self.project.up(check=check)

    def replicas(self) -> list[docker.models.containers.Container]:
        filters = {"label": [f"berth.stack={self.name}", "berth.service=app"], "status": "running"}
        return [c for c in self.engine.containers.list(filters=filters) if "-step-" not in c.name]

    def remove(self) -> None:
        """What a destroy does not know of: an interrupted command did not write down all that it made."""
        mine = {"label": f"berth.stack={self.name}"}
        for container in self.engine.containers.list(all=True, ignore_removed=True, filters=mine):
            container.remove(force=True, v=True)
        for network in self.engine.networks.list(filters=mine):
            network.remove()
        for volume in self.engine.volumes.list(filters=mine):
            volume.remove()


@contextmanager
def rolling(toolchain: Toolchain, folder: Path, home: Path) -> Iterator[Rolling]:
    """Nothing of it is left at the end, nor after an interruption."""
    engine = docker.from_env(timeout=300)
    project = Project(toolchain, folder, home)
    project.init()
    made = Rolling(project, engine)
    try:
        yield made
    finally:
        try:
            # An interrupted command leaves its lock.
            project.run("cancel", "--yes", check=False)
            if len(project.resources()) > 1:
                project.destroy("--remove")
        finally:
            made.remove()
            engine.close()
