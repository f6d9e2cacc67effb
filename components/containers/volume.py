"""Docker volumes. One that holds data outlives every update, and even the stack."""

from __future__ import annotations

from typing import Annotated, Literal

import pulumi
import pulumi_docker as docker
from pydantic import Field

from components.base import Component, Identity
from components.containers.host_paths import host_danger
from components.spec import Spec
from components.units import AbsolutePath, ObjectName


class EngineStorage(Spec):
    """The engine keeps the files in its own directory."""

    kind: Literal["engine"] = "engine"


class DirectoryStorage(Spec):
    """The files lie in a directory of the host, which must exist there."""

    kind: Literal["directory"]
    path: AbsolutePath
    prepared: bool = False
    """Owner and mode are right: the engine leaves them alone, and does not hand an empty one over."""

    def model_post_init(self, _: object) -> None:
        if danger := host_danger(self.path, read_only=False):
            raise ValueError(f"{self.path}: {danger}; allowed: a folder of its own, like /srv/data")


class EncryptedStorage(Spec):
    """The files lie in a directory of the host on an encrypted disk (dm-crypt); a store refuses any other.

    Who opens the disk with its key is the host's business: no key passes through a stack.
    """

    kind: Literal["encrypted"]
    path: AbsolutePath
    prepared: bool = False
    """Owner and mode are right: the engine leaves them alone, and does not hand an empty one over."""

    def model_post_init(self, _: object) -> None:
        if danger := host_danger(self.path, read_only=False):
            raise ValueError(f"{self.path}: {danger}; allowed: a folder of its own, like /srv/data")


Storage = Annotated[EngineStorage | DirectoryStorage | EncryptedStorage, Field(discriminator="kind")]


class VolumeSpec(Spec):
    """A named volume on one host."""

    name: ObjectName
    """Stable, so that a stack that is made again finds its data again."""
    holds_data: bool = True
    """Protected: its end is refused. Retained: taken out of the stack, it stays on the host."""
    storage: Storage = EngineStorage()


class Volume(Component):
    """A volume with the given name."""

    kind = "containers:Volume"

    def __init__(
        self,
        name: str,
        spec: VolumeSpec,
        *,
        identity: Identity,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=opts)
        self.spec = spec
        storage = spec.storage
        volume = docker.Volume(
            f"{name}-local",
            name=spec.name,
            driver="local",
            driver_opts=(
                {"type": "none", "o": "bind", "device": storage.path}
                if not isinstance(storage, EngineStorage)
                else None
            ),
            labels=[docker.VolumeLabelArgs(label=k, value=v) for k, v in identity.labels().items()],
            opts=self.child(
                protect=spec.holds_data, retain_on_delete=spec.holds_data, delete_before_replace=True
            ),
        )
        self.volume_name = volume.name
        self.register_outputs({"name": volume.name})
