"""The HTTP interface."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Path, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import metrics, names
from .settings import App
from .store import OtherFileError, QueueFullError, State, Store
from .worker import Workers

VideoId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Work(BaseModel):
    """What to process. `file` is `{video_id}.wav` when neither it nor `url` is given."""

    model_config = ConfigDict(extra="forbid")

    video_id: VideoId
    file: str | None = None
    url: str | None = None
    force: bool = False


class Accepted(BaseModel):
    """The job is safely stored."""

    video_id: str
    status: State
    result_url: str


class Processor:
    """Everything that one process holds."""

    def __init__(self, settings: App) -> None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self.store = Store(
            settings.data_dir / "jobs.sqlite3",
            attempts=settings.attempts,
            lease=settings.lease,
            max_queue=settings.max_queue,
        )
        self.workers: Workers | None = None
        self.stopping = False

    def stop_taking(self) -> None:
        """The end is near: begin no job, and let clients go elsewhere."""
        self.stopping = True
        if self.workers is not None:
            self.workers.stop_taking()

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Works while the server runs."""
        self.workers = Workers(self.settings, self.store, self.settings.data_dir)
        self.workers.start()
        try:
            yield
        finally:
            await self.workers.stop(self.settings.stop_grace)
            self.store.close()


class Farewell:
    """While stopping, every answer ends its connection: a balancer takes it as the sign to prefer others."""

    def __init__(self, app: ASGIApp, processor: Processor) -> None:
        self._app, self._processor = app, processor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and self._processor.stopping:
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, sent)


def refuse(status: int, error: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Every refusal has this shape."""
    return JSONResponse({"error": error}, status_code=status, headers=headers)


def build(processor: Processor) -> FastAPI:
    """The application."""
    settings, store = processor.settings, processor.store
    app = FastAPI(
        title="douyin-processor",
        description="Accepts audio analysis jobs and keeps their results.",
        version="1.0.0",
        lifespan=processor.lifespan,
    )
    app.add_middleware(Farewell, processor=processor)

    def chosen(work: Work) -> str:
        if work.file is not None and work.url is not None:
            raise names.BadNameError("give file or url, not both")
        if work.url is not None:
            return names.from_url(settings.filesystem.base_url, work.url)
        return names.plain(work.file if work.file is not None else f"{work.video_id}.wav")

    @app.post("/api/process", status_code=202, response_model=Accepted)
    def process(work: Work) -> Response:
        """Accepts a job; the same one again changes nothing unless it failed or `force` is set."""
        try:
            state = store.submit(work.video_id, chosen(work), force=work.force)
        except names.BadNameError as error:
            return refuse(422, str(error))
        except OtherFileError as error:
            return refuse(409, f"{work.video_id} stands for {error}; give another id, or force")
        except QueueFullError:
            return refuse(503, "the queue is full", {"Retry-After": "30"})
        if processor.workers is not None:
            processor.workers.wake()
        url = settings.result_url.replace("{id}", work.video_id)
        return JSONResponse(
            {"video_id": work.video_id, "status": state, "result_url": url},
            status_code=202,
            headers={"Location": f"/api/videos/{work.video_id}/result"},
        )

    @app.get(
        "/api/videos/{video_id}/result",
        responses={202: {}, 404: {}, 422: {"description": "The job failed; `error` says why"}},
    )
    def result(video_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]) -> Response:
        """The result once there is one."""
        job = store.get(video_id)
        if job is None:
            return refuse(404, "no such video")
        body: dict[str, Any] = {"video_id": job.video_id, "status": job.state}
        if job.state is State.DONE:
            return JSONResponse(body | {"result": job.result})
        if job.error is not None:
            body["error"] = job.error
        if job.state is State.FAILED:
            return JSONResponse(body, status_code=422)
        return JSONResponse(body | {"attempts": job.attempts}, status_code=202, headers={"Retry-After": "1"})

    @app.get("/health")
    def health() -> dict[str, Any]:
        """Whether jobs can be accepted and read."""
        counts = store.counts()
        return {"status": "stopping" if processor.stopping else "ok", "jobs": counts}

    @app.get("/metrics", include_in_schema=False)
    def prometheus() -> Response:
        for state, count in store.counts().items():
            metrics.STORED.labels(state).set(count)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return app
