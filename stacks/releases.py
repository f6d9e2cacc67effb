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
from stacks.image_settings import ImagesSettings

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


def build_args(role: str, images: ImagesSettings, project: Path) -> dict[str, str]:
    """What the Dockerfile of a reference image is told: the mirrors, and the base that it stands on."""
    bases = dict[str, str](images.bases.items())
    base = images.pulled(bases[role]) if role in bases else base_image(project / WORKLOADS)
    return {**images.build.args(), "BASE": base}


def releases(stack: StackSettings, project: Path) -> Iterator[Release]:
    """What the stack pulls by `berth:images.tag`, each once."""
    wanted = {image.role: image for system in stack.chosen().values() for image in system.images()}
    for role, image in sorted(wanted.items()):
        if image.released:
            args = build_args(role, stack.images, project)
            context = os.fspath(WORKLOADS / role)
            yield Release(
                role=role,
                context=context,
                args=args,
                local=image_tag(role, project / context, args),
                name=stack.images.pulled(f"{role}:{stack.images.tag}"),
            )
