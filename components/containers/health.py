"""How a container is known to be healthy."""

from __future__ import annotations

from typing import Annotated, Literal

import pulumi_docker as docker
from pydantic import Field

from components.spec import Spec
from components.units import Duration, Port


class HttpProbe(Spec):
    """Healthy while an HTTP request inside the container is answered with 2xx.

    The image carries a `probe URL` command (exit status 0 on 2xx), because slim images have no curl.
    """

    kind: Literal["http"] = "http"
    port: Port
    path: Annotated[str, Field(pattern=r"^/\S*$")] = "/health"

    def command(self) -> list[str]:
        return ["CMD", "probe", f"http://127.0.0.1:{self.port}{self.path}"]


class CommandProbe(Spec):
    """Healthy while a command inside the container exits with status 0."""

    kind: Literal["command"]
    argv: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]

    def command(self) -> list[str]:
        return ["CMD", *self.argv]


class HealthCheck(Spec):
    """A probe and its rhythm: unhealthy after `retries` failures in a row, counted after `start_period`."""

    probe: Annotated[HttpProbe | CommandProbe, Field(discriminator="kind")]
    interval: Duration = Duration("10s")
    timeout: Duration = Duration("10s")
    """Of one probe. A busy machine takes seconds to start it, and `up` replaces whoever is unhealthy."""
    retries: Annotated[int, Field(ge=1, le=100)] = 3
    start_period: Duration = Duration("30s")
    deadline: Duration = Duration("2m")
    """How long an update waits for it to become healthy; then it gives up and keeps the old container."""

    def args(self) -> docker.ContainerHealthcheckArgs:
        """The engine's health check."""
        return docker.ContainerHealthcheckArgs(
            tests=self.probe.command(),
            interval=self.interval.docker,
            timeout=self.timeout.docker,
            retries=self.retries,
            start_period=self.start_period.docker,
        )
