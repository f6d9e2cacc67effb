"""Where a container's image comes from: a registry, a build, or the engine itself."""

from __future__ import annotations

from typing import Annotated, Literal

import pulumi
import pulumi_docker as docker
from pydantic import Field

from components.base import Component
from components.spec import Spec
from components.units import EnvName

_NAME = r"[A-Za-z0-9_.-]+(:[0-9]+)?(/[A-Za-z0-9_.-]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"


class RegistryImage(Spec):
    """An image to pull, pinned by tag and, when known, by digest."""

    kind: Literal["registry"] = "registry"
    reference: Annotated[str, Field(pattern=rf"^{_NAME}(:{_TAG})?(@sha256:[0-9a-f]{{64}})?$")]
    """`name:tag`, `name@sha256:...` or both; `latest` and no tag at all are refused: they are not pinned."""
    mirror: str | None = None
    """A prefix put before the name, such as `registry.example.com/acme`."""

    def model_post_init(self, _: object) -> None:
        tag = self.reference.partition("@")[0].rpartition("/")[2].partition(":")[2]
        if "@" not in self.reference and tag in ("", "latest"):
            raise ValueError(f"{self.reference!r} is not pinned; allowed: name:tag or name@sha256:digest")

    @property
    def pulled_name(self) -> str:
        """The reference with the mirror put before it."""
        return f"{self.mirror.rstrip('/')}/{self.reference}" if self.mirror else self.reference


class BuildArg(Spec):
    """One `ARG` of a Dockerfile. Never a secret: arguments stay readable in the image's history."""

    name: EnvName
    value: str


class BuiltImage(Spec):
    """An image built on the host; its tag names its content, so it is built when that changes."""

    kind: Literal["build"]
    name: Annotated[str, Field(pattern=rf"^{_NAME}:{_TAG}$")]
    context: Annotated[str, Field(min_length=1)]
    """A folder; a relative path starts at the project, so that the state says the same on every machine."""
    dockerfile: str = "Dockerfile"
    """Relative to the context."""
    target: str | None = None
    """The stage to stop at; unset: the last one."""
    args: tuple[BuildArg, ...] = ()


class EngineImage(Spec):
    """An image that already is on the host's engine; it is neither pulled nor built."""

    kind: Literal["engine"]
    name: Annotated[str, Field(pattern=rf"^{_NAME}:{_TAG}$")]


ImageSpec = Annotated[RegistryImage | BuiltImage | EngineImage, Field(discriminator="kind")]


class Image(Component):
    """An image on the host; `reference` is what a container names, known only once the image is there."""

    kind = "containers:Image"
    reference: pulumi.Output[str]

    def __init__(self, name: str, spec: ImageSpec, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts=opts)
        match spec:
            case RegistryImage():
                pulled = docker.RemoteImage(
                    f"{name}-pulled",
                    name=spec.pulled_name,
                    # Another stack on this host may use it; disk space is the engine's matter.
                    keep_locally=True,
                    # Else what runs the image is replaced with it, also where another tag is the same image.
                    opts=self.child(delete_before_replace=False),
                )
                self.reference = pulled.image_id
            case BuiltImage():
                built = docker.Image(
                    f"{name}-built",
                    image_name=spec.name,
                    build=docker.DockerBuildArgs(
                        context=spec.context,
                        dockerfile=f"{spec.context}/{spec.dockerfile}",
                        target=spec.target,
                        args={arg.name: arg.value for arg in spec.args},
                        # BuildKit is not to be had on every engine; the classic builder is.
                        builder_version=docker.BuilderVersion.BUILDER_V1,
                    ),
                    skip_push=True,
                    build_on_preview=False,
                    opts=self.child(),
                )
                self.reference = built.image_name
            case EngineImage():
                self.reference = pulumi.Output.from_input(spec.name)
        self.register_outputs({"reference": self.reference})
