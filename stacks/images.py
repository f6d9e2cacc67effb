"""The image of each role of a system, from the stack's settings."""

from __future__ import annotations

import os
from pathlib import Path

from components.containers.image import BuildArg, BuiltImage, ImageSpec, RegistryImage
from stacks.content import image_tag
from stacks.image_settings import (
    THIRD_PARTY,
    Flavour,
    FromContext,
    FromRegistry,
    ImageChoice,
    ImagesSettings,
)
from stacks.releases import WORKLOADS, build_args, released_name


def image_spec(
    role: str,
    choice: ImageChoice | None,
    images: ImagesSettings,
    *,
    project: Path,
    target: str | None = None,
    flavour: Flavour | None = None,
) -> ImageSpec:
    """Where `role`'s image comes from: its own choice, else the stack's.

    project: the folder of Pulumi.yaml, where relative contexts start. target: the stage to build of the
    reference image.
    """
    match choice:
        case FromRegistry():
            return RegistryImage(reference=choice.reference, mirror=images.mirror)
        case FromContext():
            args = {**images.build.args(), **choice.args}
            return _built(
                role,
                choice.context,
                args,
                project=project,
                dockerfile=choice.dockerfile,
                target=choice.target,
            )
        case None if images.source == "registry":
            reference = THIRD_PARTY.get(role) or released_name(role, images, flavour)
            return RegistryImage(reference=reference, mirror=images.mirror)
        case _:
            args = build_args(role, images, project, flavour)
            dockerfile = flavour.dockerfile if flavour else "Dockerfile"
            return _built(
                role,
                os.fspath(WORKLOADS / role),
                args,
                project=project,
                dockerfile=dockerfile,
                target=target,
            )


def _built(
    role: str,
    context: str,
    args: dict[str, str],
    *,
    project: Path,
    dockerfile: str = "Dockerfile",
    target: str | None = None,
) -> BuiltImage:
    return BuiltImage(
        kind="build",
        name=image_tag(role, project / context, args, dockerfile=dockerfile, target=target),
        context=context,
        dockerfile=dockerfile,
        target=target,
        args=tuple(BuildArg(name=name, value=value) for name, value in sorted(args.items())),
    )
