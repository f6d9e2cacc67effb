"""An edge, certbot and Pebble on a network, put together as the components put them together."""

from __future__ import annotations

import json
import secrets
import socket
import ssl
from typing import Any

import docker
import httpx
from docker.models.containers import Container

from components.containers.container import ContainerSpec
from components.edge.acme import CHALLENGES, AcmeSpec, job_spec, service_spec
from components.edge.config import nginx_conf
from components.edge.renewal import CERTIFICATES, CONFIG, WEBROOT
from components.edge.routes import Answer, Route
from components.edge.sites import EdgeSpec, Site, Tls
from tests.docker.edges import WATCH, Edge, archive, plain_nginx
from tests.docker.pebble import REFUSED, Pebble
from tests.docker.workloads import image, until
from tests.unit.test_edge_config import IDENTITY

NAMES = ("audio.berth.test", "www.audio.berth.test")


class World:
    """Close it. seconds: the lifetime of what Pebble issues."""

    def __init__(self, client: docker.DockerClient, *, seconds: int = 90 * 86400) -> None:
        self.client, self.id = client, f"acme-test-{secrets.token_hex(3)}"
        self.network = client.networks.create(self.id)
        self.pebble = Pebble(client, self.id, self.id, seconds=seconds)
        memory = {"type": "tmpfs", "device": "tmpfs", "o": "mode=0777"}
        self.webroot = client.volumes.create(f"{self.id}-webroot", driver_opts=memory)
        self.account = client.volumes.create(f"{self.id}-account")
        aliases = client.api.create_endpoint_config(aliases=[*NAMES, REFUSED])
        self.edge = Edge(
            client,
            volumes={self.webroot.name: CHALLENGES},
            network=self.id,
            networking_config={self.id: aliases},
            labels={"test": self.id},
        )
        self.spec = self.wish()
        prepared = self.container(job_spec(self.spec), user="0:0")
        prepared.start()
        assert prepared.wait(timeout=60)["StatusCode"] == 0, prepared.logs().decode()
        self.edge.put("etc/edge/bin", {"watch.sh": WATCH})
        self.edge.put("etc/edge/config", {"nginx.conf": _conf()})
        self.edge.container.start()
        until("the edge", lambda: self.edge.certificate() if self._serves() else None)

    def wish(self, *domains: str, **fields: Any) -> AcmeSpec:
        """What to ask for; unset, the edge's names."""
        return AcmeSpec(
            **{
                "identity": IDENTITY,
                "certificate": "public",
                "domains": domains or NAMES,
                "email": "ops@berth.test",
                "server": self.pebble.server,
                "authority": self.pebble.authority.certificate,
                **fields,
            }
        )

    def container(self, spec: ContainerSpec, *, user: str) -> Container:
        """As `container_args` has it, with the volumes of the component."""
        volumes = {
            self.edge.volumes["issued"].name: str(CERTIFICATES),
            self.account.name: str(CONFIG),
            self.webroot.name: str(WEBROOT),
        }
        made = self.client.containers.create(
            image(self.client, "certbot"),
            list(spec.command),
            entrypoint=list(spec.entrypoint),
            environment={it.name: it.value for it in spec.env},
            user=user,
            init=True,
            read_only=True,
            tmpfs={"/tmp": "size=64m"},
            cap_drop=["ALL"],
            cap_add=[it.removeprefix("CAP_") for it in spec.hardening.add_capabilities],
            security_opt=["no-new-privileges"],
            mem_limit=spec.limits.memory.bytes,
            memswap_limit=spec.limits.memory.bytes,
            labels={"test": self.id},
            network=self.id,
            volumes=[f"{name}:{target}" for name, target in volumes.items()]
            + [folder.target for folder in spec.config],
        )
        for folder in spec.config:
            made.put_archive(folder.target, archive({file.name: file.text for file in folder.files}))
        return made

    def certbot(self, spec: AcmeSpec | None = None) -> Container:
        """Running, as the service has it."""
        described = service_spec(spec or self.spec)
        made = self.container(described, user=described.hardening.user or "")
        made.start()
        return made

    def trusted(self, name: str = NAMES[0]) -> int | None:
        """The serial number of what the edge serves, where a client that trusts Pebble accepts it."""
        context = ssl.create_default_context(cadata=self.pebble.root)
        try:
            with (
                socket.create_connection(("127.0.0.1", self.edge.port(443))) as raw,
                context.wrap_socket(raw, server_hostname=name) as secure,
            ):
                return int(str((secure.getpeercert() or {})["serialNumber"]), 16)
        except (OSError, KeyError, IndexError, TypeError):
            return None

    def elsewhere(self, name: str) -> None:
        """Another server of the network has this name."""
        plain_nginx(
            self.client,
            "listen 80; root /none;",
            labels={"test": self.id},
            network=self.id,
            networking_config={self.id: self.client.api.create_endpoint_config(aliases=[name])},
        )

    def ledger(self, certbot: Container) -> list[dict[str, Any]]:
        """The requests so far."""
        text = certbot.exec_run(["cat", f"{CONFIG}/requests.json"]).output.decode()
        made: list[dict[str, Any]] = json.loads(text) if text.startswith("[") else []
        return made

    def _serves(self) -> bool:
        try:
            httpx.get(f"http://127.0.0.1:{self.edge.port(80)}/", trust_env=False)
        except (httpx.HTTPError, KeyError, IndexError, TypeError):
            return False
        return True

    def close(self) -> None:
        """Removes everything."""
        for container in self.client.containers.list(all=True, filters={"label": f"test={self.id}"}):
            container.remove(force=True, v=True)
        for volume in (*self.edge.volumes.values(), self.webroot, self.account):
            volume.remove()
        self.network.remove()


def health(certbot: Container) -> tuple[int, str]:
    """What the health check says; it waits for a request under way."""
    code, said = certbot.exec_run(["python3", "-m", "edge.renewal", "health"])
    return int(code), said.decode().strip()


def _conf() -> str:
    routes = (Route(path="/", to=Answer(kind="answer", status=200, text="served")),)
    tls = Tls(certificate="public", redirect_from=80)
    site = Site(name="public", port=443, routes=routes, tls=tls)
    return nginx_conf(EdgeSpec(identity=IDENTITY, sites=(site,), acme=CHALLENGES), [])
