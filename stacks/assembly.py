"""What every system is put together with, and how it tells the verbs what it consists of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar, cast

import pulumi

from components.base import Component, Identity, Scrape
from components.containers.container import ConfigFiles, EnvVar, Hardening, Limits, SecretFile
from components.containers.gpu import Gpu
from components.containers.handover import Handover, UpstreamSpec
from components.containers.health import HealthCheck, HttpProbe
from components.containers.image import Image
from components.containers.job import Job, JobSpec
from components.containers.mounts import Bind, Tmpfs, VolumeMount
from components.containers.network import AnyNetwork, Network, NetworkSpec
from components.containers.service import (
    Dependency,
    Healthy,
    PublishedPort,
    Rollout,
    Service,
    ServiceSpec,
    StartFirst,
    resources_of,
)
from components.containers.volume import EngineStorage, Storage, Volume, VolumeSpec
from components.host import Host
from components.units import Address, Cidr, Duration
from stacks.certificates import authority_of
from stacks.image_settings import Flavour, ImageChoice, ImagesSettings
from stacks.images import image_spec

if TYPE_CHECKING:
    from components.edge.acme import Acme
    from components.edge.edge import Edge
    from components.edge.routes import Route
    from components.edge.sites import Site
    from components.stores.mysql import Mysql
    from components.stores.postgres import Postgres
    from components.stores.store import Store, Tls
    from stacks.edge_settings import EdgeService

# More than what a server of ours takes to drain and stop.
_STOP_GRACE = Duration("15s")
_Store = TypeVar("_Store", bound="Store")
_Network = TypeVar("_Network", bound=AnyNetwork)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all systems of a stack share. project: the folder of Pulumi.yaml; secrets: by name."""

    images: ImagesSettings
    secrets: Mapping[str, str]
    host: Host
    project: Path


