"""taifish on a real engine: with PostgreSQL over TLS and Redis, through deaths, gaps and replacements."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from tests.docker.taifish import Taifish, ask, ended, lines, port, taifish
from tests.docker.workloads import until

pytestmark = pytest.mark.docker

LEASE = 6
PEOPLE = "name,city,age\nAda,London,36\n李雷,北京,28\n"


@pytest.fixture(scope="module")
def system(request: pytest.FixtureRequest) -> Iterator[Taifish]:
    client = docker.from_env(timeout=600)
    with taifish(client, TASK_LEASE=str(LEASE)) as running:
        running.stores()
        running.migrated()
        failed = request.session.testsfailed
        yield running
        if request.session.testsfailed > failed:
            print(running.logs())
    client.close()


@pytest.fixture(scope="module")
def app(system: Taifish) -> Container:
    return system.role("app")


@pytest.fixture(scope="module")
def worker(system: Taifish) -> Container:
    return system.role("worker")


@pytest.fixture(scope="module")
def beat(system: Taifish) -> Container:
    return system.role("beat")


def big(system: Taifish, app: Container, rows: int = 120_000) -> str:
    """An upload whose spreadsheet takes a worker some seconds to write; its id."""
    body = "n,a,b,c,d\n" + "".join(f"{n},{n * 7},text {n},{n}.5,x\n" for n in range(rows))
    status, accepted, _ = ask(app, "POST", "/api/uploads?name=big.csv", body.encode())
    assert status == 202, accepted
    assert ended(app, accepted["id"], 120)["result"]["rows"] == rows
    return str(accepted["id"])


def start_export(app: Container, upload: str) -> str:
    """A running spreadsheet export; its id."""
    _, accepted, _ = ask(app, "POST", "/api/exports", {"upload": upload, "format": "xlsx"})
    path = f"/api/tasks/{accepted['id']}"
    until("the export runs", lambda: True if ask(app, "GET", path)[1]["state"] == "running" else None, 30)
    return str(accepted["id"])


def sheet_rows(app: Container, id: str) -> int:
    """Rows of the downloaded spreadsheet, counted in its XML."""
    status, content, headers = ask(app, "GET", f"/api/exports/{id}/file")
    assert status == 200, content
    assert headers["Content-Disposition"].endswith("export.xlsx")
    with zipfile.ZipFile(BytesIO(content)) as archive:
        return archive.read("xl/worksheets/sheet1.xml").count(b"<row ")


def test_a_table_becomes_a_file(app: Container, worker: Container) -> None:
    rows = [{"name": "Ada", "age": 36}, {"name": "李雷", "city": "北京"}]
    status, accepted, headers = ask(app, "POST", "/api/exports", {"rows": rows, "name": "人"})
    assert (status, headers["Location"]) == (202, f"/api/tasks/{accepted['id']}")
    task = ended(app, accepted["id"])
    assert (task["state"], task["attempts"], task["result"]["rows"]) == ("done", 1, 2)
    status, content, headers = ask(app, "GET", task["file"])
    assert content.decode("utf-8-sig") == "name,age,city\r\nAda,36,\r\n李雷,,北京\r\n"
    assert "attachment" in headers["Content-Disposition"]
    assert ask(app, "GET", task["file"], headers={"If-None-Match": headers["ETag"]})[0] == 304


def test_an_upload_is_analysed_and_exported(system: Taifish, app: Container, worker: Container) -> None:
    status, accepted, _ = ask(app, "POST", "/api/uploads?name=people.csv", PEOPLE.encode("gb18030"))
    assert status == 202
    result = ended(app, accepted["id"])["result"]
    assert (result["name"], result["rows"], result["bytes"]) == (
        "people.csv",
        2,
        len(PEOPLE.encode("gb18030")),
    )
    assert result["columns"][2] == {
        "name": "age", "kind": "integer", "filled": 2, "min": 28.0, "max": 36.0, "mean": 32.0
    }  # fmt: skip
    _, export, _ = ask(app, "POST", "/api/exports", {"upload": accepted["id"], "format": "xlsx"})
    assert ended(app, export["id"])["result"]["rows"] == 2
    assert sheet_rows(app, export["id"]) == 3
    assert (
        sorted(path.name for path in (system.data / "exports").iterdir() if path.name.startswith(".")) == []
    )
    assert (system.data / "uploads" / accepted["id"]).stat().st_uid == 10001


def test_what_cannot_be_done_says_why(app: Container, worker: Container) -> None:
    _, accepted, _ = ask(app, "POST", "/api/uploads", b"a,b\n1\n")
    assert ended(app, accepted["id"])["error"] == "line 2: 1 cells, the header has 2"
    _, export, _ = ask(app, "POST", "/api/exports", {"upload": accepted["id"]})
    assert ended(app, export["id"])["error"] == "line 2: 1 cells, the header has 2"
    status, body, _ = ask(app, "GET", f"/api/exports/{export['id']}/file")
    assert (status, body["error"]) == (409, "the export is failed: line 2: 1 cells, the header has 2")
    assert ask(app, "GET", f"/api/tasks/{uuid.uuid4()}")[0] == 404
    assert ask(app, "POST", "/api/exports", {"upload": str(uuid.uuid4())})[0] == 404


def test_the_same_key_is_the_same_task(app: Container, worker: Container) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first = ask(app, "POST", "/api/exports", {"rows": [{"a": 1}]}, key)[1]["id"]
    ended(app, first)
    assert ask(app, "POST", "/api/exports", {"rows": [{"a": 1}]}, key)[1]["id"] == first
    assert ask(app, "POST", "/api/exports", {"rows": [{"a": 2}]}, key)[0] == 409
    assert ask(app, "GET", f"/api/tasks/{first}")[1]["attempts"] == 1


def test_a_redelivered_message_does_the_work_once(system: Taifish, app: Container, worker: Container) -> None:
    _, accepted, _ = ask(app, "POST", "/api/exports", {"rows": [{"a": 1}]})
    done = ended(app, accepted["id"])
    again = (
        "from taifish.queue import announce, process_queue; import uuid;"
        f"[announce(process_queue(), uuid.UUID('{accepted['id']}')) for _ in range(3)]"
    )
    assert worker.exec_run(["python", "-c", again]).exit_code == 0

    def skipped() -> list[dict[str, Any]] | None:
        found = [line for line in lines(worker) if line.get("task") == accepted["id"]]
        return found if [line["event"] for line in found].count("task-skipped") == 3 else None

    assert Counter(line["event"] for line in until("three skips", skipped)) == {
        "task-started": 1, "task-done": 1, "task-skipped": 3
    }  # fmt: skip
    assert ask(app, "GET", f"/api/tasks/{accepted['id']}")[1] == done


def test_a_killed_workers_task_is_done_once_by_another(
    system: Taifish, app: Container, worker: Container, beat: Container
) -> None:
    upload = big(system, app)
    worker.stop(timeout=30)
    victim = system.role("worker")
    export = start_export(app, upload)
    victim.kill("SIGKILL")
    heir = system.role("worker")
    task = ended(app, export, 120)
    assert (task["state"], task["attempts"]) == ("done", 2)
    assert sheet_rows(app, export) == 120_001
    told = [line["event"] for line in lines(victim, heir) if line.get("task") == export]
    assert [told.count(event) for event in ("task-started", "task-done")] == [2, 1]
    heir.remove(force=True)
    worker.start()
    system.healthy(worker, "worker")


def test_a_worker_finishes_its_task_before_it_stops(
    system: Taifish, app: Container, worker: Container
) -> None:
    upload = big(system, app, 60_000)
    export = start_export(app, upload)
    worker.stop(timeout=60)
    assert worker.wait()["StatusCode"] == 0
    task = ask(app, "GET", f"/api/tasks/{export}")[1]
    assert (task["state"], task["attempts"]) == ("done", 1)
    worker.start()
    system.healthy(worker, "worker")


@pytest.mark.parametrize("when", ["once", "again"])
def test_a_lost_broker_loses_no_task(
    system: Taifish, app: Container, worker: Container, beat: Container, when: str
) -> None:
    system.redis.stop()
    status, accepted, _ = ask(app, "POST", "/api/exports", {"rows": [{"a": 1}]})
    assert status == 202  # stored; nobody has heard of it
    status, health, _ = ask(app, "GET", "/health")
    assert (status, list(health["problems"])) == (503, ["broker"])
    dead = lambda: True if worker.exec_run(["taifish-alive"]).exit_code else None  # noqa: E731
    until("the worker is known to be cut off", dead, 40)
    system.redis.start()  # with an empty memory: its data lay on a tmpfs
    until("healthy again", lambda: True if ask(app, "GET", "/health")[0] == 200 else None)
    assert ended(app, accepted["id"], 120)["state"] == "done"
    for container, role in ((worker, "worker"), (beat, "beat")):
        system.healthy(container, role)


def test_a_broker_lost_under_a_full_worker_is_used_again(
    system: Taifish, app: Container, worker: Container
) -> None:
    """A worker with all it may take listens no more: it learns of the loss by what it cannot acknowledge."""
    upload = big(system, app)
    running = [start_export(app, upload) for _ in range(2)]
    system.redis.stop(timeout=5)
    for id in running:
        assert ended(app, id, 120)["state"] == "done"
    system.redis.start()
    until("healthy again", lambda: True if ask(app, "GET", "/health")[0] == 200 else None)
    _, accepted, _ = ask(app, "POST", "/api/exports", {"rows": [{"a": 1}]})
    # Sooner than the guard would start it anew.
    assert ended(app, accepted["id"], 45)["state"] == "done"


HANGING = """
import sys, time
from celery import signals
from taifish import __main__, guard
watch = guard.watch
guard.watch = lambda look, stuck: watch(look, guard.Stuck(0, patience=3), every=0.5)
hang = lambda **_: time.sleep(3600)
signals.heartbeat_sent.connect(hang)
sys.exit(__main__.main("worker"))
"""


def test_a_worker_that_hangs_ends_itself(system: Taifish, app: Container, worker: Container) -> None:
    """Its restart policy starts it anew; what it was in is in its log, and its task is done by another."""
    worker.stop(timeout=30)
    hanging = system.role("worker", command=["python", "-c", HANGING], wait=False)
    status, accepted, _ = ask(app, "POST", "/api/exports", {"rows": [{"a": 1}]})
    assert status == 202
    assert hanging.wait(timeout=60)["StatusCode"] == 70
    (stuck,) = [line for line in lines(hanging) if line["event"] == "stuck"]
    assert stuck["silent"] is True
    assert "line 7 in <lambda>" in hanging.logs().decode()
    worker.start()
    system.healthy(worker, "worker")
    assert ended(app, accepted["id"])["state"] == "done"


def test_a_database_that_is_away_is_told_and_waited_for(
    system: Taifish, app: Container, worker: Container
) -> None:
    system.postgres.pause()
    try:
        began = time.monotonic()
        status, health, _ = ask(app, "GET", "/health")
        assert (status, health["problems"]) == (503, {"database": "no answer within 4 s"})
        assert time.monotonic() - began < 60
    finally:
        system.postgres.unpause()
    until("healthy again", lambda: True if ask(app, "GET", "/health")[0] == 200 else None, 30)
    assert ended(app, ask(app, "POST", "/api/exports", {"rows": [{"a": 1}]})[1]["id"])["state"] == "done"


def test_metrics_add_up_over_processes(app: Container) -> None:
    def total() -> float:
        text = ask(app, "GET", "/metrics")[1].decode()
        wanted = 'taifish_http_requests_total{method="GET",route="/static/<name>",status="404"}'
        return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(wanted)), 0.0)

    before = total()
    threads = [
        threading.Thread(target=lambda: [ask(app, "GET", "/static/none.css") for _ in range(25)])
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total() - before == 200
    pids = app.exec_run(["sh", "-c", "ls /tmp/taifish-metrics | grep -c counter"]).output
    assert int(pids) >= 2  # both processes had a part in it
    assert b'taifish_tasks{kind="export",state="done"}' in ask(app, "GET", "/metrics")[1]


def test_migrations_at_once_and_again(system: Taifish) -> None:
    system.sql("CREATE DATABASE second")
    url = system.environment["DATABASE_URL"].replace("/taifish?", "/second?")
    jobs = [system.role("migrate", environment={"DATABASE_URL": url}) for _ in range(3)]
    assert [job.wait()["StatusCode"] for job in jobs] == [0, 0, 0]
    assert sorted(line["before"] for line in lines(*jobs) if line["event"] == "migrated") == [0, 1, 1]


def test_one_clock_ticks_and_the_next_takes_over(system: Taifish, beat: Container, worker: Container) -> None:
    second = system.role("beat")
    assert [line["event"] for line in lines(second)] == ["waiting"]
    yesterday = "UPDATE beat SET last_run = now() - interval '2 days' WHERE name = 'nightly'"
    insert = "INSERT INTO beat VALUES ('nightly', now()) ON CONFLICT DO NOTHING"
    for statement in (insert, yesterday):
        system.sql(statement)
    beat.stop(timeout=20)
    assert beat.wait()["StatusCode"] == 0
    ticking = lambda: True if "ticking" in [line["event"] for line in lines(second)] else None  # noqa: E731
    until("the second ticks", ticking, 20)

    # The run that was missed is made up for, and another request on the same day does nothing.
    def cleaned() -> list[dict[str, Any]] | None:
        return [line for line in lines(worker) if line.get("kind") == "cleanup"] or None

    until("the nightly run", cleaned, 30)
    again = worker.exec_run(["python", "-c", "from taifish.queue import nightly; print(nightly())"])
    assert again.output.decode().splitlines()[-1] == "skipped"
    second.remove(force=True)
    beat.start()
    system.healthy(beat, "beat")


def test_a_server_without_the_right_certificate_is_refused(system: Taifish) -> None:
    url = system.environment["DATABASE_URL"].replace("@postgres:", "@other:")
    system.network.disconnect(system.postgres)
    system.network.connect(system.postgres, aliases=["postgres", "other"])
    app = system.role("app", wait=False, environment={"DATABASE_URL": url})

    def reason() -> str | None:
        try:
            status, body, _ = ask(app, "GET", "/health")
        except OSError:
            return None
        return str(body["problems"]) if status == 503 else None

    assert "does not match host name" in until("refused", reason, 30)
    app.remove(force=True)


def test_a_replacement_under_load_fails_no_request(system: Taifish, worker: Container) -> None:
    stop, answers, lock = threading.Event(), Counter[int | str](), threading.Lock()
    apps = [system.role("app"), system.role("app")]
    ports = [port(app) for app in apps]

    def load(number: int) -> None:
        # As the edge does: kept connections, and no further request on one that was told to close.
        kept: dict[int, http.client.HTTPConnection] = {}
        body, count = json.dumps({"rows": [{"a": number}]}), number
        while not stop.is_set():
            count += 1
            with lock:
                to = ports[count % len(ports)]
            asked = ("POST", "/api/exports", body) if count % 3 == 0 else ("GET", "/api/tasks?limit=1")
            used = kept.pop(to, None)
            connection = used or http.client.HTTPConnection("127.0.0.1", to, timeout=30)
            try:
                try:
                    connection.request(*asked)
                    response = connection.getresponse()
                except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                    if used is None:
                        raise
                    # Idle for longer than the drain, on a busy machine: closed before it was asked.
                    with lock:
                        to = ports[-1]
                    connection = http.client.HTTPConnection("127.0.0.1", to, timeout=30)
                    connection.request(*asked)
                    response = connection.getresponse()
                response.read()
                answers[response.status] += 1
                if response.will_close:
                    connection.close()
                    with lock:
                        if to in ports:
                            ports.remove(to)
                else:
                    kept[to] = connection
            except (OSError, http.client.HTTPException) as error:
                answers[f"{type(error).__name__}: {error}"] += 1
            time.sleep(0.01)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            old = apps.pop(0)
            apps.append(system.role("app"))
            with lock:
                ports.append(port(apps[-1]))
            old.stop(timeout=40)
            assert old.wait()["StatusCode"] == 0
            old.remove()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    print(f"answers during two replacements: {dict(answers)}")
    assert set(answers) == {200, 202}
    assert answers.total() > 200
    for app in apps:
        app.remove(force=True)


def test_draining_says_so_and_finishes_what_runs(system: Taifish) -> None:
    app = system.role("app", environment={"DRAIN": "4"})
    slow = http.client.HTTPConnection("127.0.0.1", port(app), timeout=30)
    slow.putrequest("POST", "/api/uploads?name=slow.csv")
    slow.putheader("Content-Length", "8")
    slow.endheaders()
    slow.send(b"a,b\n")
    app.kill("SIGTERM")
    time.sleep(1)
    status, body, headers = ask(app, "GET", "/health")
    assert (status, body["problems"], headers["Connection"]) == (503, {"process": "draining"}, "close")
    time.sleep(5)  # the port is closed by now
    slow.send(b"1,2\n")
    assert slow.getresponse().status == 202
    assert app.wait(timeout=30)["StatusCode"] == 0


def test_hardening_and_secrets(system: Taifish, app: Container, worker: Container, beat: Container) -> None:
    for container in (app, worker, beat):
        processes = container.top(ps_args="-eo pid,uid,args")["Processes"]
        assert {uid for _, uid, _ in processes} == {"10001"}
        assert container.exec_run(["id", "-un"]).output == b"taifish\n"
        seen = json.dumps(system.client.api.inspect_container(container.id))
        seen += container.logs().decode() + json.dumps(processes)
        for password in system.passwords.values():
            assert password not in seen
    for password in system.passwords.values():
        assert password not in ask(app, "GET", "/metrics")[1].decode()
        for log in (system.data / "logs").iterdir():
            assert password not in log.read_text()
    assert {log.name.split("-")[0] for log in (system.data / "logs").glob("*.jsonl")} >= {
        "app",
        "worker",
        "beat",
    }


def test_what_is_missing_is_named_at_once(system: Taifish) -> None:
    app = system.role("app", wait=False, environment={"DATABASE_URL": "", "REDIS_PASSWORD_FILE": "/nothing"})
    assert app.wait()["StatusCode"] == 1
    (line,) = lines(app)
    assert line["error"] == (
        "DATABASE_URL is not set; "
        "REDIS_PASSWORD_FILE: /nothing: the secret cannot be read: No such file or directory"
    )
    assert app.attrs["Config"]["User"] == "10001:10001"


def test_python_images_share_their_first_layers(system: Taifish) -> None:
    from tests.docker.workloads import image

    other = image(system.client, "api-gateway")
    layers = [
        system.client.images.get(name).attrs["RootFS"]["Layers"] for name in (system.images["taifish"], other)
    ]
    assert layers[0][:3] == layers[1][:3]
