"""Waiting for a container: until it is healthy, or until it has ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from docker.errors import NotFound

from offline.docker.container_failure import health_output, last_logs, redact
from offline.provider.resource import Context, ResourceError

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.25
_LOG_SECONDS = 10
_REFUSED = 78  # EX_CONFIG: what starts says that no further attempt will be better


class _DisappearedError(ResourceError):
    pass


def until_healthy(ctx: Context, container: str, inputs: Mapping[str, Any]) -> None:
    """Return when the health check passes. Raises ResourceError as soon as it cannot any more."""
    timeout = int(inputs.get("waitTimeout", 60))
    name = inputs["name"]
    started = time.monotonic()

    def failure(what: str, inspect: Mapping[str, Any], *, fix: str | None = None) -> ResourceError:
        logs = last_logs(ctx.engine.api, container)
        text = f"container '{name}' {what}\n{health_output(inspect)}\n{logs}"
        return ResourceError(redact(text, inputs), fix=fix)

    def healthy(inspect: Mapping[str, Any]) -> bool:
        now = inspect["State"]
        health = now.get("Health")
        if health is None:
            raise ResourceError(
                f"container '{name}' has wait=true but no health check",
                fix="give it a healthcheck, use an image that has one, or leave out wait",
            )
        if health["Status"] == "healthy":
            return True
        refused = now["Status"] == "restarting" and now["ExitCode"] == _REFUSED
        if now["Status"] in ("exited", "dead") or refused:
            raise failure(f"ended with exit code {now['ExitCode']} before it was healthy", inspect)
        if health["Status"] == "unhealthy":
            raise failure("became unhealthy", inspect)
        if time.monotonic() - started > timeout:
            raise failure(
                f"was not healthy within {timeout} s",
                inspect,
                fix="look at its log above, or raise waitTimeout",
            )
        return False

    _poll(ctx, container, name, healthy)


def until_ended(ctx: Context, container: str, inputs: Mapping[str, Any]) -> str | None:
    """Return when the container has ended, whatever its exit code; its log, where `logs` asks for it."""
    collected: list[bytes] = []

    def follow() -> None:
        collected.extend(ctx.engine.api.logs(container, stream=True, follow=True))

    reader = threading.Thread(target=follow, daemon=True)
    if inputs.get("logs"):
        reader.start()  # at once: a container with rm takes its log along when it ends
    with suppress(_DisappearedError):
        _poll(
            ctx, container, inputs["name"], lambda inspect: inspect["State"]["Status"] in ("exited", "dead")
        )
    if not inputs.get("logs"):
        return None
    reader.join(_LOG_SECONDS)
    return b"".join(collected).decode(errors="replace")


def until_running(ctx: Context, container: str, inputs: Mapping[str, Any]) -> None:
    """Give a container that starts again and again a while to run; say so if it does not."""
    limit = int(inputs.get("containerReadRefreshTimeoutMilliseconds") or 15000) / 1000
    started = time.monotonic()

    def settled(inspect: Mapping[str, Any]) -> bool:
        return inspect["State"]["Status"] != "restarting" or time.monotonic() - started > limit

    now = _poll(ctx, container, inputs["name"], settled)["State"]
    if now["Status"] in ("exited", "dead", "restarting"):
        logs = redact(last_logs(ctx.engine.api, container), inputs)
        ctx.warn(f"container '{inputs['name']}' is {now['Status']} (exit code {now['ExitCode']})\n{logs}")


def _poll(
    ctx: Context, container: str, name: str, done: Callable[[Mapping[str, Any]], bool]
) -> Mapping[str, Any]:
    """The first inspection that is `done`, looking less and less often; deadline and cancellation end it."""
    pause = _FIRST_PAUSE
    deadline = time.monotonic() + ctx.timeout if ctx.timeout else None
    while True:
        try:
            inspect: Mapping[str, Any] = ctx.engine.api.inspect_container(container)
        except NotFound:
            raise _DisappearedError(f"container '{name}' disappeared while it was waited for") from None
        if done(inspect):
            return inspect
        if deadline and time.monotonic() > deadline:
            raise ResourceError(
                f"container '{name}' took longer than the {ctx.timeout:.0f} s that are allowed"
            )
        if ctx.cancelled.wait(pause):
            raise ResourceError(f"cancelled while waiting for container '{name}'")
        pause = min(pause * 1.5, _LONGEST_PAUSE)
