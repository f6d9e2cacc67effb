"""What a stack asks of the settings of each of its systems."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import ceil
from typing import ClassVar

from components.cloud.capacity import LEAST, Capacity
from components.host_spec import AnyHostSpec
from components.spec import Spec
from components.units import Cidr, Cpus, Memory, ObjectName
from stacks.claims import NetworkClaim, PortClaim, SubnetClaim
from stacks.host_needs import HostNeeds
from stacks.image_settings import ImageChoice, WantedImage
from stacks.problems import Problem
from stacks.secrets import SecretRequest


class Sized(Spec):
    """What a container may use."""

    cpus: Cpus = Cpus("0.5")
    memory: Memory = Memory("128MiB")


class ServiceSettings(Sized):
    """What the stack file may say of any service with an image of its own.

    workload: the image's folder below workloads/; None: it is called as the setting is.
    """

    workload: ClassVar[str | None] = None
    image: ImageChoice | None = None
    """Unset: as `berth:images` says."""


class OwnNetwork(Spec):
    """The network of a system; a subclass says its name."""

    name: ObjectName
    subnet: Cidr | None = None
    """Unset: the engine takes a free one."""

    def claims(self, path: str) -> Iterator[SubnetClaim]:
        """The address range that it takes, if it asks for one. path: its own in the stack file."""
        if self.subnet:
            yield SubnetClaim(f"{path}.subnet", self.subnet)

    def name_claims(self, path: str) -> Iterator[NetworkClaim]:
        """The name that it takes. path: its own in the stack file."""
        yield NetworkClaim(f"{path}.name", self.name)


class SystemSettings(Spec, ABC):
    """The settings of one system in one mode. Each mode answers for itself: nothing is claimed by default."""

    @abstractmethod
    def port_claims(self) -> Iterator[PortClaim]:
        """The host ports that this system takes."""

    @abstractmethod
    def subnet_claims(self) -> Iterator[SubnetClaim]:
        """The address ranges that this system takes."""

    @abstractmethod
    def network_claims(self) -> Iterator[NetworkClaim]:
        """The networks that this system makes or joins."""

    @abstractmethod
    def secrets(self) -> Iterator[SecretRequest]:
        """The secrets that this system needs."""

    @abstractmethod
    def images(self) -> Iterator[WantedImage]:
        """The image of each service that runs here."""

    def host_problems(self, host: AnyHostSpec) -> Iterator[Problem]:
        """What the host, where it is known, lacks for this system."""
        del host
        yield from ()

    def host_needs(self) -> HostNeeds:
        """What the host must have, whoever made it; by default nothing is said of it."""
        return HostNeeds()

    def memory_limits(self) -> int:
        """What all services that the settings size may use at once, replicas included; bytes."""
        return _limits(self)

    def driver_problems(self, driver: str | None, where: str) -> Iterator[Problem]:
        """What the driver of the host's GPUs (None: it has none) lacks. where: the host, in words."""
        del driver, where
        yield from ()

    def intranet_ports(self) -> Iterator[int]:
        """The closed ports of its services that machines of the same VPC may reach; the others nobody."""
        yield from ()

    def least(self) -> Capacity:
        """The smallest cloud machine that carries it: sold with as many whole GiB as it needs bytes."""
        gibibytes = max(LEAST.memory.bytes, self.host_needs().memory) / (1 << 30)
        return Capacity(vcpus=LEAST.vcpus, memory=Memory(f"{ceil(gibibytes)}GiB"))

    def certificate_problems(self) -> Iterator[Problem]:
        """What is wrong with certificates that are given as files."""
        yield from ()


def _limits(settings: Spec) -> int:
    own = settings.memory.bytes * int(getattr(settings, "replicas", 1)) if isinstance(settings, Sized) else 0
    return own + sum(_limits(value) for _, value in settings if isinstance(value, Spec))
