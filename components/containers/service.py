"""A service: one or more like containers that run until they are told to stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pulumi
import pulumi_docker as docker
from pydantic import Field, model_validator

from components.base import Component
from components.containers.container import ContainerSpec, RestartPolicy, container_args, files_of
from components.containers.handover import Handover
from components.containers.health import HealthCheck
from components.containers.image import Image
from components.containers.job import Job
from components.containers.mounts import NamedMount, VolumeMount
from components.containers.network import AnyNetwork
from components.spec import Spec
from components.units import Address, Port


class PublishedPort(Spec):
    """A port of the container on an address of the host."""

    container: Port
    host: Port
    address: Address = Address("127.0.0.1")
    """The host's address to listen on; other machines reach it only when this says so."""

    def args(self) -> docker.ContainerPortArgs:
        return docker.ContainerPortArgs(
            internal=self.container, external=self.host, ip=self.address, protocol="tcp"
        )


class StartFirst(Spec):
    """The new container starts, becomes healthy, and only then does the old one stop.

    For a while both run, so nothing that only one can hold is to be had here: no host port, no fixed address.
    """

    kind: Literal["start-first"] = "start-first"
    replicas: Annotated[int, Field(ge=1, le=100)] = 1
    """Containers under the same network alias; replaced one after the other."""


class StopFirst(Spec):
    """The old container stops before the new one starts, because it holds what only one can hold."""

    kind: Literal["stop-first"] = "stop-first"
    replicas: Annotated[int, Field(ge=1, le=100)] = 1
    """Replaced one after the other, so that the others serve meanwhile."""
    publish: tuple[PublishedPort, ...] = ()
    address: Address | None = None
    """A fixed address on the network, which then needs a subnet. The first replica has it."""

    @model_validator(mode="after")
    def _one_holds_a_host_port(self) -> StopFirst:
        if self.publish and self.replicas > 1:
            ports = ", ".join(str(port.host) for port in self.publish)
            raise ValueError(
                f"replicas: {self.replicas} with host port {ports}, which only one container can hold; "
                "allowed: 1, or no published port and an edge before them"
            )
        return self


Rollout = Annotated[StartFirst | StopFirst, Field(discriminator="kind")]


class ServiceSpec(ContainerSpec):
    """A container that serves, how many of it, and how it is replaced."""

    health: HealthCheck
    rollout: Rollout = StartFirst()
    restart: RestartPolicy = "unless-stopped"
    wait_until: Literal["healthy", "started"] = "healthy"
    """What an update waits for before it goes on to whatever depends on this service."""


@dataclass(frozen=True)
class Started:
    """Wait until the service's containers were started."""

    service: Service


@dataclass(frozen=True)
class Healthy:
    """Wait until the service's containers are healthy."""

    service: Service

    def __post_init__(self) -> None:
        if self.service.spec.wait_until != "healthy":
            raise ValueError(
                f"{self.service.name} is not waited for until healthy; allowed: Started({self.service.name})"
            )


@dataclass(frozen=True)
class Completed:
    """Wait until the job has ended with status 0."""

    job: Job


Dependency = Started | Healthy | Completed


def resources_of(after: Sequence[Dependency]) -> list[pulumi.Input[pulumi.Resource]]:
    """What a resource has to depend on to come after these."""
    found: list[pulumi.Input[pulumi.Resource]] = []
    for dependency in after:
        found += dependency.job.done if isinstance(dependency, Completed) else dependency.service.ready
    return found


class Service(Component):
    """Containers named `{name}-1`, `{name}-2`, ... that share an image, a network alias and their files.

    guards: what may refuse a change; before they are done not even its files change, for a file that was
    replaced would replace the containers once the refused change is taken back.
    further: networks that it is on beside its own.
    Raises ValueError when `secrets` and `spec.secrets` name different secrets.
    """

    kind = "containers:Service"

    def __init__(
        self,
        name: str,
        spec: ServiceSpec,
        *,
        image: Image,
        network: AnyNetwork,
        volumes: Sequence[VolumeMount | NamedMount] = (),
        secrets: Mapping[str, pulumi.Input[str]] | None = None,
        after: Sequence[Dependency] = (),
        guards: Sequence[Dependency] = (),
        handover: Handover | None = None,
        further: Sequence[AnyNetwork] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=opts)
        self.spec = spec
        rollout = spec.rollout
        stop_first = rollout if isinstance(rollout, StopFirst) else None
        self.files = files = files_of(
            self, spec, image=image, secrets=secrets or {}, after=resources_of(guards)
        )
        if handover:
            handover.service = self

        def args(number: int) -> dict[str, Any]:
            made = container_args(
                spec,
                image=image,
                network=network,
                files=files,
                volumes=volumes,
                address=stop_first.address if stop_first and number == 1 else None,
                further=further,
            )
            return handover.around(spec, made) if handover else made

        ready = [*(file.carrier for file in files), *resources_of([*after, *guards])]
        self.containers: list[docker.Container] = []
        self.ready: list[pulumi.Input[pulumi.Resource]] = []
        """What depends on the service waits for these: its containers, and that an edge knows them."""
        before: list[pulumi.Input[pulumi.Resource]] = []
        for number in range(1, rollout.replicas + 1):
            container = docker.Container(
                f"{name}-{number}",
                **args(number),
                healthcheck=spec.health.args(),
                restart=spec.restart,
                wait=spec.wait_until == "healthy",
                wait_timeout=spec.health.deadline.whole_seconds,
                ports=[port.args() for port in stop_first.publish] if stop_first else None,
                opts=self.child(
                    delete_before_replace=stop_first is not None,
                    # One replica after the other.
                    depends_on=[*ready, *before],
                ),
            )
            self.containers.append(container)
            before = [container]
            if handover:
                before = handover.serve(container, number, last=number == rollout.replicas)
            self.ready += [container, *before]
        self.container_names = pulumi.Output.all(*(container.name for container in self.containers))
        self.register_outputs({"containers": self.container_names})
