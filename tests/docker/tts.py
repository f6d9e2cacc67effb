"""tts-proxy and tts-stand-in on a network of their own, hardened as systems.md says."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import httpx
from docker.models.containers import Container

from tests.docker.workloads import image, until

KEYS = {"COSYVOICE_CLOUD_API_KEY_FILE": "cosyvoice", "GPT_SOVITS_CLOUD_API_KEY_FILE": "gpt-sovits"}
URLS = {
    "COSYVOICE_CLOUD_API_URL": "http://stand-in:8090/api/v1/services/aigc/text-to-speech",
    "GPT_SOVITS_CLOUD_API_URL": "http://stand-in:8090/gpt-sovits/v1",
}
Answer = httpx.Response


class Proxy:
    """A running tts-proxy as its caller and its operator see it."""

    def __init__(self, container: Container) -> None:
        self.container = container
        api, admin = (container.ports[f"{port}/tcp"][0]["HostPort"] for port in (8001, 8051))
        self.url = f"http://127.0.0.1:{api}"
        self.admin = f"http://127.0.0.1:{admin}"

    def speak(self, text: str = "Hello world.", headers: dict[str, str] | None = None, **body: Any) -> Answer:
        """The answer to one request on a connection of its own."""
        body = {"provider": "gpt-sovits", "text": text, **body}
        return httpx.post(f"{self.url}/v1/speech", json=body, headers=headers, timeout=60)

    def state(self, provider: str) -> dict[str, Any]:
        """What the admin port tells of a provider."""
        found: dict[str, Any] = httpx.get(f"{self.admin}/admin/providers").json()[provider]
        return found


class Clouds:
    """Both clouds' stand-in, and proxies before it."""

    def __init__(self, client: docker.DockerClient, folder: Path) -> None:
        self.client = client
        self.id = f"berth-test-tts-{secrets.token_hex(3)}"
        self.folder = folder
        self.keys = {name: f"sk-{secrets.token_hex(16)}" for name in KEYS.values()}
        for name, key in self.keys.items():
            (folder / name).write_text(f"{key}\n")
            (folder / name).chmod(0o444)
        self.network = client.networks.create(self.id)
        stand_in = self.run("tts-stand-in", "stand-in", 8090, [8091])
        self.control_url = f"http://127.0.0.1:{stand_in.ports['8091/tcp'][0]['HostPort']}/control"

    def close(self) -> None:
        """Removes everything of ours."""
        for container in self.client.containers.list(all=True, filters={"label": f"test={self.id}"}):
            container.remove(force=True, v=True)
        self.network.remove()

    def create(self, name: str, alias: str, ports: list[int], **environment: str) -> Container:
        """A container that is not started; its keys are files."""
        return self.client.containers.create(
            image(self.client, name),
            labels={"test": self.id},
            read_only=True,
            tmpfs={"/tmp": ""},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            init=True,
            mem_limit="256m",
            memswap_limit="256m",
            network=self.id,
            networking_config={self.id: self.client.api.create_endpoint_config(aliases=[alias])},
            ports={f"{port}/tcp": ("127.0.0.1", 0) for port in ports},
            volumes={str(self.folder): {"bind": "/run/secrets", "mode": "ro"}},
            environment={variable: f"/run/secrets/{file}" for variable, file in KEYS.items()} | environment,
        )

    def run(self, name: str, alias: str, port: int, published: list[int], **environment: str) -> Container:
        """A container whose probe answers."""
        container = self.create(name, alias, published, **environment)
        container.start()

        def healthy() -> bool | None:
            container.reload()
            assert container.status == "running", container.logs().decode()
            probe = container.exec_run(["probe", f"http://127.0.0.1:{port}/health"])
            return True if probe.exit_code == 0 else None

        until(f"{name} healthy", healthy)
        return container

    def proxy(self, **environment: str) -> Proxy:
        """A proxy that waits less than in production."""
        quick = {"BACKOFF_MS": "50", "BREAKER_FAILURES": "1000", "DRAIN_MS": "1000", **URLS, **environment}
        return Proxy(self.run("tts-proxy", "tts-proxy", 8001, [8001, 8051], **quick))

    def suffer(self, provider: str, behaviour: str, times: int = 1, **more: int) -> None:
        """Makes the next calls of a provider misbehave."""
        plan = {"provider": provider, "behaviour": behaviour, "times": times, **more}
        answer = httpx.post(self.control_url, json=plan)
        assert answer.status_code == 201, answer.text

    def forget(self) -> None:
        """Good behaviour from now on; counters at zero."""
        assert httpx.delete(self.control_url).status_code == 200

    def seen(self, provider: str) -> dict[str, Any]:
        """The calls that arrived."""
        found: dict[str, Any] = httpx.get(f"{self.control_url}/seen").json()[provider]
        return found

    def calls(self, provider: str) -> int:
        """How many calls arrived."""
        return int(self.seen(provider)["calls"])


@contextmanager
def clouds(client: docker.DockerClient) -> Iterator[Clouds]:
    """Clouds that are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="berth-tts-") as folder:
        Path(folder).chmod(0o755)
        running = Clouds(client, Path(folder))
        try:
            yield running
        finally:
            running.close()
