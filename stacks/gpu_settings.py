"""`berth:gpu`: the English listening trainer (systems.md, 4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from components.containers.cuda import FLAVOUR, Cuda, check_cuda, cuda_for
from components.containers.gpu import AllGpus, Gpu
from components.host_spec import AnyHostSpec
from components.spec import Spec, default_tag
from components.stores.sizes import Size
from components.units import Address, Cpus, Duration, HttpUrl, Like, Memory, ObjectName, Port
from stacks import gpu_host
from stacks.claims import NetworkClaim, PortClaim, SubnetClaim
from stacks.host_needs import GB, GpuNeed, HostNeeds
from stacks.image_settings import Flavour, ImageChoice, WantedImage
from stacks.problems import Problem
from stacks.secrets import CertificateRequest, SecretRequest
from stacks.store_settings import PostgresService, RedisService
from stacks.system import OwnNetwork, ServiceSettings, Sized
from stacks.watch_settings import Watch
from stacks.web_system import WebSystem

DATABASE = "trainer"
BASES: Final[dict[Cuda, str]] = {
    "12.1": "nvidia/cuda:12.1.1-cudnn8-runtime-ubuntu22.04",
    "11.8": "nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04",
}
JWT_SECRET = SecretRequest(
    "gpu_jwt_secret", "what sessions are signed with, such as `openssl rand -hex 32` makes", 32, 64
)
ADMIN_PASSWORD = SecretRequest("gpu_admin_password", "the administrator's password")
CEREBRAS_KEY = SecretRequest("cerebras_api_key", "the key for Cerebras, which writes texts", 8)
POSTGRES_PASSWORD = SecretRequest("gpu_postgres_password", "the trainer's password for PostgreSQL")
POSTGRES_CERTIFICATE = CertificateRequest(
    "gpu_postgres_certificate", "the certificate of PostgreSQL", hosts=("postgres", "localhost")
)
REDIS_PASSWORD = SecretRequest("gpu_redis_password", "the password of the cache")


class AppNetwork(OwnNetwork):
    """The network of the application and its stores."""

    name: ObjectName = "app-network"


class NginxNetwork(OwnNetwork):
    """The network of the door, apart from the application's."""

    name: ObjectName = "nginx-network"


