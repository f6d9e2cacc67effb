"""Which machine: the ways to name a Docker engine. Free of pulumi, so that settings load without the SDK."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from components.spec import Spec, default_tag
from components.units import AbsolutePath, Cidr, Like

EngineAddress = Annotated[
    str,
    Like(
        r"(unix:///|tcp://|npipe://)\S+",
        "an engine's address, like unix:///var/run/docker.sock or tcp://10.0.0.5:2376",
    ),
]
_LOOPBACK = re.compile(r"tcp://(localhost|127\.[0-9.]+|\[::1\])(:[0-9]+)?/?")


class LocalHost(Spec):
    """The engine that this machine uses: the given address, else DOCKER_HOST, else the default socket."""

    kind: Literal["local"] = "local"
    address: EngineAddress | None = None
    """`unix:///path` or `tcp://host:port`; unset: DOCKER_HOST, else the default socket."""
    cert_path: AbsolutePath | None = None
    """Folder of `ca.pem`, `cert.pem` and `key.pem` for TCP with TLS; TCP without it only on this machine."""

    @field_validator("cert_path")
    @classmethod
    def _is_for_tcp(cls, cert_path: str | None, info: ValidationInfo) -> str | None:
        address = info.data.get("address")
        if address is None:  # wrong itself, or the one that DOCKER_HOST names
            return cert_path
        if cert_path and not address.startswith("tcp://"):
            raise ValueError("there is no TLS on such an address; allowed: with an address tcp://host:port")
        if not cert_path and address.startswith("tcp://") and not _LOOPBACK.fullmatch(address):
            raise ValueError(
                "cert_path: not set, so whoever is on the network could use this Docker engine; allowed: the "
                "folder of ca.pem, cert.pem and key.pem, or kind ssh"
            )
        return cert_path

    public_address: str = "127.0.0.1"
    """The address under which published ports are reached; only used to print URLs."""


class SshHost(Spec):
    """A Docker engine on another machine, reached over SSH as a user who may use Docker there."""

    kind: Literal["ssh"]
    address: Annotated[
        str,
        Like(r"ssh://([\w.-]+@)?[\w.-]+(:\d{1,5})?", "ssh://user@host or ssh://user@host:port"),
    ]
    ssh_opts: tuple[str, ...] = ()
    """Options of the ssh command, such as `-i`, `/path/to/key`."""

    @property
    def public_address(self) -> str:
        """The machine's name, where published ports are reached."""
        return self.address.removeprefix("ssh://").rpartition("@")[2].partition(":")[0]


Zone = Annotated[
    str, Like(r"[a-z]{2}-[a-z]+(-[0-9]+)?(-[a-z]|[a-z])", "a zone of the region, like cn-hangzhou-h")
]
InstanceType = Annotated[
    str, Like(r"ecs\.[a-z0-9-]+\.[a-z0-9]+", "a type of at least 2 vCPU and 4 GiB, like ecs.c7.large")
]


class EcsHost(Spec):
    """An Alibaba Cloud ECS instance to be made for this stack; a stack file may hold it already."""

    kind: Literal["ecs"]
    region: Annotated[str, Like(r"[a-z]{2}-[a-z]+(-[0-9]+)?", "a region, like cn-hangzhou")]
    zone: Zone
    instance_type: InstanceType
    vpc_cidr: Cidr = Cidr("10.20.0.0/16")


HostSpec = Annotated[LocalHost | SshHost, Field(discriminator="kind")]
AnyHostSpec = Annotated[
    LocalHost | SshHost | EcsHost, Field(discriminator="kind"), default_tag("kind", "local")
]


class RegistryLogin(Spec):
    """Who pulls from a private registry; the password is the secret `registry_password`."""

    address: Annotated[
        str, Like(r"[\w.-]+(:\d{1,5})?", "host or host:port of the registry, like registry.example.com")
    ]
    username: Annotated[str, Field(min_length=1)]
