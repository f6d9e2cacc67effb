"""`berth:celery`: taifish, a Flask application with Celery workers (systems.md, 2)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from components.spec import Spec, default_tag
from components.stores.sizes import Size
from components.stores.tuning import Eviction
from components.units import AbsolutePath, Address, Cidr, Cpus, Duration, Memory, ObjectName
from stacks.claims import PortClaim, SubnetClaim
from stacks.edge_settings import EdgeService
from stacks.image_settings import ImageChoice
from stacks.secrets import CertificateRequest, SecretRequest
from stacks.store_settings import PostgresService, RedisService
from stacks.system import ServiceSettings, Sized, SystemSettings

if TYPE_CHECKING:
    from components.containers.volume import Storage

DATABASE = "taifish"
"""The database and its owner."""
POSTGRES_PASSWORD = SecretRequest("celery_postgres_password", "the database password of taifish")
REDIS_PASSWORD = SecretRequest("celery_redis_password", "the password of taifish's broker")
POSTGRES_CERTIFICATE = CertificateRequest(
    "celery_postgres_certificate", "the certificate of taifish's database", hosts=("postgres", "localhost")
)


class CeleryNetwork(Spec):
    """The network, with fixed addresses for what the outside may have to name."""

    name: ObjectName = "taifish_network"
    subnet: Cidr = Cidr("172.20.0.0/16")
    nginx: Address | None = None
    """Unset: number 10 of the subnet, such as 172.20.0.10."""
    app: Address | None = None
    """Of the first replica; the others take free ones. Unset: number 20."""
    postgres: Address | None = None
    """Unset: number 30."""
    redis: Address | None = None
    """Unset: number 40."""

    def addresses(self) -> dict[str, Address]:
        """Role to address."""
        numbers = {"nginx": 10, "app": 20, "postgres": 30, "redis": 40}
        return {role: getattr(self, role) or self.subnet.fixed(number) for role, number in numbers.items()}

    @model_validator(mode="after")
    def _addresses_fit(self) -> CeleryNetwork:
        found: dict[Address, str] = {}
        lower = next(self.subnet.network.subnets())
        for role, address in self.addresses().items():
            number = int(IPv4Address(address)) - int(lower.network_address)
            if not 2 <= number < lower.num_addresses:
                raise ValueError(
                    f"{role}: {address} is not free for it; allowed: an address of {lower}, from number 2 on "
                    f"(the other half of {self.subnet} is handed out by the engine)"
                )
            if address in found:
                raise ValueError(
                    f"{role}: {address} is the address of {found[address]}; allowed: another one"
                )
            found[address] = role
        return self


class EngineData(Spec):
    """Docker's own directory."""

    kind: Literal["engine"]


class DirectoryData(Spec):
    """Below a directory of the host; the folders in it are made."""

    kind: Literal["directory"] = "directory"
    root: AbsolutePath = "/opt/taifish"


Data = Annotated[EngineData | DirectoryData, Field(discriminator="kind"), default_tag("kind", "directory")]


class AppService(ServiceSettings):
    """The Flask application under gunicorn; one replica after the other is replaced."""

    replicas: Annotated[int, Field(ge=1, le=20)] = 3
    cpus: Cpus = Cpus("2")
    memory: Memory = Memory("2GiB")
    reserved_cpus: Cpus = Cpus("1")
    reserved_memory: Memory = Memory("1GiB")
    pause: Duration = Duration("10s")
    """Between two replicas of an update."""
    health_interval: Duration = Duration("30s")
    """Also how long a new replica takes to be known as healthy."""

    @model_validator(mode="after")
    def _reservations_fit(self) -> AppService:
        if self.reserved_memory.bytes > self.memory.bytes:
            raise ValueError(
                f"reserved_memory {self.reserved_memory}: allowed: memory, {self.memory}, at most"
            )
        if float(self.reserved_cpus) > float(self.cpus):
            raise ValueError(f"reserved_cpus {self.reserved_cpus}: allowed: cpus, {self.cpus}, at most")
        return self


class WorkerService(Sized):
    """Celery workers, from the image of `app`; each finishes its task before it goes."""

    replicas: Annotated[int, Field(ge=1, le=20)] = 3
    concurrency: Annotated[int, Field(ge=1, le=64)] = 2
    """Tasks at the same time, per worker."""
    cpus: Cpus = Cpus("1")
    memory: Memory = Memory("512MiB")
    stop_grace: Duration = Duration("2m")
    """What a running task may still take; longer ones are done again by another worker."""


class BeatService(Sized):
    """Celery beat, from the image of `app`: exactly one."""

    cpus: Cpus = Cpus("0.25")
    memory: Memory = Memory("256MiB")


class Broker(RedisService):
    """Redis as broker and cache."""

    maxmemory: Size = Size("256MiB")
    eviction: Eviction = "allkeys-lru"
    memory: Memory = Memory("512MiB")


class CelerySettings(SystemSettings):
    """All of taifish on one host."""

    network: CeleryNetwork = CeleryNetwork()
    data: Data = DirectoryData()
    nginx: EdgeService = EdgeService()
    app: AppService = AppService()
    worker: WorkerService = WorkerService()
    beat: BeatService = BeatService()
    postgres: PostgresService = PostgresService()
    redis: Broker = Broker()

    def storage(self, folder: str) -> Storage:
        """Where the data of a part lie: `postgres`, `redis`, or a folder of the application."""
        from components.containers.volume import DirectoryStorage, EngineStorage

        if isinstance(self.data, EngineData):
            return EngineStorage()
        below = folder if folder in ("postgres", "redis") else f"app/{folder}"
        return DirectoryStorage(kind="directory", path=f"{self.data.root}/data/{below}")

    def port_claims(self) -> Iterator[PortClaim]:
        return self.nginx.port_claims("berth:celery.nginx")

    def subnet_claims(self) -> Iterator[SubnetClaim]:
        yield SubnetClaim("berth:celery.network.subnet", self.network.subnet)

    def secrets(self) -> Iterator[SecretRequest]:
        yield POSTGRES_PASSWORD
        yield POSTGRES_CERTIFICATE
        yield REDIS_PASSWORD
        yield from self.nginx.certificate_requests("celery")

    def images(self) -> Iterator[tuple[str, ImageChoice | None]]:
        for role in ("nginx", "app", "postgres", "redis"):
            service: ServiceSettings = getattr(self, role)
            # The images of others have names of their own, which no release of ours decides.
            if role == "app" or service.image is not None:
                yield f"berth:celery.{role}.image", service.image
