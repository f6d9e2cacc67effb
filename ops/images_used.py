"""The images that a stack runs, as the engine knows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ops import images, recorded
from ops.deployment import Image
from ops.errors import UserError
from ops.progress import say

if TYPE_CHECKING:
    from docker import DockerClient

    from ops.stack import Stack


MIGRATES = "migrate"  # what the job that changes a schema is called in every system


def inventory(stack: Stack, exported: Mapping[str, Any]) -> dict[str, Any]:
    """What a deployment left, for its record: containers, jobs that migrate, images.

    An engine that cannot be asked now does not undo what it serves: that is said, and recorded as `cause`.
    """
    import requests
    from docker.errors import DockerException

    there = recorded.containers(exported)
    found: dict[str, Any] = {
        "containers": recorded.ids(exported),
        "migrates": {container.name: container.image for container in there if container.service == MIGRATES},
    }
    try:
        found["images"] = used(stack, exported)
    except (UserError, DockerException, requests.RequestException, OSError) as error:
        found["cause"] = f"its images could not be recorded, and are not looked after: {error}"
        say(found["cause"])
    return found


def left(stack: Stack) -> dict[str, Any]:
    """What one that failed left, as far as it can be told."""
    try:
        return inventory(stack, stack.export())
    except UserError:
        return {}


def used(stack: Stack, exported: Mapping[str, Any]) -> tuple[Image, ...]:
    """The images behind all containers of a state, and what was built or pulled for it.

    Raises UserError where the engine cannot be asked.
    """
    from docker.errors import ImageNotFound, NotFound

    if stack.engine is None:
        raise UserError(f"stack {stack.name} has no Docker engine to ask", fix="./berth doctor")
    names: dict[str, str] = {}
    with closing(stack.engine.client()) as client:
        for container in recorded.containers(exported):
            try:
                about = client.containers.get(container.id).attrs
            except NotFound:
                continue  # `status` tells
            names[str(about["Config"]["Image"])] = str(about["Image"])
        for name in (*images.built(exported), *(image.name for image in images.pulled(exported))):
            names.setdefault(name, "")
        found = []
        for name, id in sorted(names.items()):
            try:
                about = client.images.get(id or name).attrs
            except ImageNotFound:
                continue
            digests = tuple(sorted(about.get("RepoDigests") or ()))
            found.append(Image(name=name, id=str(about["Id"]), digests=digests))
    return tuple(found)


def moved(client: DockerClient, wanted: Iterable[Image]) -> list[str]:
    """Which of a release's images have a name that means another image now, in words."""
    from docker.errors import ImageNotFound

    found = []
    for image in wanted:
        try:
            now = str(client.images.get(image.name).id)
        except ImageNotFound:
            continue
        if now != image.id:
            found.append(f"{image.name} is another image now ({_short(now)}, was {_short(image.id)})")
    return found


def absent(client: DockerClient, names: Iterable[str]) -> list[str]:
    """Which of these the engine does not have."""
    from docker.errors import ImageNotFound

    found = []
    for name in names:
        try:
            client.images.get(name)
        except ImageNotFound:
            found.append(name)
    return found


def _short(id: str) -> str:
    return id.removeprefix("sha256:")[:12]
