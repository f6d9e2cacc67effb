"""A step of an update: a container that waits for something and runs to its end."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_docker as docker

from components.base import Component, Identity
from components.containers.image import Image
from components.containers.mounts import NamedMount
from components.containers.outcome import succeeded


class Step(Component):
    """A container `{name}-step` without a network; the update stops, with its output, if it fails.

    trigger: it runs again when this changes. The new one stands beside the old one, which is removed at the
    end: nothing that depends on it is taken down for it.
    """

    kind = "containers:Step"

    def __init__(
        self,
        name: str,
        *,
        entrypoint: Sequence[str],
        command: Sequence[pulumi.Input[str]],
        image: Image,
        identity: Identity,
        mounts: Sequence[NamedMount],
        trigger: pulumi.Input[str],
        depends_on: Sequence[pulumi.Input[pulumi.Resource]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=opts)
        container = docker.Container(
            f"{name}-step",
            image=image.reference,
            entrypoints=list(entrypoint),
            command=list(command),
            envs=[pulumi.Output.concat("TRIGGER=", trigger)],
            attach=True,
            logs=True,
            must_run=False,
            restart="no",
            network_mode="none",
            user="10001:10001",
            read_only=True,
            init=True,
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
            security_opts=["no-new-privileges"],
            cpus="0.2",
            memory=32,
            memory_swap=32,
            log_driver="json-file",
            log_opts={"max-file": "1", "max-size": "1m"},
            labels=[docker.ContainerLabelArgs(label=k, value=v) for k, v in identity.labels().items()],
            mounts=[mount.args() for mount in mounts],
            opts=self.child(delete_before_replace=False, depends_on=list(depends_on)),
        )
        passed = succeeded(name, container)
        # Exists only once the step has passed: what depends on it is not made after a failure.
        self.done: list[pulumi.Input[pulumi.Resource]] = [passed.apply(lambda _: container)]
        self.register_outputs({})
