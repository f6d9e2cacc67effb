"""A stack that keeps two databases, PostgreSQL and MySQL, worked on through the verbs."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import docker

from stacks.certificates import Authority
from tests.engine.stores import SECRETS
from tests.engine.workbench import Workbench

PROGRAM = """
import json
from pathlib import Path

from tests.engine.kept_program import build

build(json.loads(Path("wanted.json").read_text()))
"""


class KeptBench(Workbench):
    """Its system has the bench's name, and so have all objects on the engine."""

    def __init__(self, folder: Path, client: docker.DockerClient, images: dict[str, str]) -> None:
        self.wanted: dict[str, Any] = {
            "images": images,
            "secrets": dict(SECRETS),
            "backup": {"time_zone": "UTC"},
        }
        super().__init__(folder, f"day-two-{secrets.token_hex(3)}")
        self.client = client
        (self.root / "__main__.py").write_text(PROGRAM)
        authority = Authority.new("stores under test")
        self.wanted["secrets"]["certificate"] = authority.issue(["postgres", "mysql", "localhost"])
        self.wanted["name"] = self.name
        self.write()

    def want(self, *, ready: bool = True, mark: str = "") -> None:
        """Nothing but what is in `wanted`."""

    def write(self, **wanted: Any) -> None:
        """Changes what the program asks for."""
        self.wanted |= wanted
        (self.root / "wanted.json").write_text(json.dumps(self.wanted))

    def container(self, service: str) -> Any:
        """The one running container of a service."""
        labels = [f"berth.system={self.name}", f"berth.service={service}"]
        (found,) = self.client.containers.list(filters={"label": labels})
        return found

    def sql(self, service: str, query: str) -> str:
        """A query as the owner, inside the server's container."""
        word = f"$(cat /run/secrets/{'password' if service == 'postgres' else 'root_password'})"
        command = {
            "postgres": f'PGPASSWORD="{word}" psql -qAtX -h /var/run/postgresql -U things things -c',
            "mysql": f'MYSQL_PWD="{word}" mysql --defaults-file=/etc/store/my.cnf -N -u root my_things -e',
        }[service]
        script = f'{command} "$1" 2>&1'
        code, said = self.container(service).exec_run(["sh", "-c", script, "sh", query])
        assert code == 0, said
        return str(said.decode().strip())

    def close(self) -> None:
        """Leaves nothing of the stack."""
        filters = {"label": f"berth.system={self.name}"}
        for container in self.client.containers.list(all=True, filters=filters, ignore_removed=True):
            container.remove(force=True, v=True)
        for volume in self.client.volumes.list(filters=filters):
            volume.remove(force=True)
        for network in self.client.networks.list(filters=filters):
            network.remove()