class App(ServiceSettings):
    """The application: speech and practice. Replaced without a failed request."""

    workload: ClassVar[str | None] = "trainer"

    replicas: Annotated[int, Field(ge=1, le=20)] = 1
    cpus: Cpus = Cpus("2")
    memory: Memory = Memory("2GiB")
    """On a GPU every speech at the same time is a process of its own, with some 1.5GiB."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """Speeches at the same time in each replica (KOKORO_TTS_MAX_CONCURRENCY); others wait for their turn."""
    audio: Size = Size("1GiB")
    """Of finished speech on the disk; the oldest goes first."""
    cuda_devices: Annotated[
        str, Like(r"[0-9]+(,[0-9]+)*", "numbers among the GPUs of the container, like 0 or 0,1")
    ] = "0"
    """CUDA_VISIBLE_DEVICES."""


class Admin(Sized):
    """The administration, on a port of its own that operators alone reach."""

    email: Annotated[str, Like(r"[^@\s]+@[^@\s]+", "an address, like operator@trainer.org")] = (
        "operator@localhost"
    )
    port: Port = 3005
    address: Address = Address("127.0.0.1")
    """The host's address to listen on: loopback, or a private one in a network of `berth:operators`. Without
    that, from elsewhere: `ssh -L 3005:127.0.0.1:3005 HOST`."""


class BuiltIn(Spec):
    """A few sentences that come with the image."""

    kind: Literal["built-in"]


class Cerebras(Spec):
    """A language model at Cerebras; its key is the secret `cerebras_api_key`."""

    kind: Literal["cerebras"] = "cerebras"
    url: HttpUrl = "https://api.cerebras.ai/v1"
    model: Annotated[str, Field(min_length=1)] = "llama-3.3-70b"


Texts = Annotated[BuiltIn | Cerebras, Field(discriminator="kind"), default_tag("kind", "cerebras")]


class GpuSettings(WebSystem):
    """All of the trainer on one host."""

    system: ClassVar[str] = "gpu"
    network: AppNetwork = AppNetwork()
    nginx_network: NginxNetwork = NginxNetwork()
    device: Literal["cuda", "cpu"] = "cuda"
    """cuda: Kokoro speaks on GPUs. cpu: espeak-ng speaks, and health says so."""
    gpu: Gpu | None = None
    """With device cuda: which GPUs. Unset: all of the host."""

    @field_validator("gpu")
    @classmethod
    def _is_used(cls, gpu: Gpu | None, info: ValidationInfo) -> Gpu | None:
        if gpu is not None and info.data.get("device") == "cpu":
            raise ValueError("device is cpu, which uses no GPU; allowed: with device cuda")
        return gpu

    cuda: Cuda | None = None
    """With device cuda: the flavour of the image. Unset: what the host's driver runs."""

    @field_validator("cuda")
    @classmethod
    def _is_run(cls, cuda: Cuda | None, info: ValidationInfo) -> Cuda | None:
        if cuda is not None and info.data.get("device") == "cpu":
            raise ValueError("device is cpu, which needs no CUDA; allowed: with device cuda")
        return cuda

    texts: Texts = Cerebras()
    app: App = App()
    admin: Admin = Admin()
    postgres: PostgresService | None = None
    """Instead of SQLite; advised above 10,000 users or 100 at the same time."""
    redis: RedisService | None = None
    """A cache for statistics."""
    watch: Watch = Watch()
    speech_timeout: Duration = Duration("2m")
    """How long the door waits for one speech; for everything else it waits a minute."""

    def port_claims(self) -> Iterator[PortClaim]:
        yield from super().port_claims()
        yield PortClaim("berth:gpu.admin.port", self.admin.address, self.admin.port)

    def subnet_claims(self) -> Iterator[SubnetClaim]:
        yield from super().subnet_claims()
        yield from self.nginx_network.claims("berth:gpu.nginx_network")

    def network_claims(self) -> Iterator[NetworkClaim]:
        yield from super().network_claims()
        yield from self.nginx_network.name_claims("berth:gpu.nginx_network")

    def secrets(self) -> Iterator[SecretRequest]:
        yield from (JWT_SECRET, ADMIN_PASSWORD)
        if isinstance(self.texts, Cerebras):
            yield CEREBRAS_KEY
        if self.postgres:
            yield from (POSTGRES_PASSWORD, POSTGRES_CERTIFICATE)
        if self.redis:
            yield REDIS_PASSWORD
        yield from super().secrets()

    def host_problems(self, host: AnyHostSpec) -> Iterator[Problem]:
        """A GPU that is wanted and not there, a driver that does not run the CUDA that is wanted."""
        if self.device == "cpu":
            return
        if not gpu_host.is_here(host):
            if self.cuda is None:
                yield Problem(
                    "berth:gpu.cuda",
                    "required for a host that is not this machine, as its driver is not known here; "
                    'allowed: "12.1" (driver 530 or newer) or "11.8" (450 or newer), as nvidia-smi tells',
                )
            return
        yield from self.driver_problems(gpu_host.driver(), "this machine")

    def driver_problems(self, driver: str | None, where: str) -> Iterator[Problem]:
        if self.device == "cpu":
            return
        if driver is None:
            yield Problem(
                "berth:gpu.device",
                f"no NVIDIA driver is on {where}, so no container can have a GPU; allowed: cpu, or cuda "
                "once the driver (530 or newer) and the NVIDIA Container Toolkit are installed",
                "cuda",
            )
            return
        try:
            if self.cuda:
                check_cuda(self.cuda, driver)
            else:
                cuda_for(driver)
        except ValueError as error:
            yield Problem("berth:gpu.cuda", str(error))

    def host_needs(self) -> HostNeeds:
        """Room for images of CUDA and for models (systems.md, 4), whatever speaks."""
        gpu = GpuNeed.of(self.gpu or AllGpus()) if self.device == "cuda" else None
        return HostNeeds(disk=20 * GB, memory=8 * GB, gpu=gpu)

    def flavour(self) -> Flavour | None:
        """The image's; where nothing is known of the driver, for the newest CUDA."""
        if self.device == "cpu":
            return None
        cuda = self.cuda or _run_here()
        return Flavour(
            FLAVOUR[cuda],
            dockerfile="Dockerfile.cuda",
            args={"TORCH_FLAVOUR": FLAVOUR[cuda]},
            images={"CUDA_IMAGE": BASES[cuda]},
        )

    @model_validator(mode="after")
    def _care_is_one_image(self) -> GpuSettings:
        if (
            self.snapshots
            and None not in (given := (self.snapshots.image, self.watch.image))
            and len({*given}) > 1
        ):
            raise ValueError(
                "snapshots.image and watch.image are one image; allowed: one of them, or twice the same"
            )
        return self

    def care(self) -> ImageChoice | None:
        """The image of all that looks after the system."""
        return self.watch.image or (self.snapshots.image if self.snapshots else None)

    def images(self) -> Iterator[WantedImage]:
        for image in super().images():
            match image.role:
                case "trainer":
                    yield replace(image, flavour=self.flavour())
                case "care":
                    yield replace(image, choice=self.care())
                case _:
                    yield image


def _run_here() -> Cuda:
    """What this machine's driver runs; without one, or with one that is refused, the newest."""
    found = gpu_host.driver()
    try:
        return cuda_for(found) if found else "12.1"
    except ValueError:
        return "12.1"
