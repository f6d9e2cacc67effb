"""From settings to resources: the host, then each chosen system on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pulumi

from components.host import Host
from components.host_spec import EcsHost
from stacks.gateway import Gateway
from stacks.settings import REGISTRY_PASSWORD, Settings

# By the names of stacks.settings.SYSTEMS. Each takes its settings and what all systems of a stack share.
SYSTEMS: Final[Mapping[str, Callable[..., Any]]] = {"gateway": Gateway}


def build(settings: Settings, *, project: Path) -> dict[str, object]:
    """Register everything; what the stack exports, in the shape of stacks.outputs.StackOutputs.

    Raises pulumi.RunError for a host that this version cannot make.
    """
    stack = settings.stack
    if isinstance(stack.host, EcsHost):
        raise pulumi.RunError(
            "berth:host.kind: 'ecs' comes with the cloud work and cannot be made yet\n"
            "  fix: use kind local, or kind ssh with the address of a machine that runs Docker"
        )
    secrets = {name: pulumi.Output.secret(value) for name, value in settings.secrets.items()}
    host = Host(
        "host",
        stack.host,
        registry=stack.images.login,
        registry_password=secrets.get(REGISTRY_PASSWORD.name),
    )
    systems = {
        name: SYSTEMS[name](
            name, chosen, images=stack.images, secrets=secrets, host=host, project=project
        ).outputs
        for name, chosen in stack.chosen().items()
    }
    return {"systems": systems}
