"""The Docker engine, as far as the plane needs it: containers, scripts in them, and nothing left behind."""

from __future__ import annotations

from typing import Any, Final

import docker
import requests
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container

from emulator.plane.names import CLOUD, Names

GONE: Final = (requests.exceptions.ConnectionError, requests.exceptions.Timeout, DockerException)
"""What the client raises where the engine does not answer, or not as it should."""

# All that a machine of its own may do, but what this host might not have to give (SYS_RESOURCE, SYS_MODULE).
MACHINE_CAPABILITIES: Final = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK",
    "IPC_OWNER", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "SYSLOG", "AUDIT_READ",
)  # fmt: skip


_PATIENCE: Final = 3  # seconds


class ScriptError(Exception):
    """A command in a container that ended in an error: its output."""


class Engine:
    """One engine, for one cloud."""

    def __init__(self, names: Names, client: docker.DockerClient | None = None) -> None:
        """Raises DockerException where no engine answers."""
        self.names = names
        self.client = client or docker.from_env(timeout=120)
        self.quick = client or docker.from_env(timeout=_PATIENCE)
        """For questions that somebody waits for."""

    def find(self, name: str) -> Container | None:
        try:
            return self.client.containers.get(name)
        except NotFound:
            return None

    def pid(self, container: Container) -> int:
        """The first process of a running container, as the host counts; 0 where it does not run."""
        container.reload()
        return int(container.attrs["State"]["Pid"])

    def run(self, container: Container, command: list[str], *, stdin: bytes | None = None) -> str:
        """The output of a command. Raises ScriptError where it fails."""
        api = self.client.api
        made = api.exec_create(container.id, command, stdin=stdin is not None)
        output = api.exec_start(made["Id"]) if stdin is None else _fed(api, made["Id"], stdin)
        code = api.exec_inspect(made["Id"])["ExitCode"]
        text = bytes(output).decode("utf-8", "replace")
        if code != 0:
            raise ScriptError(f"{' '.join(command)[:80]} ended with {code}: {text.strip()[-500:]}")
        return text

    def write(self, container: Container, path: str, data: bytes) -> None:
        """A file in a container, whole or not at all: it may be read at any moment."""
        script = 'mkdir -p "$(dirname "$1")" && cat > "$1.part" && mv "$1.part" "$1"'
        self.run(container, ["sh", "-ec", script, "sh", path], stdin=data)

    def mine(self, **labels: str) -> list[Container]:
        """The containers of this cloud, running or not, that have these labels, too; as the list has them."""
        return self._listed(self.client, labels)

    def _listed(self, client: docker.DockerClient, labels: dict[str, str]) -> list[Container]:
        wanted = [f"{CLOUD}={self.names.cloud}", *(f"{name}={value}" for name, value in labels.items())]
        return client.containers.list(all=True, filters={"label": wanted}, sparse=True)

    def there(self) -> list[str]:
        """The names of this cloud's containers. Raises one of GONE within seconds."""
        return sorted(str(one.attrs["Names"][0]).lstrip("/") for one in self._listed(self.quick, {}))

    def remove_everything(self) -> None:
        """All containers, networks and volumes of this cloud. What others made is not looked at."""
        wanted = {"label": f"{CLOUD}={self.names.cloud}"}
        for container in self.mine():
            remove(container)
        for network in self.client.networks.list(filters=wanted):
            network.remove()
        for volume in self.client.volumes.list(filters=wanted):
            volume.remove(force=True)


def remove(container: Container) -> None:
    """With its anonymous volumes; one that is gone already is as good."""
    try:
        container.remove(force=True, v=True)
    except NotFound:
        pass
    except APIError as failure:
        if "already in progress" not in str(failure):
            raise


def _fed(api: Any, exec_id: str, stdin: bytes) -> bytes:
    """Run with an input; the SDK leaves the socket to its caller."""
    stream = api.exec_start(exec_id, socket=True)
    raw = getattr(stream, "_sock", stream)
    try:
        raw.sendall(stdin)
        raw.shutdown(1)
        found = b""
        while len(head := _exactly(raw, 8)) == 8:  # the engine's frames: stream, three zeros, length
            found += _exactly(raw, int.from_bytes(head[4:]))
        return found
    finally:
        stream.close()


def _exactly(raw: Any, count: int) -> bytes:
    found = b""
    while len(found) < count and (part := raw.recv(count - len(found))):
        found += part
    return found
