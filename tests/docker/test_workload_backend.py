"""The audio editor's backend with real stores and real speech, as its user and its operator see it."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from typing import Any

import docker
import httpx
import numpy
import pytest
import soundfile
from docker.models.containers import Container
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.docker.editor import Editor, Person, editor, progress, recording
from tests.docker.workloads import unit_tests, until, vanish

pytestmark = pytest.mark.docker

SPEECH = {"type": "speech", "text": "Hello world.", "provider": "gpt-sovits"}


@pytest.fixture(scope="module")
def running() -> Iterator[Editor]:
    client = docker.from_env(timeout=600)
    with editor(client) as it:
        yield it
    client.close()


@pytest.fixture(scope="module")
def replicas(running: Editor) -> tuple[Container, Container]:
    """Two, started at the same time on an empty database."""
    first, second = running.start(), running.start()
    until("backend healthy", lambda: running.healthy(first))
    until("backend healthy", lambda: running.healthy(second))
    return first, second


@pytest.fixture
def urls(running: Editor, replicas: tuple[Container, Container]) -> tuple[str, str]:
    running.clouds.forget()
    return running.url(replicas[0]), running.url(replicas[1])


def test_unit_tests_pass_on_the_images_own_node() -> None:
    client = docker.from_env(timeout=600)
    unit_tests(client, "backend")
    client.close()


def test_a_recording_is_edited_joined_with_speech_and_fetched(urls: tuple[str, str]) -> None:
    ann = Person(urls[0])
    project = ann.project()
    uploaded = ann.upload(project, recording(2.0)).json()
    assert (uploaded["seconds"], uploaded["sampleRate"], uploaded["channels"]) == (2.0, 16000, 1)
    assert max(ann.get(f"/api/files/{uploaded['id']}/peaks?points=50")["peaks"]) == pytest.approx(
        0.5, abs=0.01
    )
    operations: list[dict[str, Any]] = [
        {"type": "trim", "start": 0.5, "end": 1.5},
        {"type": "gain", "db": -6.0206},
        {"type": "fade", "in": 0.1, "out": 0},
        {**SPEECH, "position": "end"},
    ]
    with ann.at(urls[1]).listen() as live:  # the other replica, whichever runs the job
        assert json.loads(live.recv(timeout=10)) == {"type": "jobs", "jobs": []}
        job = ann.edit(project, operations, uploaded["id"])
        heard = progress(live, job)
    percents = [event["percent"] for event in heard]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert len(percents) > 3
    sound, rate = soundfile.read(io.BytesIO(ann.result(job)))
    assert rate == 16000
    assert len(sound) > 1.3 * rate  # a second of tone, then speech
    tone = sound[rate // 2 : rate]
    assert numpy.abs(tone).max() == pytest.approx(0.25, abs=0.002)
    assert numpy.abs(sound[:16]).max() < 0.01
    assert numpy.sqrt((sound[rate:] ** 2).mean()) > 0.01, "silence instead of speech"
    listed = ann.at(urls[1]).get(f"/api/projects/{project}")
    assert [file["kind"] for file in listed["files"]] == ["result", "upload"]
    assert listed["jobs"][0]["result"] == listed["files"][0]["id"]


def test_speech_alone_and_a_part_of_the_result(urls: tuple[str, str]) -> None:
    ann = Person(urls[0])
    assert {voice["provider"] for voice in ann.get("/api/voices")["voices"]} == {"cosyvoice", "gpt-sovits"}
    job = ann.edit(ann.project(), [{"type": "speech", "text": "Hello world."}])
    assert ann.ended(job)["status"] == "done"
    whole = ann.result(job)
    part = ann.http.get(f"{urls[1]}/api/jobs/{job}/result", headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"RIFF")
    assert part.headers["content-range"] == f"bytes 0-3/{len(whole)}"


def test_nobody_sees_what_is_anothers(urls: tuple[str, str]) -> None:
    ann, bob = Person(urls[0]), Person(urls[1])
    project = ann.project()
    file = ann.upload(project, recording()).json()["id"]
    job = ann.edit(project, [{"type": "gain", "db": 1}], file)
    for path in (f"projects/{project}", f"files/{file}/audio", f"jobs/{job}", f"jobs/{job}/result"):
        assert bob.get(f"/api/{path}", 404)["error"]["code"] == "not_found"
        assert httpx.get(f"{urls[0]}/api/{path}").status_code == 401
    assert bob.get("/api/projects") == {"projects": []}
    operations = {"source": file, "operations": [{"type": "gain", "db": 1}]}
    bob.post(f"/api/projects/{bob.project()}/jobs", operations, 404)
    with pytest.raises(InvalidStatus, match="401"):
        Person(urls[0], client=httpx.Client()).listen()


def test_uploads_that_are_refused_leave_nothing(
    replicas: tuple[Container, Container], urls: tuple[str, str]
) -> None:
    ann = Person(urls[0])
    project = ann.project()
    for content, status, code in (
        (b"ID3 no wave at all", 422, "unsupported_audio"),
        (recording()[:44], 422, "unsupported_audio"),
        (recording(1.0) + bytes(33 * 2**20), 413, "too_large"),
    ):
        answer = ann.upload(project, content)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert ann.get(f"/api/projects/{project}")["files"] == []
    assert b".part-" not in replicas[0].exec_run(["ls", "-a", "/app/uploads"]).output


def test_an_upload_that_is_cut_off_leaves_nothing(
    replicas: tuple[Container, Container], urls: tuple[str, str]
) -> None:
    ann = Person(urls[0])
    path = f"/api/projects/{ann.project()}/files"
    part = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: sid={ann.http.cookies['sid']}\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 900000\r\n\r\n"
    where = httpx.URL(urls[0])

    def parts() -> bool:
        return b".part-" in replicas[0].exec_run(["ls", "-a", "/app/uploads"]).output

    with socket.create_connection((where.host, where.port or 80)) as line:
        line.sendall((head + part).encode() + recording())
        until("the upload has begun", lambda: parts() or None)
    until("nothing is left", lambda: None if parts() else True)
    assert '"level":"error"' not in replicas[0].logs().decode()


def test_the_longest_recording_fits_the_memory(
    replicas: tuple[Container, Container], urls: tuple[str, str]
) -> None:
    ann = Person(urls[0])
    project = ann.project()
    file = ann.upload(project, recording(500, 32000)).json()["id"]
    edits: list[dict[str, Any]] = [
        {"type": "gain", "db": -6},
        {"type": "fade", "in": 1, "out": 1},
        {"type": "trim", "start": 1},
    ]
    assert ann.ended(ann.edit(project, edits, file))["status"] == "done"
    for container in replicas:
        container.reload()
        assert not container.attrs["State"]["OOMKilled"]
        assert container.attrs["RestartCount"] == 0
        assert container.status == "running"


def test_refused_edits_tell_why(running: Editor, urls: tuple[str, str]) -> None:
    ann = Person(urls[0])
    project = ann.project()
    file = ann.upload(project, recording(1.0)).json()["id"]
    job = ann.ended(ann.edit(project, [{"type": "trim", "start": 5}], file))
    assert (job["status"], job["error"]["code"]) == ("failed", "nothing_left")
    running.clouds.suffer("gpt-sovits", "wrong_key", times=9)
    job = ann.ended(ann.edit(project, [SPEECH]))
    assert (job["status"], job["error"]["code"]) == ("failed", "upstream_auth")
    assert ann.get(f"/api/jobs/{job['id']}/result", 422)["error"]["code"] == "upstream_auth"


def test_sigterm_hands_the_job_back_and_says_goodbye(running: Editor, urls: tuple[str, str]) -> None:
    leaving = running.replica(DRAIN="1")
    ann = Person(running.url(leaving))
    running.clouds.suffer("gpt-sovits", "slow", times=3, delay_ms=4000)
    project = ann.project()
    with ann.listen() as live:
        jobs = [ann.edit(project, [SPEECH]) for _ in range(3)]  # one for each replica
        until("all are running", lambda: all(ann.job(job)["status"] == "running" for job in jobs) or None)
        leaving.kill("SIGTERM")
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                live.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert leaving.wait(timeout=20)["StatusCode"] == 0
    log = leaving.logs().decode()
    assert "job given back" in log
    assert "stopped" in log
    other = ann.at(urls[0])
    for job in jobs:
        assert other.ended(job)["status"] == "done"


def test_a_killed_replicas_job_is_taken_over(running: Editor, urls: tuple[str, str]) -> None:
    doomed = running.replica()
    ann = Person(urls[0])
    running.clouds.suffer("gpt-sovits", "slow", times=3, delay_ms=6000)
    project = ann.project()
    jobs = [ann.edit(project, [SPEECH]) for _ in range(3)]
    until("all are running", lambda: all(ann.job(job)["status"] == "running" for job in jobs) or None)
    doomed.kill("SIGKILL")
    for job in jobs:
        assert ann.ended(job)["status"] == "done"


def test_what_redis_lost_is_queued_again(
    running: Editor, replicas: tuple[Container, Container], urls: tuple[str, str]
) -> None:
    ann = Person(urls[0])
    running.clouds.suffer("gpt-sovits", "slow", times=2, delay_ms=3000)
    project = ann.project()
    jobs = [ann.edit(project, [SPEECH]) for _ in range(4)]
    running.redis.exec_run(
        [
            "sh",
            "-c",
            'REDISCLI_AUTH=$(awk "/requirepass/ {print \\$2}" /run/secrets/redis.conf) redis-cli FLUSHALL',
        ]
    )
    ann.post("/api/login", {"name": ann.name, "password": "a long password"}, 200)
    for job in jobs:
        assert ann.ended(job, 90)["status"] == "done"


def test_restarted_stores_are_used_again(running: Editor, urls: tuple[str, str]) -> None:
    ann = Person(urls[0])
    project = ann.project()
    with ann.at(urls[1]).listen() as live:
        running.redis.restart()
        running.mysql.restart()
        until(
            "healthy", lambda: all(httpx.get(f"{url}/health", timeout=10).is_success for url in urls) or None
        )
        job = ann.edit(project, [SPEECH])
        assert progress(live, job)[-1]["status"] == "done"


def test_a_redis_that_vanished_without_a_goodbye_is_used_again(
    running: Editor, urls: tuple[str, str]
) -> None:
    """Neither who waits for jobs nor who listens for their progress stays on a dead connection."""
    ann = Person(urls[0])
    project = ann.project()
    with ann.at(urls[1]).listen() as live:
        assert json.loads(live.recv(timeout=10)) == {"type": "jobs", "jobs": []}
        vanish(running.client.networks.get(running.id), running.redis, "redis")
        until(
            "healthy", lambda: all(httpx.get(f"{url}/health", timeout=10).is_success for url in urls) or None
        )
        job = ann.edit(project, [SPEECH])
        until("done", lambda: ann.get(f"/api/jobs/{job}")["status"] == "done" or None, 60)
        # What was published while nobody could hear it is made up for: the page loads the jobs again.
        heard: dict[str, Any] = {"type": "none"}
        while heard["type"] != "jobs" or job in [open["id"] for open in heard["jobs"]]:
            heard = json.loads(live.recv(timeout=30))
        assert progress(live, ann.edit(project, [SPEECH]))[-1]["status"] == "done"


def test_health_tells_what_is_missing(running: Editor, urls: tuple[str, str]) -> None:
    assert httpx.get(f"{urls[0]}/health").json() == {
        "status": "ok",
        "checks": {"database": "ok", "redis": "ok"},
    }
    running.redis.pause()
    try:
        answer = httpx.get(f"{urls[0]}/health", timeout=10)
    finally:
        running.redis.unpause()
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "ok" != answer.json()["checks"]["redis"]
    metrics = httpx.get(f"{urls[0]}/metrics").text
    assert "jobs_unfinished 0" in metrics


def test_a_server_of_another_name_is_not_the_database(running: Editor) -> None:
    wrong = running.start(MYSQL_HOST="other-name")
    try:
        until("refusal", lambda: "does not match certificate's altnames" in wrong.logs().decode() or None)
        assert running.passwords["mysql"] not in wrong.logs().decode()
    finally:
        wrong.remove(force=True)


def test_no_secret_is_seen_from_outside(
    running: Editor, replicas: tuple[Container, Container], urls: tuple[str, str]
) -> None:
    ann = Person(urls[0])
    for container in replicas:
        container.reload()
        seen = container.logs().decode() + json.dumps(container.attrs)
        for secret in [*running.passwords.values(), *ann.http.cookies.values(), "a long password"]:
            assert secret not in seen
    log = replicas[0].exec_run(["cat", "/app/logs/backend.log"]).output
    assert isinstance(log, bytes)
    assert all(json.loads(line)["time"] for line in log.splitlines())
