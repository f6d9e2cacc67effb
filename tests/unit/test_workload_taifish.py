"""taifish without a database: its HTTP interface over tasks in memory, and what health says."""

from __future__ import annotations

import io
import json
import re
import threading
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from taifish.announcing import Announcer
from taifish.health import Check
from taifish.ledger import KeyTakenError, Task, digest
from taifish.settings import FOLDERS, Settings
from taifish.web import Parts, build

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Memory:
    """Tasks in a dictionary."""

    def __init__(self) -> None:
        self.tasks: dict[uuid.UUID, Task] = {}
        self.keys: dict[str, tuple[uuid.UUID, str]] = {}
        self.requests: dict[uuid.UUID, dict[str, Any]] = {}

    def submit(
        self, kind: str, request: dict[str, Any], key: str | None = None, id: uuid.UUID | None = None
    ) -> Task:
        id = id or uuid.uuid4()
        known, wanted = self.keys.setdefault(key or str(id), (id, digest(kind, request)))
        if wanted != digest(kind, request):
            raise KeyTakenError("taken")
        self.requests.setdefault(known, request)
        new = Task(known, kind, "queued", 0, None, None, None, NOW, None, None)
        return self.tasks.setdefault(known, new)

    def get(self, id: uuid.UUID) -> Task | None:
        return self.tasks.get(id)

    def latest(self, limit: int) -> list[Task]:
        return list(self.tasks.values())[:limit]

    def counts(self) -> dict[tuple[str, str], int]:
        return {("export", "done"): 3}


def settings(data: Path, **changes: Any) -> Settings:
    nothing = Path("/nothing")
    return replace(Settings("", nothing, "", nothing, None, data, "UTC"), **changes)


class App:
    """The application and what stands behind it."""

    def __init__(self, data: Path, **changes: Any) -> None:
        for folder in FOLDERS:
            (data / folder).mkdir()
        self.data, self.tasks, self.announced = data, Memory(), list[uuid.UUID]()
        self.problem: str | None = None
        self.draining = False
        self.parts = Parts(
            settings=settings(data, **changes),
            tasks=self.tasks,
            announce=self.announced.append,
            checks=(Check("database", self._ask, deadline=2),),
            draining=lambda: self.draining,
        )
        self.client: FlaskClient = build(self.parts).test_client()

    def _ask(self) -> None:
        if self.problem:
            raise OSError(self.problem)


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(tmp_path, max_upload=1024, max_request=4096)


def test_an_export_is_stored_announced_and_located(app: App) -> None:
    answer = app.client.post("/api/exports", json={"rows": [{"b": 1, "a": 2}]})
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/api/tasks/{answer.json['id']}")
    (id,) = app.announced
    assert str(id) == answer.json["id"]
    assert app.tasks.requests[id] == {"rows": [{"b": 1, "a": 2}], "format": "csv", "name": "export"}
    assert list(app.tasks.requests[id]["rows"][0]) == ["b", "a"]  # the columns' order is the client's


@pytest.mark.parametrize(
    ("body", "status", "part"),
    [
        ("{", 400, "must be JSON"),
        ('{"rows": [{"a": NaN}]}', 400, "NaN is no JSON"),
        ("[]", 422, "must be an object"),
        ("{}", 422, "give rows or upload"),
        ('{"rows": []}', 422, "at least one object"),
        ('{"rows": [{"a": 1}], "upload": "x"}', 422, "one of them"),
        ('{"rows": [{"a": [1]}]}', 422, "rows[0].a must be"),
        ('{"rows": [{}]}', 422, "rows[0] must be an object with at least one field"),
        ('{"rows": [{"a": 1}], "format": "pdf"}', 422, "csv, xlsx"),
        ('{"rows": [{"a": 1}], "name": "../x"}', 422, "name must be"),
        ('{"rows": [{"a": 1}], "color": 1}', 422, "unknown: color"),
        ('{"upload": "../../etc/passwd"}', 422, "the id that an upload"),
        ('{"upload": "00000000-0000-0000-0000-000000000000"}', 404, "no such analysis"),
        ('{"rows": "' + "x" * 5000 + '"}', 413, ""),
    ],
)
def test_a_wrong_export_is_refused_with_the_reason(app: App, body: str, status: int, part: str) -> None:
    answer = app.client.post("/api/exports", data=body)
    assert (answer.status_code, part in answer.json["error"]) == (status, True), answer.json
    assert not app.announced


