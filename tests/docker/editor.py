"""The audio editor without Pulumi: MySQL over TLS, Redis, both clouds' stand-in, the backend's replicas."""

from __future__ import annotations

import io
import json
import secrets
import shutil
import ssl
import tempfile
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import httpx
import numpy
from docker.models.containers import Container
from websockets.sync.client import ClientConnection, connect

from tests.docker.taifish import certificate
from tests.docker.tts import Clouds, clouds
from tests.docker.workloads import image, until

USER = 10001
PASSWORD = "a long password"
FOLDERS = ("uploads", "temp", "logs")
LEASE = 2


def recording(seconds: float = 1.0, rate: int = 16000, channels: int = 1) -> bytes:
    """A WAV file: 440 Hz at half of full scale."""
    tone = 0.5 * numpy.sin(2 * numpy.pi * 440 * numpy.arange(round(seconds * rate)) / rate)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(numpy.repeat(numpy.rint(tone * 32767).astype("<i2"), channels).tobytes())
    return out.getvalue()


class Person:
    """A user of one replica or of the edge, logged in. trust: what checks the edge's certificate."""

    def __init__(
        self,
        url: str,
        name: str | None = None,
        *,
        client: httpx.Client | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self.url, self.trust = url, trust
        self.name = name or f"ann-{secrets.token_hex(4)}"
        self.http = client or httpx.Client(timeout=60, trust_env=False, verify=trust or True)
        if client is None:
            self.post("/api/register", {"name": self.name, "password": PASSWORD}, 201)

    def at(self, url: str) -> Person:
        """The same session at another replica."""
        return Person(url, self.name, client=self.http, trust=self.trust)

    def get(self, path: str, expected: int = 200) -> dict[str, Any]:
        return self._json(self.http.get(self.url + path), expected)

    def post(self, path: str, body: dict[str, Any], expected: int) -> dict[str, Any]:
        return self._json(self.http.post(self.url + path, json=body), expected)

    def _json(self, answer: httpx.Response, expected: int) -> dict[str, Any]:
        assert answer.status_code == expected, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def project(self, name: str = "Demo") -> str:
        return str(self.post("/api/projects", {"name": name}, 201)["id"])

    def upload(self, project: str, content: bytes, name: str = "tone.wav") -> httpx.Response:
        return self.http.post(f"{self.url}/api/projects/{project}/files", files={"file": (name, content)})

    def edit(self, project: str, operations: list[dict[str, Any]], source: str | None = None) -> str:
        body = {"operations": operations, **({"source": source} if source else {})}
        return str(self.post(f"/api/projects/{project}/jobs", body, 202)["id"])

    def job(self, job: str) -> dict[str, Any]:
        return self.get(f"/api/jobs/{job}")

    def ended(self, job: str, seconds: float = 60) -> dict[str, Any]:
        """The job once it is done or failed."""

        def ask() -> dict[str, Any] | None:
            found = self.job(job)
            return found if found["status"] in {"done", "failed"} else None

        return until(f"the end of job {job}", ask, seconds)

    def result(self, job: str) -> bytes:
        answer = self.http.get(f"{self.url}/api/jobs/{job}/result")
        assert answer.status_code == 200, answer.text
        return answer.content

    def listen(self) -> ClientConnection:
        """A WebSocket to this replica."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())
        url = self.url.replace("http", "ws", 1)
        headers = {"Cookie": cookies}
        return connect(f"{url}/ws", additional_headers=headers, proxy=None, ssl=self.trust, open_timeout=60)


def progress(socket: ClientConnection, job: str) -> list[dict[str, Any]]:
    """What is told of a job until it ends."""
    heard: list[dict[str, Any]] = []
    while not heard or heard[-1]["status"] not in {"done", "failed"}:
        event = json.loads(socket.recv(timeout=60))
        heard += [event["job"]] if event["type"] == "job" and event["job"]["id"] == job else []
    return heard


class Editor:
    """Stores and replicas on the network of the stand-in."""

    def __init__(self, clouds: Clouds, folder: Path) -> None:
        self.clouds, self.client, self.folder = clouds, clouds.client, folder
        self.id = clouds.id
        self.passwords = {name: secrets.token_hex(16) for name in ("mysql", "redis")}
        authority, server = certificate(folder, "mysql")
        (folder / "ca.pem").write_text(authority)
        for name, text, owner in (
            ("root", secrets.token_hex(16), 999),
            ("mysql-server", self.passwords["mysql"], 999),
            ("tls.pem", server, 999),
            ("redis.conf", f"requirepass {self.passwords['redis']}\nappendonly yes\n", 999),
            ("mysql", self.passwords["mysql"], USER),
            ("redis", self.passwords["redis"], USER),
        ):
            self._secret(name, text, owner)
        self.proxy = clouds.proxy()
        self.mysql = self._mysql()
        serve = ["redis-server", "/run/secrets/redis.conf"]
        self.redis = self._start("redis", serve, ["redis.conf"], volumes=self._volume("redis", "/data"))
        until("mysql", lambda: self._answers(self.mysql, ["mysqladmin", "ping", "--silent"]))

    def _secret(self, name: str, text: str, owner: int) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o400)
        shutil.chown(path, owner, owner)

    def _volume(self, name: str, target: str) -> dict[str, dict[str, str]]:
        return {f"{self.id}-{name}": {"bind": target, "mode": "rw"}}

    def _mysql(self) -> Container:
        tls = [f"--ssl-{kind}=/run/secrets/tls.pem" for kind in ("cert", "key")]
        return self._start(
            "mysql",
            ["mysqld", *tls, "--require-secure-transport=ON", "--innodb-buffer-pool-size=32M"],
            ["root", "mysql-server", "tls.pem"],
            aliases=["mysql", "other-name"],
            volumes=self._volume("mysql", "/var/lib/mysql"),
            tmpfs={"/tmp": "", "/var/run/mysqld": "uid=999,gid=999"},
            environment={
                "MYSQL_ROOT_PASSWORD_FILE": "/run/secrets/root",
                "MYSQL_DATABASE": "audioediter",
                "MYSQL_USER": "audioediter",
                "MYSQL_PASSWORD_FILE": "/run/secrets/mysql-server",
            },
        )

    def _start(
        self,
        name: str,
        command: list[str] | None,
        files: list[str],
        *,
        aliases: list[str] | None = None,
        volumes: dict[str, dict[str, str]] | None = None,
        **options: Any,
    ) -> Container:
        """A container hardened as systems.md says."""
        mounts = {
            str(self.folder / file): {"bind": f"/run/secrets/{file}", "mode": "ro"} for file in files
        } | (volumes or {})
        endpoint = self.client.api.create_endpoint_config(aliases=aliases or [name])
        container = self.client.containers.create(
            image(self.client, name),
            command,
            labels={"test": self.id},
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            init=True,
            mem_limit="512m",
            memswap_limit="512m",
            network=self.id,
            networking_config={self.id: endpoint},
            volumes=mounts,
            **{"tmpfs": {"/tmp": ""}, **options},
        )
        container.start()
        container.reload()
        return container

    def _answers(self, container: Container, command: list[str]) -> bool | None:
        container.reload()
        assert container.status == "running", container.logs().decode()
        return True if container.exec_run(command).exit_code == 0 else None

    def start(self, **environment: str) -> Container:
        """A replica of the backend, not waited for."""
        return self._start(
            "backend",
            None,
            ["mysql", "redis", "ca.pem"],
            volumes={f"{self.id}-{name}": {"bind": f"/app/{name}", "mode": "rw"} for name in FOLDERS},
            ports={"3000/tcp": ("127.0.0.1", 0)},
            environment={
                "MYSQL_HOST": "mysql",
                "MYSQL_DATABASE": "audioediter",
                "MYSQL_USER": "audioediter",
                "MYSQL_PASSWORD_FILE": "/run/secrets/mysql",
                "MYSQL_CA_FILE": "/run/secrets/ca.pem",
                "REDIS_URL": "redis://redis:6379",
                "REDIS_PASSWORD_FILE": "/run/secrets/redis",
                "TTS_PROXY_URL": "http://tts-proxy:8001",
                "JOB_LEASE": str(LEASE),
                "STOP_GRACE": "1",
                **environment,
            },
        )

    def replica(self, **environment: str) -> Container:
        """A replica that is healthy."""
        container = self.start(**environment)
        until("backend healthy", lambda: self.healthy(container))
        return container

    def healthy(self, container: Container) -> bool | None:
        return self._answers(container, ["probe", "http://127.0.0.1:3000/health"])

    def url(self, container: Container) -> str:
        """Where a replica answers."""
        container.reload()
        published = container.ports["3000/tcp"]
        assert published
        return f"http://127.0.0.1:{published[0]['HostPort']}"

    def close(self) -> None:
        """Removes what this added to the stand-in's network."""
        for container in self.client.containers.list(all=True, filters={"label": f"test={self.id}"}):
            container.remove(force=True, v=True)
        for volume in self.client.volumes.list(filters={"name": self.id}):
            volume.remove(force=True)


@contextmanager
def editor(client: docker.DockerClient) -> Iterator[Editor]:
    """An editor without a replica yet, gone afterwards."""
    with clouds(client) as cloud, tempfile.TemporaryDirectory(prefix="berth-editor-") as folder:
        Path(folder).chmod(0o755)
        running = Editor(cloud, Path(folder))
        try:
            yield running
        finally:
            running.close()
