"""Stands in for a policy pack until the stack's configuration is known.

The engine tells an analyzer its stack by a call, after the start; the policy library reads it from its
environment, at the start. So the engine talks to this proxy: it keeps the first call, and passes on all
others, as they are, to the pack that is started in between.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from offline.language.limits import CHANNEL_OPTIONS
from offline.language.options import LanguageError
from offline.stubs import analyzer_pb2

_PREFIX = "/pulumirpc.Analyzer/"
_TELLING = 5.0  # seconds; an engine that asks for nothing more does not want to know


class PolicyProxy(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Serves on `port` from the start; calls wait until `attach`, and fail with the reason of `fail`."""

    def __init__(self) -> None:
        self._configuration: analyzer_pb2.AnalyzerStackConfigureRequest | None = None
        self._configured = threading.Event()
        self._attached = threading.Event()
        self._channel: grpc.Channel | None = None
        self._failure = ""
        self._told = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(max_workers=64), options=CHANNEL_OPTIONS)
        self._server.add_generic_rpc_handlers((self,))
        self.port: int = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Chooses the handler of one call; gRPC's own hook."""
        if not details.method.startswith(_PREFIX):
            return None
        name = details.method.removeprefix(_PREFIX)
        if name == "Handshake":
            return grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")
        if name == "ConfigureStack":
            return grpc.unary_unary_rpc_method_handler(self._configure)

        def forward(request: bytes, context: grpc.ServicerContext) -> bytes:
            return self._forward(details.method, request, context)

        return grpc.unary_unary_rpc_method_handler(forward)

    def configuration(
        self, still_wanted: threading.Event
    ) -> analyzer_pb2.AnalyzerStackConfigureRequest | None:
        """Blocks until the engine has told the stack, or asks for something else first; then None."""
        while not self._configured.wait(0.5) and still_wanted.is_set():
            pass
        return self._configuration

    def attach(self, port: int) -> None:
        """Passes the kept call and everything from now on to the pack that listens on `port`."""
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS)
        if self._configuration is not None:
            try:
                _call(channel, f"{_PREFIX}ConfigureStack", self._configuration.SerializeToString())
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNIMPLEMENTED:  # packs made with an older library
                    raise LanguageError(f"the policy pack refused its stack: {error.details()}") from error
        self._channel = channel
        self._attached.set()

    def fail(self, reason: str) -> None:
        """Ends the wait of every call with `reason`; the first reason counts."""
        self._failure = self._failure or reason
        self._attached.set()

    def tell(self, reason: str) -> None:
        """Fails, and stays until a call of the engine has got the reason: it may still be on its way."""
        self.fail(reason)
        self._told.wait(_TELLING)

    def close(self) -> None:
        """Stops serving, once the calls that still wait have got their answer."""
        self._server.stop(grace=5).wait()
        if self._channel is not None:
            self._channel.close()

    def _configure(self, request: bytes, _context: grpc.ServicerContext) -> bytes:
        self._configuration = analyzer_pb2.AnalyzerStackConfigureRequest.FromString(request)
        self._configured.set()
        return analyzer_pb2.AnalyzerStackConfigureResponse().SerializeToString()

    def _forward(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        self._configured.set()
        self._attached.wait()
        if self._channel is None:
            self._told.set()
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, self._failure)
        try:
            return _call(self._channel, method, request)
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())
            raise


def _call(channel: Any, method: str, request: bytes) -> bytes:
    answer: bytes = channel.unary_unary(method)(request)
    return answer
