"""The image that the emulated cloud's machines boot, made on this machine's Docker engine."""

from __future__ import annotations

import os
from contextlib import closing
from typing import Final

from ops import base_image, engine, places
from ops.cloud import Machines
from ops.errors import UserError
from ops.hold import hold
from ops.places import ROOT
from ops.progress import say, step
from ops.project import StackFile
from stacks.content import base_image as base_of
from stacks.content import image_tag

GUEST: Final = ROOT / "emulator" / "guest"
ROLE: Final = "cloud-machine"


def provide() -> Machines:
    """The image, which is there afterwards: built where it is not.

    Raises UserError: the engine is elsewhere, so that nothing of the cloud could be reached from here; none
    answers; the image cannot be built.
    """
    from docker.errors import APIError, BuildError, ImageNotFound

    found = engine.ensure()
    if not found.host.startswith("unix://"):
        raise UserError(
            f"the cloud's machines run on an engine of this machine; {found.origin} says {found.host}",
            fix="unset DOCKER_HOST or choose the default docker context, or start with --no-machines",
        )
    base = base_of(ROOT / "workloads")
    args = {"BASE": base} | ({"APT_MIRROR": mirror} if (mirror := os.environ.get("APT_MIRROR")) else {})
    tag = image_tag(ROLE, GUEST, {"BASE": base})
    with closing(found.client()) as client:
        lock = places.data() / "locks" / "cloud-image.lock"
        with hold(lock, doing="building the image of the cloud's machines", wait=True):
            try:
                client.images.get(tag)
            except ImageNotFound:
                base_image.provide(found, StackFile("dev"), base)
                try:
                    with step(f"Building {tag}, which the cloud's machines boot (about two minutes)"):
                        client.images.build(path=str(GUEST), tag=tag, buildargs=args, rm=True, forcerm=True)
                except (BuildError, APIError) as error:
                    for line in getattr(error, "build_log", []):
                        if text := str(line.get("stream", "")).strip():
                            say(f"  {text}")
                    raise UserError(
                        f"the image of the cloud's machines could not be built: {error}",
                        fix="make the Debian mirror reachable, or set APT_MIRROR to one that is",
                    ) from None
    return Machines(tag, found.host)
