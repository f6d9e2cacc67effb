"""Config and secret files that a container finds read-only, on any host and with a read-only root.

Docker takes uploads neither into a read-only root nor into a read-only mount, and a bind mount would need the
file on the remote host. So the files lie in a volume of their own. A carrier, a container that is created but
never started, receives them there: the archive API writes into the volumes of a container that does not run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """The files on the host; `mounts` and `volumes` show them to a container, which depends on `carrier`.

    With `replace`, a carrier has an anonymous volume that ends with it. New contents make a carrier under
    a new random name, which a container must be replaced to follow; until it is gone, the old container keeps
    reading the old files. With `in place`, the volume stays, and a new carrier writes over its files. No
    name and no hash comes from the contents: nothing that is stored in plain tells anything about a secret.
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
        after: Sequence[pulumi.Input[pulumi.Resource]] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        given = sorted(contents)
        if given != sorted(spec.names):
            raise ValueError(f"{name}: files {sorted(spec.names)} described, contents of {given} given")
        super().__init__(name, opts=opts)
        self.spec = spec
        labels = identity.labels()
        source: pulumi.Output[str] | None = None
        if spec.reload == "in place":
            source = docker.Volume(
                f"{name}-volume",
                driver="local",
                labels=[docker.VolumeLabelArgs(label=k, value=v) for k, v in labels.items()],
                # A file that is no longer described must not stay behind.
                opts=self.child(replacement_trigger=list(spec.names), delete_before_replace=False),
            ).name
        self.carrier = carrier(
            name,
            {f"{spec.target}/{file}": contents[file] for file in spec.names},
            mount=docker.ContainerMountArgs(type="volume", source=source, target=spec.target),
            image=image,
            identity=identity,
            opts=self.child(delete_before_replace=False, depends_on=[*after]),
        )
        self.source = source
        """The volume that stays; None with `replace`."""
        self.mounts: list[docker.ContainerMountArgs] = []
        self.volumes: list[docker.ContainerVolumeArgs] = []
        if source is not None:
            self.mounts.append(
                docker.ContainerMountArgs(type="volume", source=source, target=spec.target, read_only=True)
            )
        else:
            carried = self.carrier.name.apply(lambda carrier: f"{carrier}:ro")
            self.volumes.append(docker.ContainerVolumeArgs(from_container=carried))
        self.register_outputs({"carrier": self.carrier.name})


def carrier(
    name: str,
    contents: Mapping[str, pulumi.Input[str]],
    *,
    mount: docker.ContainerMountArgs,
    image: pulumi.Input[str],
    identity: Identity,
    opts: pulumi.ResourceOptions,
) -> docker.Container:
    """A container `{name}-carrier` that never runs; the files (path to text) lie in what it mounts."""
    return docker.Container(
        f"{name}-carrier",
        image=image,
        # Never runs: a name for the engine to refuse, should someone start it by hand.
        command=["this-container-only-carries-files"],
        start=False,
        must_run=False,
        restart="no",
        network_mode="none",
        # As narrow as a service, for the same case.
        user="10001:10001",
        capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
        security_opts=["no-new-privileges"],
        cpus="0.1",
        memory=16,
        memory_swap=16,
        log_driver="json-file",
        log_opts={"max-file": "1", "max-size": "1m"},
        labels=[docker.ContainerLabelArgs(label=k, value=v) for k, v in identity.labels().items()],
        mounts=[mount],
        uploads=[
            docker.ContainerUploadArgs(file=path, content=content, permissions="0444")
            for path, content in contents.items()
        ],
        opts=opts,
    )
