"""Messages to the Pulumi engine, which shows them beside the resource they are about."""

from __future__ import annotations

import threading
from typing import Any

import grpc

from offline.stubs import engine_pb2, engine_pb2_grpc


class Journal:
    """Where log messages go. Without an engine address they go nowhere."""

    def __init__(self, address: str | None = None) -> None:
        self._lock = threading.Lock()
        self._address = ""
        self._engine: Any = None
        if address:
            self.attach(address)

    def attach(self, address: str) -> None:
        """Send messages to this engine from now on."""
        with self._lock:
            if address and address != self._address:
                self._address = address
                self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))

    def status(self, urn: str, text: str) -> None:
        """A line that the next one replaces: what a resource is doing."""
        self._send(engine_pb2.INFO, urn, text, ephemeral=True)

    def warn(self, urn: str, text: str) -> None:
        """A warning that stays."""
        self._send(engine_pb2.WARNING, urn, text, ephemeral=False)

    def _send(self, severity: Any, urn: str, text: str, *, ephemeral: bool) -> None:
        if self._engine is None or not text:
            return
        message = engine_pb2.LogRequest(severity=severity, message=text, urn=urn, ephemeral=ephemeral)
        try:
            self._engine.Log(message, timeout=5)
        except grpc.RpcError:
            return  # the engine is shutting down; a lost line must not fail the operation that it tells of