def test_an_idempotency_key_stands_for_one_request(app: App) -> None:
    def send(value: int, key: str) -> tuple[int, Any]:
        answer = app.client.post(
            "/api/exports", json={"rows": [{"a": value}]}, headers={"Idempotency-Key": key}
        )
        return answer.status_code, answer.json.get("id")

    first = send(1, "k")
    assert first[0] == 202
    assert send(1, "k") == first
    assert send(2, "k") == (409, None)
    assert send(1, "x" * 201)[0] == 422


def test_an_upload_lies_under_its_task_id(app: App) -> None:
    answer = app.client.post("/api/uploads?name=a.csv", data=b"a,b\n1,2\n")
    assert answer.status_code == 202
    (id,) = app.announced
    assert (app.data / "uploads" / str(id)).read_bytes() == b"a,b\n1,2\n"
    assert app.tasks.requests[id]["name"] == "a.csv"
    assert [path.name for path in (app.data / "uploads").iterdir()] == [str(id)]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({"query_string": {"name": "../a"}}, 422),
        ({"data": b"x" * 1025}, 413),
        (
            {"input_stream": io.BytesIO(b"x" * 2000), "environ_overrides": {"wsgi.input_terminated": True}},
            413,
        ),
        ({"data": b"x", "environ_overrides": {"CONTENT_LENGTH": "9"}}, 400),
        ({"data": {"file": (io.BytesIO(b"x"), "a.csv")}}, 415),
    ],
)
def test_a_refused_upload_leaves_nothing(app: App, arguments: dict[str, Any], status: int) -> None:
    answer = app.client.post("/api/uploads", **arguments)
    assert answer.status_code == status, answer.json
    assert list((app.data / "uploads").iterdir()) == []
    assert not app.announced


