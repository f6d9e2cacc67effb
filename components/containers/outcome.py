"""Whether a container that ran to its end did what it was for."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker


def succeeded(what: str, container: docker.Container) -> pulumi.Output[int]:
    """Its exit status, once that is 0. Fails the update otherwise, with its last lines.

    what: as the message calls it.
    """
    ended = pulumi.Output.all(container.exit_code, container.container_logs, container.urn)
    return ended.apply(lambda outcome: _status(what, *outcome))


def _status(what: str, exit_code: int | None, logs: str | None, urn: str) -> int:
    if exit_code:
        tail = "\n".join((logs or "").splitlines()[-20:])
        raise pulumi.RunError(
            f"{what} ended with status {exit_code}\n{tail}\n  fix: correct the cause and run `up` again; "
            f"if nothing else changes, `pulumi up --replace '{urn}'`"
        )
    return exit_code or 0
