"""Pebble, the ACME server that Let's Encrypt tests its clients with: real requests, real refusals."""

from __future__ import annotations

import io
import json
import ssl
import tarfile
import tempfile
from collections.abc import Sequence
from fcntl import LOCK_EX, flock
from pathlib import Path

import docker
import httpx
from docker.errors import ImageNotFound
from docker.models.containers import Container

from stacks.certificates import Authority
from stacks.content import content_key
from tests.docker.edges import archive
from tests.docker.workloads import WORKLOADS, base, until

REFUSED = "refused.berth.test"
"""A name that this server issues nothing for."""
_HERE = Path(__file__).with_name("pebble")
_LOCK = WORKLOADS / "file-system-go" / "toolchain.lock"


def pebble_image(client: docker.DockerClient) -> str:
    """Its image, built once from the modules that go.sum names, with the project's Go."""
    args = {"BASE": base(client)}
    tag = f"berth-test/pebble:{content_key(_HERE, args)}"
    with (Path(tempfile.gettempdir()) / "berth-test-image-pebble.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        try:
            client.images.get(tag)
        except ImageNotFound:
            context = io.BytesIO()
            with tarfile.open(fileobj=context, mode="w") as tar:
                for file in (*_HERE.iterdir(), _LOCK):
                    tar.add(file, file.name)
            context.seek(0)
            client.images.build(
                fileobj=context, custom_context=True, tag=tag, buildargs=args, rm=True, forcerm=True
            )
    return tag


class Pebble:
    """One on a network, as `pebble`. seconds: the lifetime of what it issues."""

    def __init__(
        self, client: docker.DockerClient, network: str, label: str, *, seconds: int = 90 * 86400
    ) -> None:
        self.authority = Authority.new("ACME in a test")
        bundle = self.authority.issue(["pebble", "localhost", "127.0.0.1"])
        config = {
            "listenAddress": "0.0.0.0:14000",
            "managementListenAddress": "0.0.0.0:15000",
            "certificate": "/conf/server.pem",
            "privateKey": "/conf/server.pem",
            "httpPort": 80,
            "tlsPort": 443,
            "domainBlocklist": [REFUSED],
            "retryAfter": {"authz": 1, "order": 1},
            "profiles": {"default": {"description": "the only one", "validityPeriod": seconds}},
        }
        self.container: Container = client.containers.create(
            pebble_image(client),
            ["-config", "/conf/pebble.json"],
            environment={"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
            labels={"test": label},
            cap_drop=["ALL"],
            ports={"15000/tcp": ("127.0.0.1", None)},
            network=network,
            networking_config={network: client.api.create_endpoint_config(aliases=["pebble"])},
        )
        files = {"conf/pebble.json": json.dumps({"pebble": config}), "conf/server.pem": bundle}
        self.container.put_archive("/", archive(files))
        self.container.start()
        self.root = until("Pebble answers", self._root)

    server = "https://pebble:14000/dir"

    def _root(self) -> str | None:
        """Who signs what it issues; another one after each start."""
        self.container.reload()
        assert self.container.status == "running", self.container.logs().decode()
        port = self.container.ports["15000/tcp"][0]["HostPort"]
        context = ssl.create_default_context(cadata=self.authority.certificate)
        try:
            return httpx.get(f"https://127.0.0.1:{port}/roots/0", verify=context, trust_env=False).text
        except httpx.HTTPError:
            return None

    def said(self, words: Sequence[str]) -> int:
        """How many lines of its log have all these words."""
        lines = self.container.logs().decode().splitlines()
        return sum(all(word in line for word in words) for line in lines)

    def start(self) -> None:
        """Again, after a stop; with a new root."""
        self.container.start()
        self.root = until("Pebble answers", self._root)
