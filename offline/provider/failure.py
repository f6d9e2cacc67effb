"""A failure on its way to the user: the gRPC status that carries it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

import grpc

from offline.provider import values
from offline.provider.resource import PartialCreate
from offline.stubs import provider_pb2, status_pb2

_DETAILS: Final = "grpc-status-details-bin"


def fail(context: Any, error: Exception, text: str, inputs: Mapping[str, Any] | None = None) -> NoReturn:
    """End a call. An object that exists although its creation failed goes to the engine with the failure.

    inputs: what the object was made from, with its secrets marked, so that they stay secret in its state.
    text: what to say of it, without secrets.
    """
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
