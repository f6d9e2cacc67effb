"""The HTTP interface."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from flask import Flask, Response, g, jsonify, make_response, render_template, request, send_file
from prometheus_client import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import ClientDisconnected, HTTPException

from . import assets, database, metrics, tables, uploads
from .exports import TYPES
from .health import Check, problems
from .ledger import KeyTakenError, Task
from .logs import log
from .settings import Settings

NAME = re.compile(r"[^\x00-\x1f\x7f/\\\"<>|:*?]{1,100}")


class Tasks(Protocol):
    """What the web application needs of the ledger."""

    def submit(
        self, kind: str, request: dict[str, Any], key: str | None = None, id: uuid.UUID | None = None
    ) -> Task: ...
    def get(self, id: uuid.UUID) -> Task | None: ...
    def latest(self, limit: int) -> list[Task]: ...
    def counts(self) -> dict[tuple[str, str], int]: ...


@dataclass
class Parts:
    """Everything that one process holds."""

    settings: Settings
    tasks: Tasks
    announce: Callable[[uuid.UUID], None]
    checks: tuple[Check, ...]
    draining: Callable[[], bool] = field(default=lambda: False)


class RefusedError(Exception):
    """A request that is answered with this status and reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def shown(task: Task) -> dict[str, Any]:
    """A task as clients see it."""
    body = {
        "id": str(task.id),
        "kind": task.kind,
        "state": task.state,
        "attempts": task.attempts,
        "created": task.created.isoformat(),
        "started": task.started and task.started.isoformat(),
        "finished": task.finished and task.finished.isoformat(),
        "result": task.result,
        "error": task.error,
    }
    if task.kind == "export" and task.file is not None:
        body["file"] = f"/api/exports/{task.id}/file"
    return body


def wish(data: bytes) -> dict[str, Any]:
    """The checked body of an export request. Raises RefusedError."""

    def refuse(text: str) -> Any:
        raise ValueError(f"{text} is no JSON")

    try:
        body = json.loads(data, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"the body must be JSON: {error}") from error
    if not isinstance(body, dict):
        raise RefusedError(422, "the body must be an object")
    if unknown := sorted(set(body) - {"format", "name", "rows", "upload"}):
        raise RefusedError(422, f"unknown: {', '.join(unknown)}; allowed: format, name, rows, upload")
    if body.setdefault("format", "csv") not in TYPES:
        raise RefusedError(422, f"format must be one of {', '.join(TYPES)}")
    name = body.setdefault("name", "export")
    if not isinstance(name, str) or not NAME.fullmatch(name) or name.startswith("."):
        raise RefusedError(422, "name must be 1 to 100 characters that file systems allow")
    if ("rows" in body) == ("upload" in body):
        raise RefusedError(422, "give rows or upload, one of them")
    if "rows" in body:
        if problem := tables.problem(body["rows"]):
            raise RefusedError(422, problem)
    else:
        try:
            body["upload"] = str(uuid.UUID(body["upload"]))
        except (ValueError, TypeError, AttributeError) as error:
            raise RefusedError(422, "upload must be the id that an upload was answered with") from error
    return body


