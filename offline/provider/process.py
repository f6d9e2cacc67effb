"""The plugin process: serve on loopback, tell the port on stdout, go when the engine goes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from concurrent import futures
from typing import Any, Final

import grpc

from offline.provider.server import Provider
from offline.stubs import provider_pb2_grpc

_WORKERS: Final = 128  # operations at a time; threads are made as they are needed
_LARGEST: Final = 400 * 1024 * 1024  # bytes of a message: what the engine itself allows
_PARENT_CHECK: Final = 2.0  # seconds
_GRACE: Final = 5.0  # seconds that running operations get to see the cancellation


def start(provider: Provider) -> tuple[Any, int]:
    """A gRPC server for the provider on a free loopback port, and that port."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=_WORKERS),
        options=[("grpc.max_receive_message_length", _LARGEST), ("grpc.max_send_message_length", _LARGEST)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main(kind: type[Provider]) -> None:
    """Serve until a signal, or until the process that started the plugin is gone."""
    provider = kind(next((arg for arg in sys.argv[1:] if not arg.startswith("-")), None))
    server, port = start(provider)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    # Before the port: had the engine gone in between, this would fail for want of a reader.
    parent = os.getppid()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while not stop.wait(_PARENT_CHECK) and os.getppid() == parent:
        pass
    provider.cancellation.cancel_all()
    server.stop(_GRACE).wait()
    if provider.engine is not None:
        with contextlib.suppress(OSError):
            provider.engine.close()
