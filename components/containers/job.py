"""A job: one container that does its work and ends, such as a database migration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_docker as docker

from components.base import Component
from components.containers.container import ContainerSpec, container_args, files_of
from components.containers.image import Image
from components.containers.mounts import VolumeMount
from components.containers.network import AnyNetwork
from components.containers.outcome import succeeded


class JobSpec(ContainerSpec):
    """A container that runs to its end; it runs again when anything of it changes."""


class Job(Component):
    """A container `{name}-run`; the update waits for its end and stops, with its output, if it failed."""

    kind = "containers:Job"

    def __init__(
        self,
        name: str,
        spec: JobSpec,
        *,
        image: Image,
        network: AnyNetwork,
        volumes: Sequence[VolumeMount] = (),
        secrets: Mapping[str, pulumi.Input[str]] | None = None,
        depends_on: Sequence[pulumi.Input[pulumi.Resource]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=opts)
        files = files_of(self, spec, image=image, secrets=secrets or {})
        self.container = docker.Container(
            f"{name}-run",
            **container_args(spec, image=image, network=network, files=files, volumes=volumes),
            attach=True,
            logs=True,
            must_run=False,
            restart="no",
            opts=self.child(
                delete_before_replace=True, depends_on=[*(file.carrier for file in files), *depends_on]
            ),
        )
        self.exit_code = succeeded(f"job {name}", self.container)
        # A resource that exists only once the job succeeded: what depends on it is not made after a failure.
        self.done: list[pulumi.Input[pulumi.Resource]] = [self.exit_code.apply(lambda _: self.container)]
        self.register_outputs({"exit_code": self.exit_code})
