"""`python -m processor`: configuration, the secret, the server, and an orderly end."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from types import FrameType

import uvicorn

from .api import Processor, build
from .logs import log, take_over
from .settings import SettingsError, load, secret


class Server(uvicorn.Server):
    """On the first SIGTERM stays open for a moment, so that clients can leave without losing a request."""

    def __init__(self, config: uvicorn.Config, processor: Processor) -> None:
        super().__init__(config)
        self._processor = processor
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, *args: object, **kwargs: object) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(*args, **kwargs)  # type: ignore[arg-type]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self._loop is None or self._processor.stopping:
            self.should_exit = True
            return
        self._loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        settings = self._processor.settings
        log("stopping", drain=settings.drain, grace=settings.stop_grace)
        self._processor.stop_taking()
        asyncio.get_running_loop().call_later(settings.drain, self._close)

    def _close(self) -> None:
        self.should_exit = True


def main() -> int:
    """Exit status 1 when configuration or secret cannot be used."""
    take_over()
    try:
        settings = load(Path(os.environ.get("PROCESSOR_CONFIG", "/app/config/app.yaml")))
        secret("ALIYUN_ACCESS_KEY")
        processor = Processor(settings)
    except (SettingsError, OSError) as error:
        log("refused-to-start", severity="error", error=str(error))
        return 1
    config = uvicorn.Config(
        build(processor),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        backlog=1024,
        timeout_graceful_shutdown=max(1, round(settings.stop_grace)),
    )
    log("started", port=settings.port, workers=settings.workers, filesystem=settings.filesystem.base_url)
    Server(config, processor).run()
    log("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
