"""nginx behind watch.sh in the reference image, for tests that look at it from outside."""

from __future__ import annotations

import io
import secrets
import socket
import ssl
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
import httpx
from docker.models.containers import Container

import components.edge
from tests.docker.workloads import image, until

WATCH = Path(components.edge.__file__).with_name("watch.sh").read_text()
# The edge's nginx, whose check of a configuration fails while REFUSES is there.
REFUSES = "/run/edge-state/refuses"
NGINX = f"""#!/bin/sh
if [ "$1" = -t ] && [ -e {REFUSES} ]; then
    echo "$(date) [emerg] $$: not now" >&2
    exit 1
fi
exec /usr/sbin/nginx "$@"
"""


def archive(files: Mapping[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(text.encode()), 0o555
            tar.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def plain_nginx(client: docker.DockerClient, server: str, **options: Any) -> Container:
    """nginx with the directives of one server, and nothing of ours. options: of the container."""
    made = client.containers.create(
        image(client, "nginx"), ["nginx", "-c", "/tmp/nginx.conf", "-g", "daemon off;"], **options
    )
    folders = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{it}_temp_path /tmp/{it}; " for it in folders)
    text = f"pid /tmp/pid; events {{}} http {{ {temporary} access_log off; server {{ {server} }} }}"
    made.put_archive("/", archive({"tmp/nginx.conf": text}))
    made.start()
    return made


class Edge:
    """nginx behind watch.sh, started as the component starts it; its files change in place."""

    def __init__(
        self,
        client: docker.DockerClient,
        shell: Sequence[str] = ("sh",),
        volumes: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """volumes: others, by name, with where they are mounted; options: of the container."""
        self.client, self.name = client, f"edge-test-{secrets.token_hex(3)}"
        self.volumes = {
            part: client.volumes.create(f"{self.name}-{part}") for part in ("config", "tls", "issued")
        }
        memory = {"type": "tmpfs", "device": "tmpfs", "o": "mode=0777"}
        self.volumes["state"] = client.volumes.create(f"{self.name}-state", driver_opts=memory)
        mounts = {
            "config": "/etc/edge/config",
            "tls": "/run/secrets",
            "issued": "/etc/edge/certificates",
            "state": "/run/edge-state",
        }
        self.container: Container = client.containers.create(
            image(client, "nginx"),
            entrypoint=[*shell, "/etc/edge/bin/watch.sh"],
            name=self.name,
            user="101:101",
            init=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            tmpfs={"/tmp": "size=64m"},
            ports={"80/tcp": ("127.0.0.1", None), "443/tcp": ("127.0.0.1", None)},
            volumes={self.volumes[part].name: {"bind": target} for part, target in mounts.items()}
            | {name: {"bind": target} for name, target in (volumes or {}).items()},
            **options,
        )

    def put(self, folder: str, files: Mapping[str, str]) -> None:
        self.container.put_archive("/", archive({f"{folder}/{name}": text for name, text in files.items()}))

    def start(self) -> None:
        self.container.start()
        try:
            until("the edge answers", lambda: self.text() or None)
        except AssertionError as error:
            raise AssertionError(self.container.logs().decode()) from error

    def port(self, inner: int) -> int:
        self.container.reload()
        return int(self.container.ports[f"{inner}/tcp"][0]["HostPort"])

    def text(self) -> str:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port(80)}/", trust_env=False, timeout=5).text
        except (httpx.HTTPError, KeyError, IndexError, TypeError):
            return ""

    def certificate(self) -> bytes:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.port(443))) as raw,
            context.wrap_socket(raw, server_hostname="localhost") as secure,
        ):
            return secure.getpeercert(binary_form=True) or b""

    def master(self, signal: str) -> None:
        """Sends a signal to nginx's first process."""
        master = 'grep -q "nginx: [m]aster" $it/cmdline'
        find = f"for it in /proc/[0-9]*; do {master} && kill -$0 ${{it#/proc/}} && exit; done"
        assert self.container.exec_run(["sh", "-c", find, signal]).exit_code == 0

    def status(self) -> str:
        return self.container.exec_run(["cat", "/run/edge-state/status"]).output.decode()

    def remove(self) -> None:
        self.container.remove(force=True, v=True)
        for volume in self.volumes.values():
            volume.remove()
