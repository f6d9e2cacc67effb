"""`berth:gateway`: the douyin gateway, in one stack (unified) or in two (standalone)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from components.spec import Spec, default_tag
from components.units import Address, Cpus, Duration, Like, Memory, ObjectName, Port
from stacks.backup_settings import Snapshots
from stacks.claims import NetworkClaim, PortClaim, SubnetClaim
from stacks.gateway_routes import ROUTES, Routes, ServiceUrl, Timeout
from stacks.host_needs import SMALL, HostNeeds
from stacks.image_settings import WantedImage
from stacks.secrets import SecretRequest
from stacks.system import OwnNetwork, ServiceSettings, SystemSettings

NETWORK = "api-gateway_api-network"
PROCESSOR_URL = "http://douyin-processor:8093"

ALIYUN_ACCESS_KEY = SecretRequest("aliyun_access_key", "the processor's key for Alibaba Cloud's APIs", 8)


class GatewayService(ServiceSettings):
    """api-gateway: the only door. It holds a host port: stopped before it is replaced. Routes change live."""

    port: Port = 8010
    address: Address = Address("0.0.0.0")  # noqa: S104  (8010 is one of the three public ports)
    """The host's address to listen on; 127.0.0.1 keeps it to this machine."""
    memory: Memory = Memory("256MiB")
    timeout: Timeout = Duration("30s")
    """How long the processor may be silent."""
    connections: Annotated[int, Field(ge=1, le=20_000)] = 2000
    """Of clients, at once; more are answered with 503."""
    connections_per_client: Annotated[int, Field(ge=1, le=20_000, validate_default=False)] = 500
    """At once from one address. Where Docker's proxy stands before it, all clients have one."""

    @field_validator("connections_per_client")
    @classmethod
    def _is_a_part(cls, per_client: int, info: ValidationInfo) -> int:
        connections = info.data.get("connections")
        if connections is not None and per_client > connections:
            raise ValueError(f"more than connections; allowed: at most {connections}")
        return per_client

    routes: Routes = ROUTES

    def claim(self) -> PortClaim:
        """The host port that it takes."""
        return PortClaim("berth:gateway.gateway.port", self.address, self.port)


