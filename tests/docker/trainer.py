"""The trainer's containers on a network and volumes of their own, hardened as systems.md says."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import docker
import httpx
from docker.models.containers import Container

from tests.docker.taifish import certificate
from tests.docker.workloads import image, until

SECRETS = {
    "JWT_SECRET_FILE": "jwt",
    "ADMIN_PASSWORD_FILE": "admin",
    "CEREBRAS_API_KEY_FILE": "cerebras",
    "DATABASE_PASSWORD_FILE": "database",
}
EMAIL = "operator@trainer.test"
START = 240
"""Seconds; on a machine where everything is tested at once, Node takes its time to start."""


class Trainer:
    """Application, administration and migration over one database."""

    def __init__(self, client: docker.DockerClient, folder: Path) -> None:
        self.client, self.folder = client, folder
        self.id = f"berth-test-trainer-{secrets.token_hex(3)}"
        self.image = image(client, "trainer")
        self.values = {name: secrets.token_hex(32) for name in SECRETS.values()}
        for name, value in self.values.items():
            (folder / name).write_text(value)
            (folder / name).chmod(0o444)
        self.network = client.networks.create(self.id)

    def close(self) -> None:
        """Removes everything of ours."""
        for container in self.client.containers.list(all=True, filters={"label": f"test={self.id}"}):
            container.remove(force=True, v=True)
        self.network.remove()
        for volume in self.client.volumes.list(filters={"name": self.id}):
            volume.remove(force=True)

    def create(
        self, command: Sequence[str], *, port: int | None = None, mounts: Sequence[str] = (), **env: str
    ) -> Container:
        """A container that is not started. mounts: further `SOURCE:TARGET:ro`."""
        return self.client.containers.create(
            self.image,
            list(command),
            labels={"test": self.id},
            read_only=True,
            tmpfs={"/tmp": ""},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit="512m",
            memswap_limit="512m",
            network=self.id,
            ports={f"{port}/tcp": ("127.0.0.1", 0)} if port else {},
            volumes=[
                f"{self.folder}:/run/secrets:ro",
                f"{self.id}-data:/app/data",
                f"{self.id}-audio:/app/public/audio",
                *mounts,
            ],
            environment={variable: f"/run/secrets/{file}" for variable, file in SECRETS.items()}
            | {"ADMIN_EMAIL": EMAIL}
            | env,
        )

    def postgres(self) -> dict[str, str]:
        """PostgreSQL with TLS, and the variables that make the trainer use it."""
        authority, server = certificate(self.folder, "postgres")
        (self.folder / "ca.pem").write_text(authority)
        (self.folder / "ca.pem").chmod(0o444)
        key = self.folder / "postgres.pem"
        key.write_text(server)
        key.chmod(0o400)
        shutil.chown(key, 70, 70)
        server_container = self.client.containers.create(
            image(self.client, "postgres"),
            ["postgres", "-c", "listen_addresses=*", "-c", "ssl=on"]
            + [
                word
                for part in ("cert", "key")
                for word in ("-c", f"ssl_{part}_file=/run/secrets/postgres.pem")
            ],
            labels={"test": self.id},
            read_only=True,
            init=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit="512m",
            memswap_limit="512m",
            network=self.id,
            networking_config={self.id: self.client.api.create_endpoint_config(aliases=["postgres"])},
            volumes=[f"{self.folder}:/run/secrets:ro"],
            tmpfs={
                "/tmp": "",
                "/var/run/postgresql": "uid=70,gid=70",
                "/var/lib/postgresql/data": "uid=70,gid=70,mode=700",
            },
            environment={
                "POSTGRES_USER": "trainer",
                "POSTGRES_DB": "trainer",
                "POSTGRES_PASSWORD_FILE": "/run/secrets/database",
            },
        )
        server_container.start()
        ready = ["pg_isready", "-h", "postgres", "-U", "trainer"]
        until("postgres answers", lambda: True if server_container.exec_run(ready).exit_code == 0 else None)
        url = "postgresql://trainer@postgres:5432/trainer?sslmode=verify-full&sslrootcert=/run/secrets/ca.pem"
        return {"DATABASE_URL": url}

    def listens(self, container: Container) -> str:
        """What health answers with, once it answers anything."""

        def asked() -> str | None:
            probe = container.exec_run(["probe", "http://127.0.0.1:3000/api/health"])
            line = str(probe.output.decode()).partition("\n")[0]
            return line if line.startswith("HTTP/") else None

        return until("trainer-app listens", asked, seconds=START)

    def job(self, *command: str, mounts: Sequence[str] = (), **env: str) -> tuple[int, str]:
        """Runs a command to its end: its status, and what it said."""
        container = self.create(command, mounts=mounts, **env)
        container.start()
        status = int(container.wait(timeout=START)["StatusCode"])
        said = container.logs().decode()
        container.remove(v=True)
        return status, said

    def migrate(self, **env: str) -> None:
        """Brings the database to the image's schema."""
        status, said = self.job("trainer-migrate", **env)
        assert status == 0, said

    def serve(
        self, role: str = "app", *, port: int = 3000, path: str = "/api/health", **env: str
    ) -> tuple[Container, httpx.Client]:
        """A server that answers its probe, and a client of it."""
        container = self.create([f"trainer-{role}"], port=port, **env)
        container.start()

        def healthy() -> bool | None:
            container.reload()
            assert container.status == "running", container.logs().decode()
            probe = container.exec_run(["probe", f"http://127.0.0.1:{port}{path}"])
            return True if probe.exit_code == 0 else None

        until(f"trainer-{role} healthy", healthy, seconds=START)
        published = container.ports[f"{port}/tcp"][0]["HostPort"]
        return container, httpx.Client(base_url=f"http://127.0.0.1:{published}", timeout=60, trust_env=False)


@contextmanager
def trainer(client: docker.DockerClient) -> Iterator[Trainer]:
    """One that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="berth-trainer-") as folder:
        Path(folder).chmod(0o755)
        made = Trainer(client, Path(folder))
        try:
            yield made
        finally:
            made.close()
