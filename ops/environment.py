"""The environment in which a plain `pulumi` does what ./berth does. `./berth env` prints it for a shell."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ops import backend, engine, passphrase, toolchain
from ops.places import ROOT
from ops.project import StackFile

if TYPE_CHECKING:
    from offline.toolchain import Toolchain


def variables(
    stack: StackFile, *, program: Toolchain, host: str | None, create: bool = True, secrets: bool = True
) -> dict[str, str]:
    """What differs from the present environment.

    program: the Pulumi in use. host: the Docker engine's address, unless the stack names it itself.
    create: make the passphrase and the state folder when they are missing. secrets: include the passphrase.
    """
    found = {
        "PULUMI_STACK": stack.name,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # Unset, gRPC tells each program's output how its connections end.
        "GRPC_VERBOSITY": os.environ.get("GRPC_VERBOSITY", "ERROR"),
        # Any flag has such a variable: policies run in every preview and up, also one typed by hand.
        "PULUMI_OPTION_POLICY_PACK": str(ROOT / "policies"),
        **toolchain.variables(program),
        **backend.variables(create=create),
        **(passphrase.variables(stack, create=create) if secrets else {}),
    }
    if host and host != engine.DEFAULT_HOST:
        found["DOCKER_HOST"] = host
    return found


def exports(found: Mapping[str, str]) -> str:
    """The lines for eval; only what the shell does not have yet."""
    return "".join(
        f"export {name}={shlex.quote(value)}\n"
        for name, value in sorted(found.items())
        if os.environ.get(name) != value
    )
