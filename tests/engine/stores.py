"""A bench for stores: a stack of its own that holds the stores a test asks for, and a client beside them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker

from offline.docker.volume import ADOPT
from stacks.certificates import Authority
from tests.engine.project import Project, Result

ROOT = Path(__file__).resolve().parents[2]
PACK = str(ROOT / "policies")
PROGRAM = """
    import json
    from pathlib import Path
    from tests.engine.store_program import build

    build(json.loads(Path("wanted.json").read_text()))
"""
SECRETS = {
    "password": "it's a \\ \" : pass#word",
    "root_password": "ro'ot\\-wo:rd",
    "replication_password": "re'pli\\ca:ted",
}
"""Characters that mean something to a shell, to SQL and to option files."""


class StoreBench:
    """`name` stands in the name of every object on the engine."""

    def __init__(self, project: Project, client: docker.DockerClient, images: Mapping[str, str]) -> None:
        self.project, self.client, self.images = project, client, images
        self.name = f"stores-{secrets.token_hex(3)}"
        self.authority = Authority.new("stores under test")
        hosts = ["postgres", "postgres-replica", "mysql", "mysql-replica"]
        self.wanted: dict[str, Any] = {
            "name": self.name,
            "stores": {},
            "secrets": SECRETS,
            "authority": self.authority.certificate,
            "certificate": self.authority.issue(hosts),
        }
        project.env["PYTHONPATH"] = str(ROOT)
        project.program(PROGRAM)

    def want(self, role: str, *, image: str | None = None, **fields: Any) -> None:
        """Adds the store or changes it; `fields` are those of its spec."""
        stores = self.wanted["stores"]
        kept = stores.get(role, {"image": self.images[role.partition("-")[0]], "spec": {}})
        stores[role] = {"image": image or kept["image"], "spec": {**kept["spec"], **fields}}

    def secret(self, name: str, value: str) -> None:
        """Gives a secret another value."""
        self.wanted["secrets"] = {**self.wanted["secrets"], name: value}

    def up(self, *args: str, check: bool = True) -> Result:
        """`pulumi up` with the policy pack."""
        (self.project.folder / "wanted.json").write_text(json.dumps(self.wanted))
        return self.project.up("--policy-pack", PACK, *args, check=check)

    def volume(self, role: str) -> str:
        """The data volume of a store."""
        return f"{self.name}-{role}-data"

    def container(self, role: str) -> Any:
        """The running server of a store."""
        label = f"berth.service={role}"
        found = self.client.containers.list(filters={"label": [f"berth.system={self.name}", label]})
        (server,) = [item for item in found if item.labels["berth.service"] == role]
        return server

    def client_run(self, role: str, script: str, *, data: bool = False) -> tuple[int, str]:
        """A shell script in a container of the store's image on its network: status, output.

        The passwords are files in /secrets, the authority is /secrets/ca.pem. data: as root, with the volume.
        """
        folder = self.project.folder / "client"
        folder.mkdir(exist_ok=True)
        texts = {**self.wanted["secrets"], "ca.pem": self.authority.certificate}
        for name, text in texts.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o444)
        volumes = {str(folder): {"bind": "/secrets", "mode": "ro"}}
        if data:
            volumes[self.volume(role)] = {"bind": "/mnt", "mode": "rw"}
        made = self.client.containers.create(
            self.images[role.partition("-")[0]],
            entrypoint=["sh", "-c"],
            command=[script],
            network=self.name,
            volumes=volumes,
            user="0" if data else None,
            labels={"berth.system": self.name},
        )
        try:
            made.start()
            code = int(made.wait(timeout=120)["StatusCode"])
            return code, made.logs().decode()
        finally:
            made.remove(force=True)

    def down(self) -> None:
        """Takes the stack down; the data stay on the host, for the next `up` to find."""
        self.project.run("state", "unprotect", "--all", "--yes")
        self.project.destroy()
        filters = {"label": f"berth.system={self.name}"}
        assert not self.client.containers.list(all=True, filters=filters)
        self.project.env[ADOPT] = ",".join(
            volume.name for volume in self.client.volumes.list(filters=filters)
        )

    def close(self) -> None:
        """Takes the stack down and removes what it retained."""
        self.project.run("state", "unprotect", "--all", "--yes", check=False)
        self.project.destroy(check=False)
        filters = {"label": f"berth.system={self.name}"}
        for container in self.client.containers.list(all=True, filters=filters):
            container.remove(force=True, v=True)
        for volume in self.client.volumes.list(filters=filters):
            volume.remove(force=True)
        for network in self.client.networks.list(filters=filters):
            network.remove()


def psql(mode: str = "verify-full", *, host: str = "postgres", word: str = "password") -> str:
    """A client's command line, to be followed by SQL."""
    login = f"host={host} user=owner dbname=things sslmode={mode} sslrootcert=/secrets/ca.pem"
    return f"export PGPASSWORD=\"$(cat /secrets/{word})\"; psql -qAtX '{login}' -v ON_ERROR_STOP=1 -c"


def mysql(*, host: str = "mysql", user: str = "owner", word: str = "password", tls: str = "") -> str:
    """A client's command line."""
    checked = tls or "--ssl-ca=/secrets/ca.pem --ssl-verify-server-cert"
    login = f"mysql --no-defaults -N -h {host} -u {user} {checked} my_things"
    return f'export MYSQL_PWD="$(cat /secrets/{word})"; {login}'
