"""Failures on their way to the user: what an exception says, and the gRPC status that carries it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

import grpc

from offline.docker import values
from offline.docker.engine import root_cause
from offline.docker.resource import PartialCreate, ResourceError
from offline.stubs import provider_pb2, status_pb2

_DETAILS: Final = "grpc-status-details-bin"


def fail(
    context: Any,
    error: Exception,
    redact: Callable[[str], str],
    inputs: Mapping[str, Any] | None = None,
    explained: Callable[[BaseException], str] | None = None,
) -> NoReturn:
    """End a call. An object that exists although its creation failed goes to the engine with the failure.

    inputs: what the object was made from, with its secrets marked, so that they stay secret in its state.
    explained: words for the errors of what the plugin speaks to, where that is no Docker engine.
    """
    text = redact((explained or explain)(error))
    if isinstance(error, PartialCreate):
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=text)
        status.details.add().Pack(
            provider_pb2.ErrorResourceInitFailed(
                id=error.id,
                properties=values.encode(values.mark(error.state, inputs or {})),
                reasons=[text],
                inputs=values.encode(inputs or {}),
            )
        )
        context.set_trailing_metadata(((_DETAILS, status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, text)
    raise AssertionError("abort does not return")


def explain(error: BaseException) -> str:
    """One line of cause, and the next step where there is one; a defect of the plugin shows where it
    happened.
    """
    if isinstance(error, ResourceError | values.AssetRefused):
        return str(error)
    if _is_from(error, "docker.errors", "APIError"):
        return str(getattr(error, "explanation", None) or error)
    if _is_from(error, "docker.errors", "DockerException"):
        return str(error)
    if isinstance(error, OSError) or type(error).__module__.startswith(("requests", "urllib3")):
        return str(
            ResourceError(
                f"the Docker engine stopped answering: {root_cause(error)}",
                fix="see whether it still runs, then repeat the command: it goes on where it stopped",
            )
        )
    where = "".join(traceback.format_exception(error))
    return f"{type(error).__name__}: {error}; this is a defect of the docker plugin\n{where}"


def _is_from(error: BaseException, module: str, name: str) -> bool:
    """isinstance without the import: an error of the docker SDK exists only where the SDK was imported."""
    return any(cls.__module__ == module and cls.__name__ == name for cls in type(error).__mro__)
