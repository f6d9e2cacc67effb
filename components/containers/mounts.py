"""What a container sees of the file systems around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_docker as docker

from components.containers.host_paths import host_danger
from components.containers.volume import EngineStorage, Volume
from components.spec import Spec
from components.units import AbsolutePath, Memory


class Tmpfs(Spec):
    """A folder in memory, empty at every start, counted against the memory limit."""

    kind: Literal["tmpfs"] = "tmpfs"
    target: AbsolutePath
    size: Memory = Memory("64MiB")
    mode: Literal[0o1777, 0o700, 0o755] = 0o1777

    def args(self) -> docker.ContainerMountArgs:
        return docker.ContainerMountArgs(
            type="tmpfs",
            target=self.target,
            tmpfs_options=docker.ContainerMountTmpfsOptionsArgs(size_bytes=self.size.bytes, mode=self.mode),
        )


class Bind(Spec):
    """A folder or file of the host; read-only unless said otherwise, and never what hands over the host."""

    kind: Literal["bind"] = "bind"
    source: AbsolutePath
    target: AbsolutePath
    read_only: bool = True
    create: bool = False
    """Made by the engine, as root's, where the host lacks it."""

    def model_post_init(self, _: object) -> None:
        danger = host_danger(self.source, read_only=self.read_only)
        if danger:
            raise ValueError(f"{self.source}: {danger}; allowed: the one folder or file that is needed")

    def volume(self) -> docker.ContainerVolumeArgs:
        """The older form of a mount: the one that makes what is missing."""
        return docker.ContainerVolumeArgs(
            host_path=self.source, container_path=self.target, read_only=self.read_only
        )

    def args(self) -> docker.ContainerMountArgs:
        return docker.ContainerMountArgs(
            type="bind", source=self.source, target=self.target, read_only=self.read_only
        )


@dataclass(frozen=True, kw_only=True)
class VolumeMount:
    """A volume of this stack at a path."""

    volume: Volume
    target: str
    read_only: bool = False

    def args(self) -> docker.ContainerMountArgs:
        storage = self.volume.spec.storage
        prepared = not isinstance(storage, EngineStorage) and storage.prepared
        return docker.ContainerMountArgs(
            type="volume",
            source=self.volume.volume_name,
            target=self.target,
            read_only=self.read_only,
            volume_options=docker.ContainerMountVolumeOptionsArgs(no_copy=True) if prepared else None,
        )


@dataclass(frozen=True, kw_only=True)
class NamedMount:
    """A volume that a component keeps for its own use, by its name on the host."""

    source: pulumi.Input[str]
    target: str
    read_only: bool = False

    def args(self) -> docker.ContainerMountArgs:
        return docker.ContainerMountArgs(
            type="volume", source=self.source, target=self.target, read_only=self.read_only
        )