def test_a_full_disk_is_told(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("taifish.uploads.keep", full)
    answer = app.client.post("/api/uploads", data=b"a")
    assert (answer.status_code, answer.json["error"]) == (
        507,
        "the upload cannot be kept: No space left on device",
    )


def exported(app: App, **changes: Any) -> str:
    task = app.tasks.submit("export", {})
    result = {"rows": 1, "format": "csv", "name": "人"}
    app.tasks.tasks[task.id] = replace(task, state="done", result=result, **changes)
    return f"/api/exports/{task.id}/file"


def test_a_file_is_downloaded_under_its_name(app: App) -> None:
    (app.data / "exports" / "x.csv").write_text("a\r\n1\r\n")
    answer = app.client.get(exported(app, file="exports/x.csv"))
    assert (answer.status_code, answer.data) == (200, b"a\r\n1\r\n")
    assert "filename*=UTF-8''%E4%BA%BA.csv" in answer.headers["Content-Disposition"]


def test_a_file_that_is_not_there_yet_or_no_longer(app: App) -> None:
    waiting = app.tasks.submit("export", {})
    assert app.client.get(f"/api/exports/{waiting.id}/file").status_code == 409
    assert app.client.get(exported(app)).status_code == 410
    assert app.client.get(exported(app, file="exports/gone.csv")).status_code == 410
    analysis = app.tasks.submit("analysis", {})
    assert app.client.get(f"/api/exports/{analysis.id}/file").status_code == 404
    assert app.client.get("/api/exports/nothing/file").status_code == 404


def test_the_page_names_its_files_by_their_content(app: App) -> None:
    exported(app, file="exports/x.csv")
    page = app.client.get("/")
    assert "1 rows, csv" in page.text
    for name in re.findall(r'"(/static/[^"]+)"', page.text):
        answer = app.client.get(name)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (
            200,
            "public, max-age=31536000, immutable",
        )
        kind = {"css": "text/css", "js": "text/javascript"}.get(name.rpartition(".")[2])
        assert answer.headers["Content-Type"] == (
            f"{kind}; charset=utf-8" if kind else "image/svg+xml; charset=utf-8"
        )
        assert app.client.get(re.sub(r"\.[0-9a-f]{12}\.", ".000000000000.", name)).status_code == 404
    assert app.client.get("/static/../web.py").status_code == 404


def test_names_cannot_become_markup(app: App) -> None:
    task = app.tasks.submit("export", {})
    app.tasks.tasks[task.id] = replace(task, state="failed", error="<script>alert(1)</script>")
    assert "<script>alert" not in app.client.get("/?part=tasks").text


def test_health_says_what_is_wrong(app: App) -> None:
    assert (app.client.get("/health").status_code, app.client.get("/health").json) == (200, {"status": "ok"})
    app.draining = True
    answer = app.client.get("/health")
    assert (answer.status_code, answer.json["problems"]) == (503, {"process": "draining"})


def test_health_asks_for_real(app: App) -> None:
    app.problem = "connection refused"
    answer = app.client.get("/health")
    assert (answer.status_code, answer.json) == (
        503,
        {"status": "unavailable", "problems": {"database": "connection refused"}},
    )


def test_a_question_that_hangs_is_asked_once() -> None:
    release, asked = threading.Event(), list[int]()
    check = Check("database", lambda: (asked.append(1), release.wait(10)), deadline=0.05)
    assert [check.problem() for _ in range(3)] == ["no answer within 0.05 s"] * 3
    assert len(asked) == 1
    release.set()


def test_a_dependency_may_be_slow_under_load() -> None:
    check = Check("database", lambda: time.sleep(0.3), deadline=1)
    assert check.problem() is None


def test_metrics_survive_a_database_that_is_away(app: App) -> None:
    app.client.get("/health")
    text = app.client.get("/metrics").text
    assert 'taifish_tasks{kind="export",state="done"} 3.0' in text
    assert 'taifish_http_requests_total{method="GET",route="/health",status="200"}' in text

    def away() -> dict[tuple[str, str], int]:
        raise OperationalError("SELECT secret", {}, OSError("away"))

    app.tasks.counts = away  # type: ignore[method-assign]
    text = app.client.get("/metrics").text
    assert "taifish_tasks_readable 0.0" in text
    assert "taifish_http_requests_total" in text


def test_a_database_that_is_away_is_a_503_without_its_words(app: App) -> None:
    def away(_id: uuid.UUID) -> Task | None:
        raise OperationalError("SELECT secret", {}, OSError("away"))

    app.tasks.get = away  # type: ignore[method-assign]
    answer = app.client.get(f"/api/tasks/{uuid.uuid4()}")
    assert (answer.status_code, answer.json) == (503, {"error": "the database cannot be reached"})


def test_unknown_paths_and_methods_are_json(app: App) -> None:
    assert app.client.get("/nothing").json == {"error": app.client.get("/nothing").json["error"]}
    assert app.client.delete("/api/tasks").status_code == 405
    assert app.client.get("/api/tasks?limit=0").status_code == 422
    app.tasks.submit("export", {})
    assert json.loads(app.client.get("/api/tasks").data)["tasks"][0]["state"] == "queued"


def test_a_task_is_announced_beside_its_request() -> None:
    sent, go = list[uuid.UUID](), threading.Event()
    first, failing, last = (uuid.uuid4() for _ in range(3))
    done = threading.Event()

    def send(id: uuid.UUID) -> None:
        assert go.wait(10)
        if id == failing:
            raise OSError("the broker is away")
        sent.append(id)
        if id == last:
            done.set()

    announce = Announcer(send)
    for id in (first, failing, last):
        announce(id)  # returns, though nobody answers yet
    assert sent == []
    go.set()
    assert done.wait(10)
    assert sent == [first, last]


def test_what_too_many_wait_for_is_left_to_the_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    go, begun = threading.Event(), threading.Event()
    sent = list[uuid.UUID]()
    ids = [uuid.uuid4() for _ in range(4)]

    def send(id: uuid.UUID) -> None:
        begun.set()
        assert go.wait(10)
        sent.append(id)

    announce = Announcer(send, waiting=2)
    announce(ids[0])
    assert begun.wait(10)
    for id in ids[1:]:
        announce(id)
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (line["event"], line["task"]) == ("announce-trouble", str(ids[3]))
    go.set()
