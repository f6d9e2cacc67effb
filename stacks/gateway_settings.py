"""`berth:gateway`: the douyin gateway, in one stack (unified) or in two (standalone)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from components.spec import Spec, default_tag
from components.units import Address, Cidr, Cpus, Duration, HttpUrl, Memory, ObjectName, Port
from stacks.claims import PortClaim, SubnetClaim
from stacks.image_settings import ImageChoice
from stacks.secrets import SecretRequest

NETWORK = "api-gateway_api-network"
PROCESSOR_URL = "http://douyin-processor:8093"

ALIYUN_ACCESS_KEY = SecretRequest("aliyun_access_key", "the processor's key for Alibaba Cloud's APIs", 8)


class Route(Spec):
    """A request that the gateway passes on; `{name}` stands for one path segment in both paths."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: Annotated[str, Field(pattern=r"^/\S*$")]
    target: Annotated[str, Field(pattern=r"^/\S*$")]
    """The path at the processor."""

    @model_validator(mode="after")
    def _placeholders_match(self) -> Route:
        unknown = set(re.findall(r"\{(\w+)\}", self.target)) - set(re.findall(r"\{(\w+)\}", self.path))
        if unknown:
            raise ValueError(f"target uses {{{', '.join(sorted(unknown))}}}, which path {self.path} lacks")
        return self


ROUTES = (
    Route(method="POST", path="/api/douyin/process", target="/api/process"),
    Route(method="GET", path="/api/douyin/videos/{id}/result", target="/api/videos/{id}/result"),
    Route(method="GET", path="/api/douyin/health", target="/health"),
)


class _Sized(Spec):
    image: ImageChoice | None = None
    """Unset: as `berth:images` says."""
    cpus: Cpus = Cpus("0.5")
    memory: Memory = Memory("128MiB")


class GatewayService(_Sized):
    """api-gateway: the only door. It holds a host port: stopped before it is replaced. Routes change live."""

    port: Port = 8010
    address: Address = Address("0.0.0.0")  # noqa: S104  (8010 is one of the three public ports)
    """The host's address to listen on; 127.0.0.1 keeps it to this machine."""
    memory: Memory = Memory("256MiB")
    timeout: Duration = Duration("30s")
    """How long the processor may be silent."""
    routes: tuple[Route, ...] = ROUTES

    @model_validator(mode="after")
    def _routes_differ(self) -> GatewayService:
        if not self.routes:
            raise ValueError("routes: none given; allowed: one or more")
        seen = [(route.method, re.sub(r"\{\w+\}", "{}", route.path)) for route in self.routes]
        if twice := sorted({f"{method} {path}" for method, path in seen if seen.count((method, path)) > 1}):
            raise ValueError(f"routes: {', '.join(twice)} given twice; allowed: each method and path once")
        return self


class ProcessorService(_Sized):
    """douyin-processor: takes work and answers with the result later. Replaced without a failed request."""

    replicas: Annotated[int, Field(ge=1, le=20)] = 1
    """Containers that share the job store on this host."""
    workers: Annotated[int, Field(ge=1, le=64)] = 2
    """Jobs at the same time, per container."""
    cpus: Cpus = Cpus("1")
    memory: Memory = Memory("512MiB")
    file_timeout: Duration = Duration("30s")
    """How long the file system service may be silent."""


class FilesHere(_Sized):
    """file-system-go runs in this stack."""

    kind: Literal["here"] = "here"
    samples: bool = True
    """Put a second of sound into an empty store, to try the system with."""


class FilesElsewhere(Spec):
    """file-system-go runs elsewhere, reached by its intranet address."""

    kind: Literal["elsewhere"]
    base_url: HttpUrl


FileSystem = Annotated[FilesHere | FilesElsewhere, Field(discriminator="kind"), default_tag("kind", "here")]


class OwnNetwork(Spec):
    """The network that this stack makes."""

    name: ObjectName = NETWORK
    subnet: Cidr | None = None
    """Unset: the engine takes a free one."""


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


class _Gateway(Spec):
    def port_claims(self) -> Iterator[PortClaim]:
        """The host ports that this system takes."""
        service: GatewayService | None = getattr(self, "gateway", None)
        if service is not None:
            yield PortClaim("berth:gateway.gateway.port", service.address, service.port)

    def subnet_claims(self) -> Iterator[SubnetClaim]:
        """The address ranges that this system takes."""
        network = getattr(self, "network", None)
        if isinstance(network, OwnNetwork) and network.subnet:
            yield SubnetClaim("berth:gateway.network.subnet", network.subnet)

    def secrets(self) -> Iterator[SecretRequest]:
        """The secrets that this system needs."""
        if hasattr(self, "processor"):
            yield ALIYUN_ACCESS_KEY

    def images(self) -> Iterator[tuple[str, ImageChoice | None]]:
        """The path and the image choice of each service that runs here."""
        for name in ("gateway", "processor", "files"):
            service = getattr(self, name, None)
            if isinstance(service, _Sized):
                yield f"berth:gateway.{name}.image", service.image


class Unified(_Gateway):
    """One stack owns the network and all three services."""

    mode: Literal["unified"] = "unified"
    network: OwnNetwork = OwnNetwork()
    gateway: GatewayService = GatewayService()
    processor: ProcessorService = ProcessorService()
    files: FileSystem = FilesHere()


class StandaloneGateway(_Gateway):
    """This stack owns the gateway and the network; another one runs the processor."""

    mode: Literal["gateway"]
    network: OwnNetwork = OwnNetwork()
    gateway: GatewayService = GatewayService()
    processor_url: HttpUrl = PROCESSOR_URL
    """Where the gateway finds the processor."""


class StandaloneProcessor(_Gateway):
    """This stack runs the processor on a network that is there already."""

    mode: Literal["processor"]
    network: JoinedNetwork = NetworkByName()
    processor: ProcessorService = ProcessorService()
    files: FileSystem = FilesHere()
    result_url: Annotated[str, Field(pattern=r"^/\S*\{id\}\S*$")] = "/api/douyin/videos/{id}/result"
    """What clients are told; behind the gateway, its path."""


GatewaySettings = Annotated[
    Unified | StandaloneGateway | StandaloneProcessor,
    Field(discriminator="mode"),
    default_tag("mode", "unified"),
]