class ProcessorService(ServiceSettings):
    """douyin-processor: takes work and answers with the result later. Replaced without a failed request."""

    replicas: Annotated[int, Field(ge=1, le=20)] = 1
    """Containers that share the job store on this host."""
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Jobs at the same time, per container."""
    cpus: Cpus = Cpus("1")
    memory: Memory = Memory("512MiB")
    file_timeout: Timeout = Duration("30s")
    """How long the file system service may be silent."""


class FilesHere(ServiceSettings):
    """file-system-go runs in this stack."""

    kind: Literal["here"] = "here"
    samples: bool = True
    """Put a second of sound into an empty store, to try the system with."""


class FilesElsewhere(Spec):
    """file-system-go runs elsewhere, reached by its intranet address."""

    kind: Literal["elsewhere"]
    base_url: ServiceUrl


FileSystem = Annotated[FilesHere | FilesElsewhere, Field(discriminator="kind"), default_tag("kind", "here")]


class GatewayNetwork(OwnNetwork):
    """The network that this stack makes."""

    name: ObjectName = NETWORK


class NetworkByName(Spec):
    """Join the network of this name, made on the same host by another stack or by hand."""

    kind: Literal["name"] = "name"
    name: ObjectName = NETWORK


class NetworkOfStack(Spec):
    """Join the network that another stack of this project exports."""

    kind: Literal["stack"]
    stack: Annotated[str, Field(min_length=1)]
    """As Pulumi names it: `organization/berth/NAME`."""


JoinedNetwork = Annotated[
    NetworkByName | NetworkOfStack, Field(discriminator="kind"), default_tag("kind", "name")
]


class Unified(SystemSettings):
    """One stack owns the network and all three services."""

    mode: Literal["unified"] = "unified"
    network: GatewayNetwork = GatewayNetwork()
    gateway: GatewayService = GatewayService()
    processor: ProcessorService = ProcessorService()
    files: FileSystem = FilesHere()
    snapshots: Snapshots | None = None
    """Backups of all files; unset: none."""

    def port_claims(self) -> Iterator[PortClaim]:
        yield self.gateway.claim()

    def subnet_claims(self) -> Iterator[SubnetClaim]:
        return self.network.claims("berth:gateway.network")

    def network_claims(self) -> Iterator[NetworkClaim]:
        return self.network.name_claims("berth:gateway.network")

    def intranet_ports(self) -> Iterator[int]:
        return _closed_ports(self.files)

    def host_needs(self) -> HostNeeds:
        return HostNeeds(memory=SMALL)

    def secrets(self) -> Iterator[SecretRequest]:
        yield ALIYUN_ACCESS_KEY
        if self.snapshots:
            yield from self.snapshots.secrets("gateway")

    def images(self) -> Iterator[WantedImage]:
        yield WantedImage("berth:gateway.gateway.image", "api-gateway", self.gateway.image)
        yield from _processor_images(self.processor, self.files, self.snapshots)


class StandaloneGateway(SystemSettings):
    """This stack owns the gateway and the network; another one runs the processor."""

    mode: Literal["gateway"]
    network: GatewayNetwork = GatewayNetwork()
    gateway: GatewayService = GatewayService()
    processor_url: ServiceUrl = PROCESSOR_URL
    """Where the gateway finds the processor."""

    def port_claims(self) -> Iterator[PortClaim]:
        yield self.gateway.claim()

    def subnet_claims(self) -> Iterator[SubnetClaim]:
        return self.network.claims("berth:gateway.network")

    def network_claims(self) -> Iterator[NetworkClaim]:
        return self.network.name_claims("berth:gateway.network")

    def host_needs(self) -> HostNeeds:
        return HostNeeds(memory=SMALL)

    def secrets(self) -> Iterator[SecretRequest]:
        return iter(())

    def images(self) -> Iterator[WantedImage]:
        yield WantedImage("berth:gateway.gateway.image", "api-gateway", self.gateway.image)


class StandaloneProcessor(SystemSettings):
    """This stack runs the processor on a network that is there already."""

    mode: Literal["processor"]
    network: JoinedNetwork = NetworkByName()
    processor: ProcessorService = ProcessorService()
    files: FileSystem = FilesHere()
    result_url: Annotated[str, Like(r"/[^\s{}]*\{id\}[^\s{}]*", "a path with {id}, like /videos/{id}")] = (
        "/api/douyin/videos/{id}/result"
    )
    """What clients are told; behind the gateway, its path."""
    snapshots: Snapshots | None = None
    """Backups of all files; unset: none."""

    def port_claims(self) -> Iterator[PortClaim]:
        return iter(())

    def subnet_claims(self) -> Iterator[SubnetClaim]:
        return iter(())

    def network_claims(self) -> Iterator[NetworkClaim]:
        if isinstance(self.network, NetworkByName):
            yield NetworkClaim("berth:gateway.network.name", self.network.name, made=False)

    def intranet_ports(self) -> Iterator[int]:
        return _closed_ports(self.files)

    def host_needs(self) -> HostNeeds:
        return HostNeeds(memory=SMALL)

    def secrets(self) -> Iterator[SecretRequest]:
        yield ALIYUN_ACCESS_KEY
        if self.snapshots:
            yield from self.snapshots.secrets("gateway")

    def images(self) -> Iterator[WantedImage]:
        return _processor_images(self.processor, self.files, self.snapshots)


def _closed_ports(files: FilesHere | FilesElsewhere) -> Iterator[int]:
    yield 8093
    if isinstance(files, FilesHere):
        yield 8000


def _processor_images(
    processor: ProcessorService, files: FilesHere | FilesElsewhere, snapshots: Snapshots | None
) -> Iterator[WantedImage]:
    yield WantedImage("berth:gateway.processor.image", "douyin-processor", processor.image)
    if isinstance(files, FilesHere):
        yield WantedImage("berth:gateway.files.image", "file-system-go", files.image)
    if snapshots:
        yield WantedImage("berth:gateway.snapshots.image", "care", snapshots.image)


GatewaySettings = Annotated[
    Unified | StandaloneGateway | StandaloneProcessor,
    Field(discriminator="mode"),
    default_tag("mode", "unified"),
]
