"""The trainer's image: speech, practice, its administration and its migrations, in real containers."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import httpx
import pytest
import soundfile
from docker.models.containers import Container

from tests.docker.trainer import EMAIL, START, Trainer, trainer
from tests.docker.workloads import WORKLOADS, unit_tests, until

pytestmark = pytest.mark.docker
LONG = "Although the museum was closed, the guard let us look at the garden. " * 60
FIRST, SECOND = "20250101000000_accounts", "20250201000000_practice"


@pytest.fixture(scope="module")
def running() -> Iterator[Trainer]:
    client = docker.from_env(timeout=1200)
    with trainer(client) as made:
        made.migrate()
        yield made
    client.close()


@pytest.fixture(scope="module")
def served(running: Trainer) -> tuple[Container, httpx.Client]:
    return running.serve(KOKORO_TTS_MAX_CONCURRENCY="1", TTS_QUEUE="1")


@pytest.fixture
def app(served: tuple[Container, httpx.Client]) -> httpx.Client:
    return served[1]


@pytest.fixture(scope="module")
def admin(running: Trainer) -> httpx.Client:
    return running.serve("admin", port=3005, path="/admin/api/health", PORT="3005")[1]


def test_unit_tests_pass_on_the_images_own_node() -> None:
    client = docker.from_env(timeout=1200)
    unit_tests(client, "trainer")
    client.close()


def test_the_reviewed_dockerfile_passes_hadolint() -> None:
    file = WORKLOADS / "trainer" / "Dockerfile.cuda"
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), "--no-color", file], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_image_keeps_the_contract_of_the_reviewed_one(running: Trainer) -> None:
    config = running.client.images.get(running.image).attrs["Config"]
    assert config["User"] == "1001:1001" and config["Entrypoint"] == ["dumb-init", "--"]
    reviewed = (WORKLOADS / "trainer" / "Dockerfile.cuda").read_text()
    for words in (
        "FROM ${CUDA_IMAGE} AS base",
        "FROM base AS deps",
        "FROM base AS runtime",
        "espeak-ng",
        "USER 1001:1001",
        'ENTRYPOINT ["dumb-init", "--"]',
        "ARG BUILDKIT_INLINE_CACHE=1",
        "ARG APT_MIRROR",
        "ARG PIP_INDEX_URL",
        "ARG NPM_REGISTRY",
        "torch==2.3.0+$TORCH_FLAVOUR",
        "prisma ./prisma",
    ):
        assert words in reviewed, words
    assert reviewed.index("AS runtime") < reviewed.index("COPY bin"), "the runtime stage can migrate"


def test_health_says_what_speaks(app: httpx.Client) -> None:
    found = app.get("/api/health").json()
    assert found["status"] == "ok"
    assert (found["speech"]["device"], found["speech"]["engine"]) == ("cpu", "espeak-ng")
    assert (found["database"]["kind"], found["database"]["journal"]) == ("sqlite", "wal")


def test_a_gpu_that_is_not_there_is_not_healthy(running: Trainer) -> None:
    """Whoever wants CUDA of an image without Kokoro is told so, and never given espeak-ng instead."""
    container = running.create(["trainer-app"], KOKORO_DEVICE="cuda")
    container.start()
    assert " 503 " in running.listens(container)
    container.remove(force=True)


def test_speech_is_a_file_that_anyone_may_read(running: Trainer, app: httpx.Client) -> None:
    answer = app.post("/api/tts", json={"text": "Hello world", "voice": "af_heart"})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["engine"], found["cached"]) == ("espeak-ng", False)
    name = found["url"].removeprefix("/audio/")
    volume = running.client.volumes.get(f"{running.id}-audio").attrs["Mountpoint"]
    file = Path(volume) / name
    assert file.stat().st_mode & 0o777 == 0o644 and file.stat().st_uid == 1001
    sound, rate = soundfile.read(io.BytesIO(file.read_bytes()))
    assert 0.3 < len(sound) / rate < 5 and float((sound**2).mean()) ** 0.5 > 0.01, "silence"
    again = app.post("/api/tts", json={"text": " Hello world ", "voice": "af_heart"}).json()
    assert again == {**found, "cached": True}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"text": ""}, 400),
        ({"text": "  "}, 422),
        ({"text": "x", "voice": "../../etc/passwd"}, 400),
        ({"text": "x", "speed": 9}, 400),
        ({"text": "x", "shout": True}, 400),
        ({"text": "x" * 5001}, 400),
    ],
)
def test_speech_that_cannot_be_is_refused(app: httpx.Client, body: dict[str, object], status: int) -> None:
    answer = app.post("/api/tts", json=body)
    assert answer.status_code == status and answer.json()["error"]["code"], answer.text


def test_the_limit_of_speech_is_kept(app: httpx.Client) -> None:
    """One is spoken, one waits, others are refused at once; what is not speech is not held up."""
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(app.post, "/api/tts", json={"text": f"{n} {LONG}"}) for n in range(6)]
        seen = [app.get("/api/health").json()["speech"] for _ in range(5)]
        answers = [one.result() for one in asked]
    assert max(one["speaking"] for one in seen) <= 1 and max(one["waiting"] for one in seen) <= 1
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200 and statuses[-1] == 503 and set(statuses) == {200, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.json()["error"]["code"] == "busy" and refused.headers["retry-after"]


def test_practice_is_kept_for_whom_it_belongs_to(app: httpx.Client) -> None:
    account = {"email": "Ann@example.org", "password": "correct horse"}
    made = app.post("/api/register", json=account)
    assert made.status_code == 201, made.text
    assert app.post("/api/register", json=account).status_code == 409
    assert app.post("/api/login", json={**account, "password": "wrong horse"}).status_code == 401
    token = app.post("/api/login", json=account).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    wrote = app.post(
        "/api/practice", json={"said": "one two three four", "heard": "one three"}, headers=headers
    )
    assert wrote.status_code == 201 and wrote.json()["score"] == 0.5
    (kept,) = app.get("/api/practice", headers=headers).json()["practice"]
    assert kept["heard"] == "one three"
    assert app.get("/api/practice").status_code == 401
    assert app.get("/api/statistics").json() == {"practice": 1, "score": 0.5}


def test_the_administration_answers_nothing_else(
    running: Trainer, admin: httpx.Client, app: httpx.Client
) -> None:
    home = admin.get("/")
    assert home.status_code == 302 and home.headers["location"] == "/admin"
    assert "text/html" in admin.get("/admin").headers["content-type"]
    for path in ("/api/health", "/api/tts", "/api/practice", "/audio/", "/admin.html", "/administrator"):
        assert admin.get(path).status_code == 404, path
    assert app.get("/admin").status_code == 404, "nor does the application administer"
    wrong = {"email": EMAIL, "password": "wrong"}
    assert admin.post("/admin/api/login", json=wrong).status_code == 401
    assert admin.get("/admin/api/users").status_code == 401
    right = {"email": EMAIL, "password": running.values["admin"]}
    token = admin.post("/admin/api/login", json=right).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    app.post("/api/register", json={"email": "ben@example.org", "password": "correct horse"})
    users = admin.get("/admin/api/users", headers=headers).json()["users"]
    (ben,) = [user for user in users if user["email"] == "ben@example.org"]
    assert admin.delete(f"/admin/api/users/{ben['id']}", headers=headers).status_code == 204
    user = app.post("/api/register", json={"email": "cat@example.org", "password": "correct horse"}).json()
    assert (
        admin.get("/admin/api/users", headers={"authorization": f"Bearer {user['token']}"}).status_code == 401
    )


# --- migrations


@pytest.fixture
def fresh() -> Iterator[Trainer]:
    client = docker.from_env(timeout=600)
    with trainer(client) as made:
        yield made
    client.close()


def test_without_its_schema_the_application_is_not_healthy(fresh: Trainer) -> None:
    container = fresh.create(["trainer-app"])
    container.start()
    assert " 503 " in fresh.listens(container)
    fresh.migrate()
    assert " 200 " in fresh.listens(container)


ENDLESS = """INSERT INTO words
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n;"""


@pytest.mark.parametrize(
    ("kind", "long"),
    [("sqlite", ENDLESS), ("postgresql", "SELECT pg_sleep(15);")],
    ids=["sqlite", "postgresql"],
)
def test_a_migration_that_fails_or_is_cut_off_is_named_and_stops_the_next(
    fresh: Trainer, tmp_path: Path, kind: str, long: str
) -> None:
    """And it leaves the version alone that runs: that one knows nothing of it, is healthy and answers."""
    env = fresh.postgres() if kind == "postgresql" else {}
    fresh.migrate(**env)
    old = fresh.serve(**env)[1]

    def answers() -> None:
        health = old.get("/api/health")
        assert health.status_code == 200, health.text
        assert old.get("/api/statistics").status_code == 200

    tmp_path.chmod(0o755)
    name = "20250301000000_words"
    for known in (FIRST, SECOND):
        shutil.copytree(WORKLOADS / "trainer/prisma/migrations" / known, tmp_path / known)
    third = tmp_path / name / "migration.sql"
    third.parent.mkdir()
    mounts = [f"{tmp_path}:/app/prisma/migrations:ro"]
    resolve = ["trainer-migrate", "resolve", "--rolled-back", name]

    third.write_text("CREATE TABLE words (word TEXT); INSERT INTO wrods VALUES ('x');\n")
    status, said = fresh.job("trainer-migrate", mounts=mounts, **env)
    assert status == 1 and f"{name} failed and nothing of it was kept" in said and "wrods" in said
    answers()
    status, said = fresh.job("trainer-migrate", mounts=mounts, **env)
    assert status == 1 and f"{name} began at" in said and "it failed" in said and " ".join(resolve) in said
    assert fresh.job(*resolve, mounts=mounts, **env)[0] == 0

    third.write_text(f"CREATE TABLE words (word TEXT); {long}\n")
    job = fresh.create(["trainer-migrate"], mounts=mounts, **env)
    job.start()
    until("the migration runs", lambda: True if b'"begun"' in job.logs() else None, seconds=START)
    answers()
    job.kill()
    assert job.wait(timeout=START)["StatusCode"] == 137
    answers()
    status, said = fresh.job("trainer-migrate", mounts=mounts, **env)
    assert status == 1 and f"{name} began at" in said and "it was interrupted" in said
    answers()

    assert fresh.job(*resolve, **env)[0] == 0, "also the image that runs can resolve it"
    third.write_text("CREATE TABLE words (word TEXT);\n")
    status, said = fresh.job("trainer-migrate", mounts=mounts, **env)
    assert status == 0 and f'"applied":["{name}"]' in said, said
    answers()


def test_postgresql_takes_the_place_of_sqlite(fresh: Trainer) -> None:
    env = fresh.postgres()
    with ThreadPoolExecutor(3) as pool:
        ended = [*pool.map(lambda _: fresh.job("trainer-migrate", **env), range(3))]
    assert [status for status, _ in ended] == [0, 0, 0], ended
    app = fresh.serve(**env)[1]
    admin = fresh.serve("admin", port=3005, path="/admin/api/health", PORT="3005", **env)[1]
    assert app.get("/api/health").json()["database"] == {"kind": "postgresql"}
    token = app.post("/api/register", json={"email": "a@b.org", "password": "correct horse"}).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    assert app.post("/api/practice", json={"said": "one", "heard": "one"}, headers=headers).status_code == 201
    assert app.get("/api/statistics").json() == {"practice": 1, "score": 1}
    login = {"email": EMAIL, "password": fresh.values["admin"]}
    admins = {"authorization": f"Bearer {admin.post('/admin/api/login', json=login).json()['token']}"}
    (user,) = admin.get("/admin/api/users", headers=admins).json()["users"]
    assert (user["email"], int(user["practice"])) == ("a@b.org", 1)


def test_what_sqlite_holds_moves_to_postgresql_once(fresh: Trainer) -> None:
    fresh.migrate()
    old = fresh.serve()[1]
    account = {"email": "a@b.org", "password": "correct horse"}
    headers = {"authorization": f"Bearer {old.post('/api/register', json=account).json()['token']}"}
    said = {"said": "one two", "heard": "one"}
    for _ in range(3):
        assert old.post("/api/practice", json=said, headers=headers).status_code == 201
    before = old.get("/api/statistics").json()
    env = fresh.postgres()
    moving = env | {"MOVE_FROM": "/app/data/trainer.db"}
    status, told = fresh.job("trainer-migrate", **moving)
    assert status == 0 and '"rows":4' in told and "moved to PostgreSQL" in told, told
    # Whoever still runs on the file reads, and loses nothing by writing.
    assert old.get("/api/statistics").json() == before
    assert old.post("/api/practice", json=said, headers=headers).status_code >= 500
    new = fresh.serve(**env)[1]
    assert new.get("/api/statistics").json() == before
    headers = {"authorization": f"Bearer {new.post('/api/login', json=account).json()['token']}"}
    assert len(new.get("/api/practice", headers=headers).json()["practice"]) == 3
    assert new.post("/api/practice", json=said, headers=headers).status_code == 201
    status, told = fresh.job("trainer-migrate", **moving)
    assert status == 0 and "moved to PostgreSQL" not in told, told
    # Back is a step of its own, with its price told.
    status, told = fresh.job("trainer-migrate")
    assert (
        status == 1
        and "has them as they were then" in told
        and "trainer-migrate reopen /app/data/trainer.db" in told
    )
    assert fresh.job("trainer-migrate", "reopen", "/app/data/trainer.db")[0] == 0
    assert fresh.job("trainer-migrate")[0] == 0
    assert old.post("/api/practice", json=said, headers=headers).status_code == 201
    status, told = fresh.job("trainer-migrate", **moving)
    assert status == 1 and "PostgreSQL has 5 rows and /app/data/trainer.db 5; nothing was moved" in told, told


def test_a_file_without_a_row_is_closed_by_the_move_too(fresh: Trainer) -> None:
    """Else who registers before the new version serves is lost, and the next `up` finds data in both."""
    fresh.migrate()
    old = fresh.serve()[1]
    env = fresh.postgres()
    moving = env | {"MOVE_FROM": "/app/data/trainer.db"}
    status, told = fresh.job("trainer-migrate", **moving)
    assert status == 0 and "moved to PostgreSQL" in told, told
    account = {"email": "a@b.org", "password": "correct horse"}
    assert old.post("/api/register", json=account).status_code >= 500
    new = fresh.serve(**env)[1]
    status, told = fresh.job("trainer-migrate", **moving)
    assert status == 0, told
    assert new.post("/api/register", json=account).status_code == 201
    status, told = fresh.job("trainer-migrate", **moving)
    assert status == 0 and "moved to PostgreSQL" not in told, told


def test_a_database_whose_name_is_not_in_its_certificate_is_none(fresh: Trainer) -> None:
    url = fresh.postgres()["DATABASE_URL"].replace("@postgres:", "@db:")
    server = next(
        one
        for one in fresh.client.containers.list(filters={"label": f"test={fresh.id}"})
        if "postgres" in one.attrs["Config"]["Cmd"]
    )
    fresh.network.disconnect(server)
    fresh.network.connect(server, aliases=["db"])
    status, said = fresh.job("trainer-migrate", DATABASE_URL=url)
    assert status == 1 and "altnames" in said


def test_two_migrations_at_the_same_time_are_one(fresh: Trainer) -> None:
    with ThreadPoolExecutor(3) as pool:
        ended = [*pool.map(lambda _: fresh.job("trainer-migrate"), range(3))]
    assert [status for status, _ in ended] == [0, 0, 0], ended
    assert sum(FIRST in said for _, said in ended) == 1


def test_settings_that_cannot_be_are_told_and_no_secret(fresh: Trainer) -> None:
    (fresh.folder / "jwt").chmod(0o644)
    (fresh.folder / "jwt").write_text("too-short-a-secret")
    status, said = fresh.job("trainer-app", KOKORO_DEVICE="tpu")
    assert status == 1 and "allowed: 32 or more" in said and "KOKORO_DEVICE" in said
    assert "too-short-a-secret" not in said
