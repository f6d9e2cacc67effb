"""The images of our own: what each is built from, and its name in the stack's registry.

Imports no pulumi, as the verb that pushes them runs no program.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stacks.content import base_image, image_tag
from stacks.image_settings import THIRD_PARTY, Flavour, FromRegistry, ImagesSettings

if TYPE_CHECKING:
    from stacks.settings import StackSettings

WORKLOADS = Path("workloads")


@dataclass(frozen=True, kw_only=True)
class Release:
    """An image of ours under the stack's tag.

    context: its folder, relative to the project. local: the name that tells its content. name: the one in
    the registry.
    """

    role: str
    context: str
    args: dict[str, str]
    local: str
    name: str
    dockerfile: str = "Dockerfile"


def released_name(role: str, images: ImagesSettings, flavour: Flavour | None) -> str:
    """In a registry, without the mirror."""
    return f"{role}:{images.tag}-{flavour.name}" if flavour else f"{role}:{images.tag}"


def build_args(
    role: str, images: ImagesSettings, project: Path, flavour: Flavour | None = None
) -> dict[str, str]:
    """What the Dockerfile of a reference image is told: the mirrors, and the base that it stands on."""
    if flavour:
        others = {name: images.pulled(image) for name, image in flavour.images.items()}
        return {**images.build.args(), **flavour.args, **others}
    bases = dict[str, str](images.bases.items())
    base = images.pulled(bases[role]) if role in bases else base_image(project / WORKLOADS)
    return {**images.build.args(), "BASE": base}


def releases(stack: StackSettings, project: Path) -> Iterator[Release]:
    """What the stack pulls by `berth:images.tag`, each once."""
    wanted = {image.role: image for system in stack.chosen().values() for image in system.images()}
    for role, image in sorted(wanted.items()):
        if image.released:
            flavour = image.flavour
            args = build_args(role, stack.images, project, flavour)
            context = os.fspath(WORKLOADS / role)
            dockerfile = flavour.dockerfile if flavour else "Dockerfile"
            yield Release(
                role=role,
                context=context,
                args=args,
                local=image_tag(role, project / context, args, dockerfile=dockerfile),
                name=stack.images.pulled(released_name(role, stack.images, flavour)),
                dockerfile=dockerfile,
            )


def names_on_engine(stack: StackSettings) -> Iterator[str]:
    """What the stack's images are called on its engine: names, or for what is built there, repositories.

    In the order of the systems and their services.
    """
    for system in stack.chosen().values():
        for image in system.images():
            if isinstance(image.choice, FromRegistry):
                yield stack.images.pulled(image.choice.reference)
            elif image.choice is None and stack.images.source == "registry":
                reference = THIRD_PARTY.get(image.role)
                yield stack.images.pulled(reference or released_name(image.role, stack.images, image.flavour))
            else:
                yield f"berth/{image.role}"
    if stack.images.source == "registry":
        yield from map(stack.images.pulled, THIRD_PARTY.values())
    else:
        yield from (f"berth/{role}" for role in (*THIRD_PARTY, "base"))
