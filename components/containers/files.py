"""Config and secret files that a container finds read-only, on any host and with a read-only root.

Docker takes uploads neither into a read-only root nor into a read-only mount, and a bind mount would need the
file on the remote host. So the files lie in a volume of their own. A carrier, a container that is created but
never started, receives them there: the archive API writes into the volumes of a container that does not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pulumi
import pulumi_docker as docker

from components.base import Component, Identity
from components.spec import Spec
from components.units import AbsolutePath, FileName

Reload = Literal["replace", "in place"]


class FilesSpec(Spec):
    """A folder of small text files."""

    target: AbsolutePath
    reload: Reload = "replace"
    """New contents `replace` the container, or change the files under a service that watches them."""
    names: tuple[FileName, ...]


class Files(Component):
    """The files on the host; `mount` shows them to a container, which depends on `carrier`.

    With `replace`, the contents trigger a new volume under a new random name, so that an old container keeps
    reading the old files until it is gone. The contents themselves are the trigger, encrypted in the state
    where they are secret: no hash of a secret is ever made.
    """

    kind = "containers:Files"

    def __init__(
        self,
        name: str,
        spec: FilesSpec,
        *,
        contents: Mapping[str, pulumi.Input[str]],
        image: pulumi.Input[str],
        identity: Identity,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        if set(contents) != set(spec.names):
            raise ValueError(
                f"{name}: files {sorted(spec.names)} are described, contents of {sorted(contents)} given"
            )
        super().__init__(name, opts=opts)
        labels = identity.labels()
        trigger: list[pulumi.Input[str]] = list(spec.names)
        if spec.reload == "replace":
            trigger += [contents[file] for file in spec.names]
        volume = docker.Volume(
            f"{name}-volume",
            driver="local",
            labels=[docker.VolumeLabelArgs(label=k, value=v) for k, v in labels.items()],
            opts=self.child(replacement_trigger=trigger, delete_before_replace=False),
        )
        self.carrier = docker.Container(
            f"{name}-carrier",
            image=image,
            # Never runs: a name for the engine to refuse, should someone start it by hand.
            command=["this-container-only-carries-files"],
            start=False,
            must_run=False,
            restart="no",
            network_mode="none",
            log_driver="json-file",
            log_opts={"max-file": "1", "max-size": "1m"},
            labels=[docker.ContainerLabelArgs(label=k, value=v) for k, v in labels.items()],
            mounts=[docker.ContainerMountArgs(type="volume", source=volume.name, target=spec.target)],
            uploads=[
                docker.ContainerUploadArgs(
                    file=f"{spec.target}/{file}", content=contents[file], permissions="0444"
                )
                for file in spec.names
            ],
            opts=self.child(delete_before_replace=False),
        )
        self.mount = docker.ContainerMountArgs(
            type="volume", source=volume.name, target=spec.target, read_only=True
        )
        self.register_outputs({"volume": volume.name})
