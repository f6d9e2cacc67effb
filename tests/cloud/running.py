"""A server that tests share: one listener for all, behind it the application of the test that runs."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send


class Clock:
    """The cloud's time. It stands still until a test lets it pass."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time

    def later(self, seconds: float) -> None:
        """The SDKs sign by the machine's clock: after 15 minutes their requests have expired."""
        self.time += timedelta(seconds=seconds)


class Listener:
    """uvicorn on a free port of loopback, in a thread; what it serves may be changed between requests."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            self._serve, log_level="warning", lifespan="off", interface="asgi3", timeout_keep_alive=60
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()
        until = time.monotonic() + 20
        while not self._server.started:
            if time.monotonic() > until or not self._thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.01)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.app is None:
            raise RuntimeError("no test is running")
        await self.app(scope, receive, send)

    def stop(self) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)
        self._socket.close()
