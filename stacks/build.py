"""From settings to resources: the host, then each chosen system on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi

from components.host import Host
from components.host_spec import EcsHost
from stacks.assembly import Assembly, Surroundings
from stacks.problems import SettingsError
from stacks.settings import REGISTRY_PASSWORD, Settings
from stacks.systems import SYSTEMS


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
    password = settings.secrets.get(REGISTRY_PASSWORD.name)
    host = Host(
        "host",
        stack.host,
        registry=stack.images.login,
        registry_password=pulumi.Output.secret(password) if password is not None else None,
    )
    around = Surroundings(images=stack.images, secrets=settings.secrets, host=host, project=project)
    return {"systems": {name: _system(name, chosen, around) for name, chosen in stack.chosen().items()}}


def _system(name: str, settings: object, around: Surroundings) -> Any:
    try:
        return SYSTEMS[name].load_compose()(Assembly(name, around), settings)
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None