def build(parts: Parts) -> Flask:
    """The application."""
    app = Flask(__name__, static_folder=None, template_folder="pages")
    app.json.sort_keys = False  # type: ignore[attr-defined]
    settings = parts.settings

    def accept(task: Task) -> Response:
        parts.announce(task.id)
        metrics.ACCEPTED.labels(task.kind).inc()
        where = f"/api/tasks/{task.id}"
        response = jsonify({"id": str(task.id), "state": task.state, "location": where})
        response.status_code = 202
        response.headers["Location"] = where
        return response

    def idempotency() -> str | None:
        key = request.headers.get("Idempotency-Key")
        if key is not None and not (0 < len(key) <= 200 and key.isprintable()):
            raise RefusedError(422, "Idempotency-Key must be 1 to 200 printable characters")
        return None if key is None else f"{request.path} {key}"

    def known(id: uuid.UUID, kind: str | None = None) -> Task:
        task = parts.tasks.get(id)
        if task is None or (kind is not None and task.kind != kind):
            raise RefusedError(404, f"no such {kind or 'task'}")
        return task

    @app.post("/api/exports")
    def export() -> Response:
        request.max_content_length = settings.max_request
        body = wish(request.get_data(cache=False))
        if "upload" in body:
            known(uuid.UUID(body["upload"]), "analysis")
        try:
            return accept(parts.tasks.submit("export", body, idempotency()))
        except KeyTakenError as error:
            raise RefusedError(409, str(error)) from error

    @app.post("/api/uploads")
    def upload() -> Response:
        name = request.args.get("name", "upload.csv")
        if not NAME.fullmatch(name):
            raise RefusedError(422, "name must be 1 to 100 characters that file systems allow")
        if request.mimetype == "multipart/form-data":
            raise RefusedError(415, "send the file itself as the body, and its name as ?name=")
        if (request.content_length or 0) > settings.max_upload:
            raise RefusedError(413, f"more than {settings.max_upload} bytes")
        request.max_content_length = None
        try:
            kept = uploads.keep(
                request.stream,
                settings.folder("uploads"),
                length=request.content_length,
                limit=settings.max_upload,
            )
        except uploads.TooLargeError as error:
            raise RefusedError(413, str(error)) from error
        except (uploads.CutError, ClientDisconnected) as error:
            raise RefusedError(400, f"the body ended early: {error}") from error
        except OSError as error:
            log("upload-trouble", severity="error", error=str(error))
            raise RefusedError(507, f"the upload cannot be kept: {error.strerror}") from error
        metrics.UPLOADED.inc(kept.size)
        about = {"name": name, "bytes": kept.size, "sha256": kept.sha256}
        return accept(parts.tasks.submit("analysis", about, id=kept.id))

    @app.get("/api/tasks/<uuid:id>")
    def task(id: uuid.UUID) -> Response:
        response = jsonify(shown(known(id)))
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/api/tasks")
    def list_tasks() -> Response:
        limit = request.args.get("limit", 50, type=int)
        if not 1 <= limit <= 500:
            raise RefusedError(422, "limit must be from 1 to 500")
        response = jsonify({"tasks": [shown(task) for task in parts.tasks.latest(limit)]})
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/api/exports/<uuid:id>/file")
    def file(id: uuid.UUID) -> Response:
        task = known(id, "export")
        if task.state != "done":
            reason = task.error if task.state == "failed" else "not yet"
            raise RefusedError(409, f"the export is {task.state}: {reason}")
        path = settings.data / task.file if task.file else None
        if path is None or not path.is_file():
            raise RefusedError(410, "the file is no longer kept")
        kind = task.result["format"]
        name = task.result.get("name", "export")
        response = send_file(
            path, mimetype=TYPES[kind], as_attachment=True, download_name=f"{name}.{kind}", conditional=True
        )
        response.headers["Cache-Control"] = "private, no-cache"
        return response

    @app.get("/")
    def page() -> Response:
        part = "tasks.html" if request.args.get("part") == "tasks" else "page.html"
        response = make_response(render_template(part, tasks=parts.tasks.latest(50), assets=assets.names()))
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/static/<name>")
    def static(name: str) -> Response:
        path = assets.find(name)
        if path is None:
            raise RefusedError(404, "no such file")
        response = send_file(path, mimetype=assets.TYPES[path.suffix], max_age=31536000)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    @app.get("/health")
    def health() -> Response:
        found = problems(parts.checks)
        if parts.draining():
            found["process"] = "draining"
        status = "draining" if "process" in found else "unavailable" if found else "ok"
        response = jsonify({"status": status, **({"problems": found} if found else {})})
        response.status_code = 503 if found else 200
        response.headers["Cache-Control"] = "no-store"
        return response

    @app.get("/metrics")
    def prometheus() -> Response:
        return Response(metrics.page(parts.tasks.counts), content_type=CONTENT_TYPE_LATEST)

    @app.before_request
    def begin() -> None:
        g.began = time.monotonic()

    @app.after_request
    def count(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        metrics.REQUESTS.labels(request.method, route, response.status_code).inc()
        metrics.SECONDS.labels(route).observe(time.monotonic() - g.began)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    @app.errorhandler(RefusedError)
    def refused(error: RefusedError) -> tuple[Response, int]:
        return jsonify({"error": str(error)}), error.status

    @app.errorhandler(HTTPException)
    def plain(error: HTTPException) -> tuple[Response, int]:
        return jsonify({"error": error.description or error.name}), error.code or 500

    @app.errorhandler(SQLAlchemyError)
    def away(error: SQLAlchemyError) -> tuple[Response, int]:
        log("database-trouble", severity="error", path=request.path, error=database.reason(error))
        response = jsonify({"error": "the database cannot be reached"})
        response.headers["Retry-After"] = "2"
        return response, 503

    @app.errorhandler(Exception)
    def broken(error: Exception) -> tuple[Response, int]:
        log("request-trouble", severity="error", path=request.path, error=f"{type(error).__name__}: {error}")
        return jsonify({"error": "internal error"}), 500

    return app