class Assembly(Component):
    """The parts of one system. Its children are named `{system}-{role}`; its exports are SystemOutputs.

    A system is a function that takes an assembly and its settings, and adds services, stores and an edge.
    """

    def __init__(
        self, system: str, surroundings: Surroundings, *, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        # The type token is a public contract: cloud-api is berth:stacks:CloudApi.
        self.kind = f"stacks:{system.title().replace('-', '')}"  # type: ignore[misc]
        self.host, self._around = surroundings.host, surroundings
        super().__init__(system, opts=pulumi.ResourceOptions.merge(self.host.options(), opts))
        self._images: dict[str, Image] = {}
        self._networks: list[AnyNetwork] = []
        self._services: dict[str, tuple[Service, int | None]] = {}
        self._volumes: list[Volume] = []
        self._stores: dict[str, dict[str, str]] = {}
        self.files: dict[str, Volume] = {}
        """The volumes that are no store's, by the end of their names."""
        self.databases: list[Postgres | Mysql] = []
        """The stores that keep a database; none of the replicas."""
        self._repository: str | None = None
        self._watch: str | None = None
        self._url: str | None = None
        self.authority: str | None = None
        """The PEM text of the CA that clients check the door with, where one is known."""
        self.untrusted = False
        """Whether nobody can check the door's certificate, as with one of a staging server."""
        self.renewal: Service | None = None
        """What renews the door's certificate; healthy once there is one."""

    def identity(self, service: str) -> Identity:
        """Of a part of this system."""
        return Identity(stack=pulumi.get_stack(), system=self.name, service=service)

    def secret(self, name: str) -> pulumi.Output[str]:
        """A secret below `berth:secrets`; the settings asked for it, so it is there."""
        return pulumi.Output.secret(self._around.secrets[name])

    def network(
        self, name: str, subnet: Cidr | None = None, *, fixed_addresses: bool = False, role: str = "network"
    ) -> Network:
        """A network of this system's own. role: another one for a second network."""
        spec = NetworkSpec(name=name, subnet=subnet, fixed_addresses=fixed_addresses)
        return self.join(
            Network(f"{self.name}-{role}", spec, identity=self.identity("network"), opts=self.child())
        )

    def join(self, network: _Network) -> _Network:
        """Take a network for one that this system is on."""
        self._networks.append(network)
        return network

    def data(self, name: str, storage: Storage = EngineStorage()) -> VolumeSpec:  # noqa: B008  (frozen)
        """A data volume `{system}-{stack}-{name}`, for a store or for `volume`."""
        return VolumeSpec(name=f"{self.name}-{pulumi.get_stack()}-{name}", storage=storage)

    def volume(self, role: str, name: str, spec: VolumeSpec, *, backed_up: bool = True) -> Volume:
        """A data volume of a role, as the child `{system}-{name}`. It outlives updates, and the stack.

        backed_up: False for what is made again where it is lost.
        """
        volume = Volume(f"{self.name}-{name}", spec, identity=self.identity(role), opts=self.child())
        self._volumes.append(volume)
        if backed_up:
            self.files[name] = volume
        return volume

    def image(
        self,
        role: str,
        choice: ImageChoice | None = None,
        *,
        target: str | None = None,
        flavour: Flavour | None = None,
    ) -> Image:
        """The image of a role, made once however many services run it. target: the stage of a local build."""
        if role not in self._images:
            source = image_spec(
                role,
                choice,
                self._around.images,
                project=self._around.project,
                target=target,
                flavour=flavour,
            )
            self._images[role] = Image(f"{self.name}-{role}-image", source, opts=self.child())
        return self._images[role]

    def service(
        self,
        role: str,
        port: int | None,
        *,
        image: Image,
        network: AnyNetwork,
        limits: Limits,
        health: HealthCheck | None = None,
        rollout: Rollout = StartFirst(),  # noqa: B008  (frozen)
        command: tuple[str, ...] = (),
        env: Mapping[str, str] = MappingProxyType({}),
        config: Sequence[ConfigFiles] = (),
        secrets: Sequence[SecretFile] = (),
        volumes: Sequence[VolumeMount] = (),
        binds: Sequence[Bind] = (),
        tmpfs: Sequence[Tmpfs] = (Tmpfs(target="/tmp"),),  # noqa: S108  (inside the container)
        hardening: Hardening = Hardening(),  # noqa: B008  (frozen)
        gpu: Gpu | None = None,
        scrape: Scrape | None = None,
        name_timeout: Duration | None = None,
        stop_grace: Duration = _STOP_GRACE,
        after: Sequence[Dependency] = (),
        handover: Handover | None = None,
    ) -> Service:
        """A service `{system}-{role}`, found on the network as `role`.

        port: where it listens; None, and then `health` given, for one that does not. health: unset, GET
        /health on that port. secrets: each of `berth:secrets`.
        handover: the upstream of an edge that this service is.
        """
        spec = ServiceSpec(
            identity=self.identity(role),
            alias=role,
            limits=limits,
            rollout=rollout,
            health=health or answers(_listening(role, port)),
            command=command,
            env=tuple(EnvVar(name=name, value=value) for name, value in env.items()),
            config=tuple(config),
            secrets=tuple(secrets),
            tmpfs=tuple(tmpfs),
            binds=tuple(binds),
            gpu=gpu,
            hardening=hardening,
            scrape=scrape,
            name_timeout=name_timeout,
            stop_grace=stop_grace,
        )
        service = Service(
            f"{self.name}-{role}",
            spec,
            image=image,
            network=network,
            volumes=volumes,
            secrets={secret.name: self.secret(secret.name) for secret in secrets},
            after=after,
            handover=handover,
            opts=self.child(),
        )
        return self.add(role, service, port)

    def job(
        self,
        role: str,
        *,
        image: Image,
        network: AnyNetwork,
        command: tuple[str, ...],
        env: Mapping[str, str] = MappingProxyType({}),
        config: Sequence[ConfigFiles] = (),
        secrets: Sequence[SecretFile] = (),
        volumes: Sequence[VolumeMount] = (),
        limits: Limits = Limits(),  # noqa: B008  (frozen)
        hardening: Hardening = Hardening(),  # noqa: B008  (frozen)
        after: Sequence[Dependency] = (),
    ) -> Job:
        """A job `{system}-{role}`: it runs to its end before what comes after it, again when it changes."""
        spec = JobSpec(
            identity=self.identity(role),
            alias=role,
            limits=limits,
            command=command,
            env=tuple(EnvVar(name=name, value=value) for name, value in env.items()),
            config=tuple(config),
            secrets=tuple(secrets),
            hardening=hardening,
        )
        return Job(
            f"{self.name}-{role}",
            spec,
            image=image,
            network=network,
            volumes=volumes,
            secrets={secret.name: self.secret(secret.name) for secret in secrets},
            depends_on=resources_of(after),
            opts=self.child(),
        )

    def store(self, role: str, store: _Store) -> _Store:
        """Count a store, its server and its data, as a part of this system."""
        from components.stores.mysql_settings import MysqlSpec
        from components.stores.postgres_settings import PostgresSpec

        self.add(role, store.service, store.port)
        self._volumes.append(store.volume)
        # Not of a replica: its primary has the same.
        if isinstance(spec := store.spec, MysqlSpec | PostgresSpec):
            self.databases.append(cast("Postgres | Mysql", store))
            kind = "mysql" if isinstance(spec, MysqlSpec) else "postgres"
            self._stores[role] = {"kind": kind, "database": spec.database, "user": spec.user}
        return store

    def upstream(self, spec: UpstreamSpec, *, nginx: Image) -> Handover:
        """A service of this system as its edge sees it; given to both. nginx: the edge's image."""
        return Handover(
            f"{self.name}-{spec.name}-handover",
            spec,
            image=nginx,
            identity=self.identity(spec.name),
            opts=self.child(),
        )

    def add(self, role: str, service: Service, port: int | None) -> Service:
        """Count a service as a part of this system. port: where it listens on the network, if it does."""
        self._services[role] = service, port
        return service

    def keep_in(self, role: str, service: Service) -> None:
        """Count the service that keeps this system's backups as a part of it."""
        self.add(role, service, None)
        self._repository = role

    def watched_by(self, role: str, service: Service) -> None:
        """Count the service that looks at this system's health as a part of it."""
        self.add(role, service, None)
        self._watch = role

    def tls(self, name: str) -> Tls:
        """The certificate of a store, from its secret."""
        from components.stores.store import Tls

        bundle = self._around.secrets[name]
        return Tls(certificate=self.secret(name), authority=authority_of(bundle))

    def bundle(self, settings: EdgeService) -> str | None:
        """The certificate of this system's door, its private key included; None where it comes by itself."""
        return settings.bundle(self.name, self._around.secrets)

    def door(
        self,
        settings: EdgeService,
        routes: Sequence[Route],
        *,
        nginx: Image,
        network: AnyNetwork,
        upstreams: Sequence[Handover],
        internal: Sequence[Site] = (),
        address: Address | None = None,
        max_body: str = "1m",
        volumes: Sequence[VolumeMount] = (),
        further: Sequence[AnyNetwork] = (),
        headers: Mapping[str, str | None] = MappingProxyType({}),
        after: Sequence[Dependency] = (),
    ) -> Edge:
        """The edge `{system}-edge`: HTTPS with these routes, and a redirect to it from plain HTTP.

        internal: further sites, on ports that are not published. headers: over the edge's own, under those of
        the settings; None takes one away. volumes: with files that it serves itself. further: networks beside
        the one of the upstreams.
        """
        # Only here: a system without an edge need not load it.
        from components.edge.edge import Edge
        from components.edge.sites import SECURITY, EdgeSpec, Site, changed
        from components.edge.sites import Tls as EdgeTls

        certbot = self._certbot(settings, network)
        public = Site(
            name="public",
            port=443,
            hosts=settings.names(self.host.spec.public_address),
            tls=EdgeTls(
                certificate="public",
                redirect_from=80,
                public_port=settings.https_port,
                hsts=settings.hsts,
            ),
            routes=tuple(
                route.model_copy(update={"rate": settings.rate}) if route.rate is None else route
                for route in routes
            ),
            headers=changed(changed(SECURITY, headers), settings.headers),
            max_body=max_body,
        )
        bundle = self.bundle(settings)
        edge = Edge(
            f"{self.name}-edge",
            EdgeSpec(
                identity=self.identity("nginx"),
                sites=(public, *internal),
                publish=(
                    PublishedPort(container=80, host=settings.http_port, address=settings.address),
                    PublishedPort(container=443, host=settings.https_port, address=settings.address),
                ),
                address=address,
                acme=certbot.challenges if certbot else None,
                limits=Limits(cpus=settings.cpus, memory=settings.memory),
            ),
            image=nginx,
            network=network,
            upstreams=upstreams,
            certificates={"public": bundle} if bundle else {},
            acme=certbot,
            volumes=volumes,
            further=further,
            after=after,
            opts=self.child(),
        )
        self.add("nginx", edge.service, 443)
        self._url = settings.url(self.host.spec.public_address)
        if bundle:
            self.authority = authority_of(bundle)
        if certbot:
            self.authority = certbot.spec.authority
            self.renewal = self.add("certbot", certbot.renew(after=[Healthy(edge.service)]), None)
        return edge

    def _certbot(self, settings: EdgeService, network: AnyNetwork) -> Acme | None:
        from stacks.acme_settings import CertificateFromAcme

        certificate = settings.certificate
        if not isinstance(certificate, CertificateFromAcme):
            return None
        from stacks.acme import acme

        self.untrusted = certificate.untrusted
        return acme(self, certificate, settings.hosts, certificate="public", network=network)

    def finish(self, *, url: str | None = None, checks: Sequence[str] = ()) -> dict[str, object]:
        """stacks.outputs.SystemOutputs, not yet known; nothing is added after this.

        url: where the system is reached; unset, its door's.
        """
        outputs: dict[str, object] = {
            "services": {
                role: {"containers": service.container_names, "alias": service.spec.alias, "port": port}
                for role, (service, port) in self._services.items()
            },
            "networks": [network.network_name for network in self._networks],
            "volumes": [volume.volume_name for volume in self._volumes],
            "url": url or self._url,
            "checks": list(checks),
        }
        if self.authority is not None:
            outputs["authority"] = self.authority
        if self.untrusted:
            outputs["untrusted"] = True
        if self._stores:
            outputs["stores"] = self._stores
        if self._repository is not None:
            outputs["repository"] = self._repository
        if self._watch is not None:
            outputs["watch"] = self._watch
        self.register_outputs(outputs)
        return outputs


def _listening(role: str, port: int | None) -> int:
    if port is None:
        raise ValueError(f"{role} has neither a port nor a health check; allowed: one of them")
    return port


def answers(port: int, path: str = "/health") -> HealthCheck:
    """Healthy while the service answers a GET with 2xx; asked often, so that an update does not wait."""
    return HealthCheck(
        probe=HttpProbe(port=port, path=path),
        interval=Duration("3s"),
        # On a busy machine a program takes its time to start.
        start_period=Duration("1m"),
    )
