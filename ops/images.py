"""The images that a stack runs: newer ones pulled, and those of its earlier deployments removed.

Which images a stack once had, no state remembers; so each deployment writes them into a file of this machine.
What that file does not name is never removed.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops import places, recorded
from ops.errors import UserError
from ops.progress import say, step

if TYPE_CHECKING:
    from pathlib import Path

    from docker import DockerClient

    from ops.stack import Stack

PULLED = "docker:index/remoteImage:RemoteImage"
BUILT = "docker:index/image:Image"
KEPT = 2  # of each name: the present one, and one to go back to
_OURS = re.compile(r"berth/[a-z0-9._-]+:[0-9a-f]{12}")


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """An image of a registry in a stack's state; id: the engine's, as the containers have it."""

    urn: str
    name: str
    platform: str
    id: str

    @property
    def pinned(self) -> bool:
        """Whether its name can only ever mean this image."""
        return "@" in self.name


def pulled(exported: Mapping[str, Any]) -> Iterator[Pulled]:
    """The images from registries in a state."""
    for resource in recorded.resources(exported):
        inputs = resource.get("inputs") or {}
        if resource.get("type") == PULLED and not inputs.get("build"):
            yield Pulled(
                urn=resource["urn"],
                name=str(inputs["name"]),
                platform=str(inputs.get("platform") or ""),
                id=str((resource.get("outputs") or {}).get("imageId") or ""),
            )


def built(exported: Mapping[str, Any]) -> list[str]:
    """The tags of the images of ours in a state, whose keys tell their content."""
    names = (
        str((resource.get("outputs") or {}).get("imageName") or "")
        for resource in recorded.resources(exported)
        if resource.get("type") == BUILT
    )
    return sorted({name for name in names if _OURS.fullmatch(name)})


def pull(stack: Stack, exported: Mapping[str, Any]) -> list[str]:
    """Pulls what a registry may have newer; the URNs of the images that are others now.

    A name with a digest is never asked for. Raises UserError when a registry does not give an image.
    """
    from offline.docker import image_host
    from offline.provider.resource import Context, ResourceError

    wanted = [image for image in pulled(exported) if not image.pinned]
    if not wanted:
        say("no image of this stack comes from a registry under a tag that may have moved")
        return []
    if stack.engine is None:
        raise UserError(f"stack {stack.name} has no Docker engine to ask", fix="./berth doctor")
    connection = stack.engine.connection(registryAuth=logins(stack))
    newer, ids = [], dict[tuple[str, str], str]()
    try:
        for image in wanted:
            key = image.name, image.platform
            if key not in ids:
                context = Context(
                    engine=connection, urn=image.urn, log=say, warn=say, cancelled=threading.Event()
                )
                with step(f"Asking for a newer {image.name}"):
                    image_host.pull(context, *key)
                    ids[key] = (image_host.inspect(context, image.name) or {}).get("Id", "")
                same = ids[key] == image.id
                say(f"{image.name}: {'there is none' if same else f'pulled {_short(ids[key])}'}")
            if ids[key] != image.id:
                newer.append(image.urn)
    except ResourceError as error:
        raise UserError(error.cause, fix=error.fix or "see `docker pull` for the same image") from None
    finally:
        connection.close()
    return newer


def logins(stack: Stack) -> list[dict[str, str]]:
    """The stack's login for its registry, as the provider takes it. The password is read, never passed on."""
    images = stack.file.config.get("images")
    login = images.get("login") if isinstance(images, dict) else None
    if not isinstance(login, dict):
        return []
    path = "berth:secrets.registry_password"
    password = stack.pulumi.capture("config", "get", "--path", path, "--stack", stack.name)
    return [{**login, "password": password.rstrip("\n")}]


def _short(id: str) -> str:
    return id.removeprefix("sha256:")[:12]


def remember(stack: Stack, exported: Mapping[str, Any]) -> None:
    """Writes down the images of ours that the stack has now, as its newest."""
    now = built(exported)
    before = remembered(stack)
    # Without a change, their order stays what it was.
    if not set(now) <= set(_newest(before, 1)):
        _write(stack, [*(name for name in before if name not in now), *now])


def remembered(stack: Stack) -> list[str]:
    """The images of ours that the stack has had, oldest first."""
    try:
        found = json.loads(_file(stack).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [name for name in found if isinstance(name, str) and _OURS.fullmatch(name)]


def _write(stack: Stack, names: Sequence[str]) -> None:
    file = _file(stack)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    part.write_text(json.dumps(list(names), indent=1), encoding="utf-8")
    part.replace(file)


def _file(stack: Stack) -> Path:
    return places.data() / "images" / f"stack{stack.key}.json"


def _newest(names: Sequence[str], count: int) -> list[str]:
    """The last of each name before the colon."""
    kept: dict[str, list[str]] = {}
    for name in names:
        kept.setdefault(name.partition(":")[0], []).append(name)
    return [name for group in kept.values() for name in group[-count:]]


def obsolete(
    names: Sequence[str], current: Collection[str], ids: Mapping[str, str], used: Collection[str]
) -> list[str]:
    """Which of the remembered images nobody needs.

    ids: tag to image, of those that are still there. used: the images of all containers on the engine.
    """
    spared = {*_newest(names, KEPT), *current}
    return [name for name in names if name not in spared and name in ids and ids[name] not in used]


def prune(stack: Stack, exported: Mapping[str, Any]) -> list[str]:
    """Removes the images of earlier deployments that nobody needs; their names."""
    if stack.engine is None:
        return []
    from ops import deployments

    names = remembered(stack)
    with closing(stack.engine.client()) as client:
        there = {tag: str(image["Id"]) for image in client.api.images() for tag in image["RepoTags"] or []}
        used = {str(container["ImageID"]) for container in client.api.containers(all=True)}
        try:
            used |= deployments.of(stack).image_ids()  # a rollback needs them
        except UserError as error:
            say(
                "images of earlier deployments stay: which of them a rollback needs cannot be told: "
                f"{error.cause}"
            )
            return []
        gone = [name for name in obsolete(names, built(exported), there, used) if _remove(client, name)]
    _write(stack, [name for name in names if name in there and name not in gone])
    return gone


def _remove(client: DockerClient, name: str) -> bool:
    from docker.errors import APIError, ImageNotFound

    try:
        client.api.remove_image(name)
    except ImageNotFound:
        return True
    except APIError as error:
        say(f"image {name} stays: {error.explanation}")
        return False
    say(f"removed image {name}, of an earlier deployment")
    return True
