"""The taifish system without Pulumi: PostgreSQL over TLS, Redis, and containers of each role."""

from __future__ import annotations

import http.client
import io
import json
import secrets
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from tests.docker.workloads import image, until

USER = 10001
FOLDERS = ("logs", "uploads", "exports", "backups")


def certificate(folder: Path, name: str) -> tuple[str, str]:
    """A new authority's certificate, and key with certificate for `name`, both PEM."""
    run = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run([*run, "-keyout", key, "-out", cert, *names], check=True, capture_output=True)
    return cert.read_text(), key.read_text() + cert.read_text()


class Taifish:
    """Everything on a network of its own, with the data in a folder of the host."""

    def __init__(self, client: docker.DockerClient, folder: Path, **environment: str) -> None:
        self.client, self.folder = client, folder
        self.id = f"taifish-test-{secrets.token_hex(3)}"
        self.images = {name: image(client, name) for name in ("taifish", "postgres", "redis")}
        self.passwords = {name: secrets.token_hex(16) for name in ("database", "redis")}
        self.data = folder / "data"
        for name in FOLDERS:
            (self.data / name).mkdir(parents=True)
            shutil.chown(self.data / name, USER, USER)
        for name, text in self.passwords.items():
            self._secret(name, text, USER)
        self._secret("postgres", self.passwords["database"], 70)
        authority, server = certificate(folder, "postgres")
        (folder / "ca.pem").write_text(authority)
        self._secret("tls.pem", server, 70)
        self._secret("redis.conf", f"requirepass {self.passwords['redis']}\nappendonly yes\n", 999)
        self.environment = {
            "DATABASE_URL": "postgresql://taifish@postgres:5432/taifish"
            "?sslmode=verify-full&sslrootcert=/etc/taifish/tls/ca.pem",
            "DATABASE_PASSWORD_FILE": "/run/secrets/database",
            "REDIS_URL": "redis://redis:6379/0",
            "REDIS_PASSWORD_FILE": "/run/secrets/redis",
            "DATA": "/app/data",
            **environment,
        }
        self.network = client.networks.create(self.id)

    def _secret(self, name: str, text: str, owner: int) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o400)
        shutil.chown(path, owner, owner)

    def close(self) -> None:
        """Removes everything of ours."""
        for container in self.client.containers.list(all=True, filters={"label": f"test={self.id}"}):
            container.remove(force=True, v=True)
        self.network.remove()

    def logs(self) -> str:
        """The end of what every container said, for a failed test."""
        found = self.client.containers.list(all=True, filters={"label": f"test={self.id}"})
        return "\n".join(f"--- {c.name} {c.attrs['Path']}\n{c.logs(tail=60).decode()}" for c in found)

    def container(self, kind: str, alias: str, command: list[str], **options: Any) -> Container:
        """Started, hardened as systems.md says."""
        options = {"mem_limit": "512m", "memswap_limit": "512m", "tmpfs": {"/tmp": ""}, **options}
        container = self.client.containers.create(
            self.images[kind],
            command,
            labels={"test": self.id},
            read_only=True,
            init=True,
            # A closed network, as with many users: a name server that never answers, and so a broker that is
            # gone is not found for long. The stacks have `name_timeout` against that; here it lasts 20 s.
            dns=["192.0.2.1"],
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            network=self.id,
            networking_config={self.id: self.client.api.create_endpoint_config(aliases=[alias])},
            **options,
        )
        container.start()
        return container

    def stores(self) -> None:
        """PostgreSQL and Redis, once both answer."""
        mount = {"mode": "ro"}
        self.postgres = self.container(
            "postgres",
            "postgres",
            [
                "postgres",
                "-c",
                "listen_addresses=*",
                "-c",
                "ssl=on",
                "-c",
                "ssl_cert_file=/run/secrets/tls",
                "-c",
                "ssl_key_file=/run/secrets/tls",
            ],
            environment={
                "POSTGRES_USER": "taifish",
                "POSTGRES_DB": "taifish",
                "POSTGRES_PASSWORD_FILE": "/run/secrets/postgres",
            },
            volumes={
                str(self.folder / "postgres"): {"bind": "/run/secrets/postgres", **mount},
                str(self.folder / "tls.pem"): {"bind": "/run/secrets/tls", **mount},
            },
            tmpfs={
                "/tmp": "",
                "/var/run/postgresql": "uid=70,gid=70",
                "/var/lib/postgresql/data": "uid=70,gid=70,mode=700",
            },
        )
        self.redis = self.container(
            "redis",
            "redis",
            ["redis-server", "/run/secrets/redis.conf"],
            volumes={str(self.folder / "redis.conf"): {"bind": "/run/secrets/redis.conf", **mount}},
            tmpfs={"/data": "uid=999,gid=1000"},
        )
        ready = ["pg_isready", "-h", "postgres", "-U", "taifish"]
        until("postgres answers", lambda: True if self.postgres.exec_run(ready).exit_code == 0 else None)

    def sql(self, statement: str) -> None:
        """Runs it as the database's owner."""
        run = 'PGPASSWORD=$(cat /run/secrets/postgres) exec psql -U taifish -v ON_ERROR_STOP=1 -c "$0"'
        answer = self.postgres.exec_run(["sh", "-c", run, statement])
        assert answer.exit_code == 0, answer.output.decode()

    def role(
        self,
        role: str,
        *,
        command: list[str] | None = None,
        wait: bool = True,
        environment: dict[str, str] | None = None,
        **options: Any,
    ) -> Container:
        """A container of a role, once its health check is content."""
        if role == "app":
            options = {"ports": {"5000/tcp": ("127.0.0.1", 0)}, **options}
        container = self.container(
            "taifish",
            role,
            command or [f"taifish-{role}"],
            environment={**self.environment, **(environment or {})},
            volumes={
                **{str(self.data / name): {"bind": f"/app/data/{name}", "mode": "rw"} for name in FOLDERS},
                str(self.folder / "ca.pem"): {"bind": "/etc/taifish/tls/ca.pem", "mode": "ro"},
                **{
                    str(self.folder / name): {"bind": f"/run/secrets/{name}", "mode": "ro"}
                    for name in self.passwords
                },
            },
            **options,
        )
        if wait and role != "migrate":
            self.healthy(container, role)
        return container

    def healthy(self, container: Container, role: str) -> None:
        """Waits as Docker's health check would."""
        command = ["probe", "http://127.0.0.1:5000/health"] if role == "app" else ["taifish-alive"]

        def ask() -> bool | None:
            container.reload()
            assert container.status == "running", container.logs().decode()
            return True if container.exec_run(command).exit_code == 0 else None

        try:
            until(f"{role} healthy", ask, 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{container.logs().decode()}") from error

    def migrated(self) -> None:
        """The tables, made as the stack makes them."""
        job = self.role("migrate")
        assert job.wait()["StatusCode"] == 0, job.logs().decode()

    def copied(self, container: Container, path: str) -> bytes:
        """A file out of a container."""
        archive = io.BytesIO(b"".join(container.get_archive(path)[0]))
        with tarfile.open(fileobj=archive) as tar:
            member = tar.extractfile(tar.next() or tarfile.TarInfo())
            assert member is not None
            return member.read()


def port(container: Container) -> int:
    """Where an app is reached from here."""
    container.reload()
    return int(container.ports["5000/tcp"][0]["HostPort"])


def ask(
    container: Container, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, Any, dict[str, str]]:
    """Status, body (read as JSON when it is) and headers of one request; bytes are sent as they are."""
    connection = http.client.HTTPConnection("127.0.0.1", port(container), timeout=30)
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    try:
        connection.request(method, path, data, headers or {})
        response = connection.getresponse()
        content = response.read()
        kind = response.headers.get("Content-Type", "")
        return (
            response.status,
            json.loads(content) if kind == "application/json" else content,
            dict(response.headers),
        )
    finally:
        connection.close()


def ended(app: Container, id: str, seconds: float = 60) -> dict[str, Any]:
    """The task once it is done or failed."""

    def look() -> dict[str, Any] | None:
        status, task, _ = ask(app, "GET", f"/api/tasks/{id}")
        assert status == 200, task
        return task if task["state"] in ("done", "failed") else None

    return until(f"task {id} ends", look, seconds)


def lines(*containers: Container) -> list[dict[str, Any]]:
    """What containers logged."""
    text = "".join(container.logs().decode() for container in containers)
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@contextmanager
def taifish(client: docker.DockerClient, **environment: str) -> Iterator[Taifish]:
    """A system that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="taifish-test-") as folder:
        Path(folder).chmod(0o755)
        system = Taifish(client, Path(folder), **environment)
        try:
            yield system
        finally:
            system.close()
