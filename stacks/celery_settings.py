"""`berth:celery`: taifish, a Flask application with Celery workers (systems.md, 2)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from ipaddress import IPv4Address
from typing import Annotated, ClassVar, Final

from pydantic import Field, ValidationInfo, field_validator

from components.stores.sizes import Size
from components.stores.tuning import Eviction
from components.units import Address, Cidr, Cpus, Duration, Memory, ObjectName, lasting
from stacks.backup_settings import NightlyDump
from stacks.data_settings import Data, DirectoryData
from stacks.secrets import CertificateRequest, SecretRequest
from stacks.store_settings import PostgresService, RedisService
from stacks.system import OwnNetwork, ServiceSettings, Sized
from stacks.web_system import WebSystem

DATABASE = "taifish"
"""The database and its owner."""
POSTGRES_PASSWORD = SecretRequest("celery_postgres_password", "the database password of taifish")
REDIS_PASSWORD = SecretRequest("celery_redis_password", "the password of taifish's broker")
POSTGRES_CERTIFICATE = CertificateRequest(
    "celery_postgres_certificate", "the certificate of taifish's database", hosts=("postgres", "localhost")
)


_NUMBERS: Final = {"nginx": 10, "app": 20, "postgres": 30, "redis": 40}
"""Of the addresses in the subnet, as systems.md lists them."""


class CeleryNetwork(OwnNetwork):
    """The network, with fixed addresses for what the outside may have to name."""

    name: ObjectName = "taifish_network"
    subnet: Cidr = Cidr("172.20.0.0/16")
    """Its lower half is for fixed addresses."""
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
        return {role: getattr(self, role) or self.subnet.fixed(number) for role, number in _NUMBERS.items()}

    @field_validator(*_NUMBERS)
    @classmethod
    def _is_free(cls, address: Address | None, info: ValidationInfo) -> Address | None:
        """In the half that is not handed out, and of nobody else."""
        subnet: Cidr | None = info.data.get("subnet")
        if subnet is None:  # wrong itself
            return address
        role = str(info.field_name)
        try:
            wanted = address or subnet.fixed(_NUMBERS[role])
        except ValueError as error:
            raise ValueError(f"{role}: {error}") from None
        lower = next(subnet.network.subnets())
        number = int(IPv4Address(wanted)) - int(lower.network_address)
        if not 2 <= number < lower.num_addresses:
            raise ValueError(
                f"{role}: {wanted} is not free for it; allowed: an address of {lower}, from number 2 on "
                f"(the other half of {subnet} is handed out by the engine)"
            )
        for other in (other for other in _NUMBERS if other in info.data):
            if wanted == (info.data[other] or subnet.fixed(_NUMBERS[other])):
                raise ValueError(f"{role}: {wanted} is the address of {other}; allowed: another one")
        return address


class AppService(ServiceSettings):
    """The Flask application under gunicorn; one replica after the other is replaced."""

    workload: ClassVar[str | None] = "taifish"
    replicas: Annotated[int, Field(ge=1, le=20)] = 3
    cpus: Cpus = Cpus("2")
    memory: Memory = Memory("2GiB")
    reserved_cpus: Cpus = Cpus("1")
    reserved_memory: Memory = Memory("1GiB")
    pause: Annotated[Duration, lasting("0s", "1h")] = Duration("10s")
    """Between two replicas of an update."""
    health_interval: Annotated[Duration, lasting("1s", "10m")] = Duration("30s")
    """Also how long a new replica takes to be known as healthy."""

    @field_validator("reserved_cpus")
    @classmethod
    def _cpus_are_there(cls, reserved: Cpus, info: ValidationInfo) -> Cpus:
        cpus = info.data.get("cpus")
        if cpus is not None and Decimal(reserved) > Decimal(cpus):
            raise ValueError(f"reserved_cpus {reserved} is more than cpus; allowed: {cpus}")
        return reserved

    @field_validator("reserved_memory")
    @classmethod
    def _memory_is_there(cls, reserved: Memory, info: ValidationInfo) -> Memory:
        memory = info.data.get("memory")
        if memory is not None and reserved.bytes > memory.bytes:
            raise ValueError(f"reserved_memory {reserved} is more than memory; allowed: {memory}")
        return reserved


class WorkerService(Sized):
    """Celery workers, from the image of `app`; each finishes its task before it goes."""

    replicas: Annotated[int, Field(ge=1, le=20)] = 3
    concurrency: Annotated[int, Field(ge=1, le=64)] = 2
    """Tasks at the same time, per worker."""
    cpus: Cpus = Cpus("1")
    memory: Memory = Memory("512MiB")
    stop_grace: Annotated[Duration, lasting("1s", "1h")] = Duration("2m")
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


class CelerySettings(WebSystem):
    """All of taifish on one host."""

    system: ClassVar[str] = "celery"
    network: CeleryNetwork = CeleryNetwork()
    data: Data = DirectoryData()
    """Data in `data/`, public certificates in `ssl/`, dumps in `backups/`, what upkeep did in `logs/`."""
    app: AppService = AppService()
    worker: WorkerService = WorkerService()
    beat: BeatService = BeatService()
    postgres: PostgresService = PostgresService()
    redis: Broker = Broker()
    backup: NightlyDump | None = NightlyDump()
    """Of the database, into `{root}/backups`; null: none."""

    def secrets(self) -> Iterator[SecretRequest]:
        yield POSTGRES_PASSWORD
        yield POSTGRES_CERTIFICATE
        yield REDIS_PASSWORD
        yield from super().secrets()
