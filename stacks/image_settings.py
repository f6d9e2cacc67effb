"""`berth:images` and the `image` of a service: where images come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from components.host_spec import RegistryLogin
from components.spec import Spec
from components.units import HttpUrl, Like

THIRD_PARTY: Final[Mapping[str, str]] = {
    "certbot": "certbot/certbot:v4.0.0",
    "mysql": "mysql:8.0",
    "nginx": "nginx:1.28-alpine",
    "postgres": "postgres:15-alpine",
    "redis": "redis:7-alpine",
}
"""The official images of systems.md, which no release of ours names; a service's `image` may pin a digest."""

# Docker's names are ASCII, and \w is not: its repetition in a tag would take 70 ms of every start to compile.
_PREFIX = r"[A-Za-z0-9_.-]+(:[0-9]+)?(/[A-Za-z0-9_.-]+)*"


def _no_moving_tag(tag: str) -> str:
    if tag == "latest":
        raise ValueError("it is another image every time; allowed: a release, like 1.2.3")
    return tag


def _pinned(reference: str) -> str:
    name, at, _ = reference.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if not at and tag in ("", "latest"):
        raise ValueError("it is another image every time; allowed: name:tag or name@sha256:..., not latest")
    return reference


Reference = Annotated[
    str,
    Like(
        r"[A-Za-z0-9_./:-]+(@sha256:[0-9a-f]{64})?",
        "name:tag or name@sha256:<64 digits>, without the mirror, like team/processor:1.2",
    ),
    AfterValidator(_pinned),
]
OnAnyBase = Literal["taifish"]
"""Of workloads/, what asks of its base nothing but a python3.11, and was seen to work on Ubuntu's."""


class BuildMirrors(Spec):
    """Where builds download from, for networks in which the usual places are slow or closed."""

    apt: HttpUrl | None = None
    """Such as `https://mirror.example.com/debian`; on a base of Ubuntu, its sibling `ubuntu` is asked."""
    pip: HttpUrl | None = None
    """Such as `https://mirror.example.com/pypi/simple`."""
    npm: HttpUrl | None = None
    go: HttpUrl | None = None

    def args(self) -> dict[str, str]:
        """The build arguments that every Dockerfile of ours knows."""
        given = {
            "APT_MIRROR": self.apt,
            "GOPROXY": self.go,
            "NPM_REGISTRY": self.npm,
            "PIP_INDEX_URL": self.pip,
        }
        return {name: value for name, value in given.items() if value}


class ImagesSettings(Spec):
    """`berth:images`: one choice for all services; a service's own `image` overrules it."""

    source: Literal["registry", "local"] = "registry"
    """`local`: built from workloads/ on the host. `registry`: pulled."""
    mirror: (
        Annotated[str, Like(_PREFIX, "a registry and a path in it, like registry.example.com/acme")] | None
    ) = None
    """Put before every pulled name, such as `registry.example.com/acme`."""
    tag: (
        Annotated[
            str,
            Like(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", "a tag, like 1.2.3"),
            AfterValidator(_no_moving_tag),
        ]
        | None
    ) = None
    """The release of the project's own images to pull."""
    login: RegistryLogin | None = None
    """For a private registry; its password is the secret `registry_password`."""
    build: BuildMirrors = BuildMirrors()
    bases: dict[OnAnyBase, Reference] = Field(default_factory=dict)
    """What an image of workloads/ is built on instead of our own Debian: `taifish: ubuntu:22.04`. The others
    take their server, their Node or their Go from the release of Debian that our own base is."""

    def pulled(self, reference: str) -> str:
        """A reference with the mirror put before it."""
        return f"{self.mirror}/{reference}" if self.mirror else reference


class FromRegistry(Spec):
    """Pull this image."""

    source: Literal["registry"]
    reference: Reference


class FromContext(Spec):
    """Build this image on the host."""

    source: Literal["build"]
    context: Annotated[str, Field(min_length=1)]
    """A folder; a relative path starts at the project."""
    dockerfile: str = "Dockerfile"
    target: str | None = None
    args: dict[Annotated[str, Like(r"[A-Z_][A-Z0-9_]*", "a name in capitals, like NODE_VERSION")], str] = (
        Field(default_factory=dict)
    )
    """Build arguments beside the mirrors; never secrets."""


class FromWorkloads(Spec):
    """Build the reference image in workloads/."""

    source: Literal["local"]


ImageChoice = Annotated[FromRegistry | FromContext | FromWorkloads, Field(discriminator="source")]


@dataclass(frozen=True)
class Flavour:
    """An image for a certain kind of host: `<tag>-<name>` in a registry.

    dockerfile: beside the role's own. images: build arguments that name images of others, without the mirror.
    """

    name: str
    dockerfile: str
    args: Mapping[str, str]
    images: Mapping[str, str]


@dataclass(frozen=True)
class WantedImage:
    """An image that a system runs. path: of the setting that decides; role: its folder below workloads/."""

    path: str
    role: str
    choice: ImageChoice | None
    flavour: Flavour | None = None

    @property
    def ours(self) -> bool:
        """Whether it is made from workloads/: on the host, or where a release is pushed."""
        return self.released or isinstance(self.choice, FromWorkloads)

    @property
    def released(self) -> bool:
        """Whether `berth:images.tag` decides, where images are pulled."""
        return self.choice is None and self.role not in THIRD_PARTY
