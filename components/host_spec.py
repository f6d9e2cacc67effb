"""Which machine: the ways to name a Docker engine. Free of pulumi, so that settings load without the SDK."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.spec import Spec, default_tag
from components.units import AbsolutePath, Cidr


class LocalHost(Spec):
    """The engine that this machine uses: the given address, else DOCKER_HOST, else the default socket."""

    kind: Literal["local"] = "local"
    address: Annotated[str, Field(pattern=r"^(unix:///|tcp://|npipe://)\S+$")] | None = None
    """`unix:///path` or `tcp://host:port`; unset: DOCKER_HOST, else the default socket."""
    cert_path: AbsolutePath | None = None
    """Folder of `ca.pem`, `cert.pem` and `key.pem` for TCP with TLS."""
    public_address: str = "127.0.0.1"
    """The address under which published ports are reached; only used to print URLs."""


class SshHost(Spec):
    """A Docker engine on another machine, reached over SSH as a user who may use Docker there."""

    kind: Literal["ssh"]
    address: Annotated[str, Field(pattern=r"^ssh://([\w.-]+@)?[\w.-]+(:\d{1,5})?$")]
    """`ssh://user@host` or `ssh://user@host:port`."""
    ssh_opts: tuple[str, ...] = ()
    """Options of the ssh command, such as `-i`, `/path/to/key`."""

    @property
    def public_address(self) -> str:
        """The machine's name, where published ports are reached."""
        return self.address.removeprefix("ssh://").rpartition("@")[2].partition(":")[0]


class EcsHost(Spec):
    """An Alibaba Cloud ECS instance to be made for this stack; a stack file may hold it already."""

    kind: Literal["ecs"]
    region: Annotated[str, Field(pattern=r"^[a-z]{2}-[a-z]+(-[0-9]+)?$")]
    zone: Annotated[str, Field(pattern=r"^[a-z]{2}-[a-z]+(-[0-9]+)?(-[a-z]|[a-z])$")]
    instance_type: Annotated[str, Field(pattern=r"^ecs\.[a-z0-9-]+\.[a-z0-9]+$")]
    """At least 2 vCPU and 4 GiB, such as `ecs.c7.large`."""
    vpc_cidr: Cidr = Cidr("10.20.0.0/16")


HostSpec = Annotated[LocalHost | SshHost, Field(discriminator="kind")]
AnyHostSpec = Annotated[
    LocalHost | SshHost | EcsHost, Field(discriminator="kind"), default_tag("kind", "local")
]


class RegistryLogin(Spec):
    """Who pulls from a private registry; the password is the secret `registry_password`."""

    address: Annotated[str, Field(pattern=r"^[\w.-]+(:\d{1,5})?$")]
    username: Annotated[str, Field(min_length=1)]
