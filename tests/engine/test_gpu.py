"""The gpu system as its user and its operator have it, on a host without a GPU: one stack, one life."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest
import soundfile
import yaml
from docker.models.containers import Container

from tests.docker.once import said
from tests.engine.deployment import Deployment
from tests.engine.workbench import wait_for
from tests.ports import free_port

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.timeout(1800)]


class Trainer:
    """The stack, and what stands of it on the engine."""

    def __init__(self, folder: Path) -> None:
        self.engine = docker.from_env(timeout=600)
        self.deployment = Deployment(folder, "gpu")
        self.settings: dict[str, Any] = {
            "device": "cpu",
            "texts": {"kind": "built-in"},
            "app": {"concurrency": 2},
            "speech_timeout": "1m",
            # It soon forgets what a test stopped.
            "watch": {"every": "10s"},
        }
        self.configure()

    def configure(self, **changes: Any) -> None:
        """Changes settings."""
        self.settings |= changes
        self.deployment.configure(self.settings)

    def running(self, service: str) -> list[Container]:
        """Those of this service that run."""
        labels = [f"berth.stack={self.deployment.stack}", f"berth.service={service}"]
        found = self.engine.containers.list(filters={"label": labels, "status": "running"})
        return [one for one in found if "-step-" not in one.name]

    def container(self, service: str) -> Container:
        """The one of this service that runs."""
        (found,) = self.running(service)
        return found

    def close(self) -> None:
        """Takes the stack down with its data."""
        stack = self.deployment.stack
        self.deployment.berth("destroy", "--with-data", text=f"{stack}\n", check=False)
        filters = {"label": f"berth.stack={stack}"}
        for container in self.engine.containers.list(all=True, ignore_removed=True, filters=filters):
            container.remove(force=True, v=True)
        for volume in self.engine.volumes.list(filters=filters):
            volume.remove(force=True)
        for network in self.engine.networks.list(filters=filters):
            network.remove()
        self.engine.close()


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trainer]:
    """Up once for all tests of this module, which change it one after the other."""
    made = Trainer(tmp_path_factory.mktemp("gpu"))
    try:
        made.configure(device="cuda")
        refused = made.deployment.berth("up", check=False)
        assert refused.returncode == 1
        for words in ("berth:gpu.device: cuda", "no NVIDIA driver is on this machine", "allowed: cpu"):
            assert words in refused.stderr, refused.stderr
        made.configure(device="cpu")
        made.deployment.berth("up")
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def client(trainer: Trainer) -> Iterator[httpx.Client]:
    """HTTPS to the door; its certificate is checked with the stack's authority alone."""
    with trainer.deployment.client() as made:
        yield made


def test_cuda_without_a_gpu_is_refused_and_changes_nothing(trainer: Trainer) -> None:
    """In a running stack, too; Pulumi alone refuses it in the same words."""
    before = trainer.container("app").id
    trainer.configure(device="cuda")
    try:
        refused = trainer.deployment.berth("up", check=False)
        assert refused.returncode == 1 and "no NVIDIA driver is on this machine" in refused.stderr
        stack = trainer.deployment.stack
        script = f'eval "$(./berth env -s {stack})" && pulumi preview --stack {stack}'
        alone = trainer.deployment.shell(script, check=False)
        assert alone.returncode and "no NVIDIA driver is on this machine" in alone.stdout + alone.stderr
    finally:
        trainer.configure(device="cpu")
    assert trainer.container("app").id == before


def test_health_says_on_what_it_runs(client: httpx.Client) -> None:
    found = client.get("/api/health").json()
    assert (found["status"], found["speech"]["device"], found["speech"]["engine"]) == (
        "ok",
        "cpu",
        "espeak-ng",
    )
    assert found["database"]["kind"] == "sqlite" and found["speech"]["limit"] == 2


def test_an_exercise_is_spoken_and_its_sound_fetched(client: httpx.Client) -> None:
    assert "Listening trainer" in client.get("/").text
    text = client.post("/api/exercises", json={}).json()["text"]
    answer = client.post("/api/tts", json={"text": text})
    assert answer.status_code == 200, answer.text
    sound = client.get(answer.json()["url"])
    assert sound.status_code == 200 and "immutable" in sound.headers["cache-control"]
    samples, rate = soundfile.read(io.BytesIO(sound.content))
    assert len(samples) / rate > 1 and float((samples**2).mean()) ** 0.5 > 0.01, "silence"


def test_the_sound_comes_from_the_door_itself(trainer: Trainer, client: httpx.Client) -> None:
    url = client.post("/api/tts", json={"text": "From the door itself."}).json()["url"]
    assert client.get(url).status_code == 200
    log = trainer.container("app").logs().decode()
    assert '"url":"/api/tts"' in log and url not in log
    assert client.get("/audio/../../etc/passwd").status_code == 404
    assert client.post(url).status_code == 405


def test_practice_outlives_the_container(trainer: Trainer, client: httpx.Client) -> None:
    account = {"email": "ann@example.org", "password": "correct horse"}
    token = client.post("/api/register", json=account).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    wrote = client.post("/api/practice", json={"said": "one two", "heard": "one"}, headers=headers)
    assert wrote.status_code == 201
    trainer.container("app").restart()
    trainer.deployment.berth("up")
    assert client.get("/api/practice", headers=headers).json()["practice"][0]["score"] == 0.5


def test_the_administration_is_reached_by_operators_alone(trainer: Trainer, client: httpx.Client) -> None:
    """On loopback; not through the door, nor on any other address of the host."""
    admin = httpx.Client(base_url=f"http://127.0.0.1:{trainer.deployment.admin_port}", trust_env=False)
    assert admin.get("/").headers["location"] == "/admin" and admin.get("/admin").status_code == 200
    assert admin.get("/api/health").status_code == 404
    for path in ("/admin", "/admin/api/users", "/admin/api/login"):
        assert client.get(path).status_code == 404, path
    bindings = trainer.container("admin").attrs["NetworkSettings"]["Ports"]["3005/tcp"]
    assert {one["HostIp"] for one in bindings} == {"127.0.0.1"}
    bridge = trainer.engine.networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{bridge}:{trainer.deployment.admin_port}/admin", trust_env=False, timeout=5)


def test_the_doors_network_leads_to_the_door_alone(trainer: Trainer) -> None:
    """Whoever is on it, as a certificate client will be, finds neither application nor administration."""
    network = f"{trainer.deployment.stack}-nginx"
    script = (
        'for at in app:3000 admin:3005; do bash -c "exec 3<>/dev/tcp/${at%:*}/${at#*:}" 2>/dev/null'
        " && echo $at; done; bash -c 'exec 3<>/dev/tcp/nginx/443' && echo door"
    )
    told = said(
        trainer.engine,
        trainer.container("app").image.id,
        ["bash", "-c", script],
        entrypoint="",
        network=network,
        labels={"berth.stack": trainer.deployment.stack},
    )
    assert told.split() == ["door"]


def test_plain_http_is_led_to_https(trainer: Trainer) -> None:
    plain = f"http://127.0.0.1:{trainer.deployment.plain_port}/api/health"
    answer = httpx.get(plain, trust_env=False)
    assert answer.status_code == 301 and answer.headers["location"].startswith("https://")


def test_health_is_written_line_by_line_and_tells_the_truth(trainer: Trainer) -> None:
    watch = trainer.container("healthcheck")

    def look() -> tuple[int, dict[str, str]]:
        code, said = watch.exec_run(["care-health", "once", "--json"])
        return code, {label: one["state"] for label, one in json.loads(said)["checks"].items()}

    code, seen = look()
    # A busy machine is worth a warning.
    assert code in (0, 1) and {*seen.values()} <= {"HEALTHY", "WARNING"}, seen
    labels = ("door", "app", "admin", "speech", "audio", "database", "certificate")
    assert {label: seen[label] for label in labels} == dict.fromkeys(labels, "HEALTHY")
    written = watch.exec_run(["cat", "/logs/health.log"])[1].decode().splitlines()
    assert written and all(json.loads(line)["checks"].keys() == seen.keys() for line in written)
    admin = trainer.container("admin")
    admin.pause()
    try:
        code, seen = look()
    finally:
        admin.unpause()
    assert code == 2 and seen["admin"] == "UNHEALTHY" and seen["app"] == "HEALTHY"


def test_speech_that_fails_is_seen_though_the_app_runs(trainer: Trainer) -> None:
    app, watch = trainer.container("app"), trainer.container("healthcheck")

    def look() -> dict[str, str]:
        said = watch.exec_run(["care-health", "once", "--json"])[1]
        return {label: one["state"] for label, one in json.loads(said)["checks"].items()}

    assert look()["speech"] == "HEALTHY"
    # What was spoken before can still be read, and the app answers; a new sound finds no place.
    assert app.exec_run(["chmod", "a-w", "/app/public/audio"]).exit_code == 0
    try:
        seen = look()
    finally:
        app.exec_run(["chmod", "u+w", "/app/public/audio"])
    assert seen["speech"] == "UNHEALTHY" and seen["app"] == "HEALTHY", seen
    assert look()["speech"] == "HEALTHY"


def looked_at(trainer: Trainer) -> tuple[int, dict[str, tuple[str, str]]]:
    """What `./berth health` exits with; by check its state and reason, the worst where there are several."""
    done = trainer.deployment.berth("health", "gpu", "--json", check=False)
    document = json.loads(done.stdout)
    states = ["HEALTHY", "WARNING", "UNHEALTHY"]
    assert done.returncode == states.index(document["state"]), done.stderr
    found: dict[str, tuple[str, str]] = {}
    for one in sorted(document["findings"], key=lambda it: states.index(it["state"])):
        found[one["check"]] = one["state"], one["reason"]
    return done.returncode, found


def test_the_verb_says_how_it_is_with_its_exit_status(trainer: Trainer, client: httpx.Client) -> None:

    began = datetime.now(UTC)

    def is_well() -> bool:
        """The watch looked since then, was asked how that was, and all the others are well, too."""
        written = trainer.container("healthcheck").exec_run(["tail", "-n1", "/logs/health.log"])[1]
        if not written:  # it was cut just now
            return False
        line = json.loads(written)
        probed = trainer.container("healthcheck").attrs["State"]["Health"]["Log"][-1]["Start"]
        health = [
            trainer.container(name).attrs["State"]["Health"] for name in ("healthcheck", "admin", "app")
        ]
        return bool(
            began < datetime.fromisoformat(line["time"]) < datetime.fromisoformat(f"{probed[:19]}+00:00")
            and all(one["Status"] == "healthy" and one["FailingStreak"] == 0 for one in health)
        )

    wait_for(is_well, what="nothing remembers what was paused before")
    code, found = looked_at(trainer)
    well = (
        "containers", "address", "door-certificate", "restarts",
        "door", "app", "admin", "speech", "audio", "database", "certificate",
    )  # fmt: skip
    assert {check: found[check][0] for check in well} == dict.fromkeys(well, "HEALTHY"), found
    # A machine that is busy or full is worth a warning, and so is an error that a test before provoked.
    others = {"cpu", "memory", "disk", "container-cpu", "container-memory", "logs"}
    assert set(found) == {*well, *others} and code < 2, found
    trainer.container("app").stop(timeout=5)
    code, found = looked_at(trainer)
    assert code == 2
    for check, words in (
        ("containers", "exited"),
        ("address", "HTTP 50"),
        ("app", "rror"),
        ("speech", "rror"),
    ):
        assert found[check][0] == "UNHEALTHY" and words in found[check][1], found
    assert found["database"][0] == found["admin"][0] == "HEALTHY"
    trainer.deployment.berth("up")
    watch = trainer.container("healthcheck")
    watch.pause()
    try:
        code, found = looked_at(trainer)
    finally:
        watch.unpause()
    assert code == 2 and found["healthcheck"][0] == "UNHEALTHY", found
    assert "it cannot be asked" in found["healthcheck"][1] and "app" not in found
    assert client.get("/api/health").json()["status"] == "ok"


def test_logs_are_looked_after(trainer: Trainer) -> None:
    rotation = trainer.container("logrotate")
    assert rotation.exec_run(["care-logrotate", "alive"]) == (0, b"ok\n")
    # Both write there, as the user that the system's files belong to.
    assert rotation.exec_run(["sh", "-c", "ls /logs/1 && touch /logs/1/mine && rm /logs/1/mine"])[0] == 0
    assert b"health.log" in rotation.exec_run(["ls", "/logs/1"])[1]


def test_no_secret_shows(trainer: Trainer) -> None:
    stack = trainer.deployment.stack
    script = f'eval "$(./berth env -s {stack})" && pulumi config --show-secrets --json --stack {stack}'
    config = json.loads(trainer.deployment.shell(script).stdout)
    secrets = config["berth:secrets"].get("objectValue") or json.loads(config["berth:secrets"]["value"])
    filters = {"label": f"berth.stack={stack}"}
    containers = trainer.engine.containers.list(all=True, filters=filters)
    seen = json.dumps([one.attrs for one in containers])
    seen += "".join(one.logs().decode(errors="replace") for one in containers)
    assert len(containers) > 5 and len(secrets) >= 3
    assert [name for name, value in secrets.items() if value in seen] == []


def test_a_second_look_changes_nothing(trainer: Trainer) -> None:
    stack = trainer.deployment.stack
    trainer.deployment.shell(
        f'eval "$(./berth env -s {stack})" && pulumi preview --expect-no-changes --stack {stack}'
    )


def test_a_new_version_loses_no_speech(trainer: Trainer, client: httpx.Client) -> None:
    before = trainer.container("app").id
    trainer.configure(app={"concurrency": 3})
    statuses = []
    with ThreadPoolExecutor(1) as pool:
        update = pool.submit(trainer.deployment.berth, "up")
        number = 0
        while not update.done():
            number += 1
            statuses.append(client.post("/api/tts", json={"text": f"number {number}"}).status_code)
            time.sleep(0.2)  # one client may ask ten times a second
        update.result()
    assert trainer.container("app").id != before
    assert len(statuses) > 10 and set(statuses) == {200}, statuses


def test_postgresql_and_redis_are_switched_on(trainer: Trainer, client: httpx.Client) -> None:
    """In a running stack; what SQLite held comes along."""
    before = client.get("/api/statistics").json()
    assert before["practice"] > 0
    trainer.configure(postgres={}, redis={})
    refused = trainer.deployment.berth("up", check=False)
    assert refused.returncode == 1 and "--new-secret gpu_postgres_password" in refused.stderr
    new = ("gpu_postgres_password", "gpu_postgres_certificate", "gpu_redis_password")
    trainer.deployment.berth("up", *(word for name in new for word in ("--new-secret", name)))
    assert client.get("/api/health").json()["database"] == {"kind": "postgresql"}
    assert client.get("/api/statistics").json() == before
    _, found = looked_at(trainer)
    for check in ("database", "cache", "postgres-integrity", "postgres-wal", "app"):
        assert found[check][0] == "HEALTHY", found
    assert found["database"][1] == "postgres:5432 takes connections"
    account = {"email": "ben@example.org", "password": "correct horse"}
    token = client.post("/api/register", json=account).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    for _ in range(3):  # the minute may just have been over, and on a busy machine again
        known = client.get("/api/statistics").json()
        wrote = client.post("/api/practice", json={"said": "one two", "heard": "one"}, headers=headers)
        assert wrote.status_code == 201
        if (answered := client.get("/api/statistics").json()) == known:
            break
    assert answered == known, "for a minute Redis answers"
    # Its data are protected from a stack file that forgets them.
    trainer.configure(postgres=None)
    refused = trainer.deployment.berth("up", check=False)
    assert refused.returncode == 1 and "gpu_postgres_password: no chosen system has such" in refused.stderr
    file = trainer.deployment.folder / f"Pulumi.{trainer.deployment.stack}.yaml"
    document = yaml.safe_load(file.read_text())
    secrets = document["config"]["berth:secrets"]
    taken = {name: secrets.pop(name) for name in new if "postgres" in name}
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    refused = trainer.deployment.berth("up", check=False)
    said = refused.stdout + refused.stderr
    assert refused.returncode == 1 and "a protected resource would be deleted" in said, said
    assert client.get("/api/health").json()["database"] == {"kind": "postgresql"}
    document = yaml.safe_load(file.read_text())
    document["config"]["berth:secrets"] |= taken
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    trainer.configure(postgres={})
    trainer.deployment.berth("up")
    assert client.post("/api/login", json=account).status_code == 200
    mounts = {mount["Destination"]: mount.get("Name") for mount in trainer.container("app").attrs["Mounts"]}
    assert mounts["/app/data"] == f"gpu-{trainer.deployment.stack}-app_data"
    # Switched off on purpose, in the words of the refusal; the volume stays on the engine.
    document = yaml.safe_load(file.read_text())
    del document["config"]["berth:secrets"]["gpu_redis_password"]
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    trainer.configure(redis=None)
    refused = trainer.deployment.berth("up", check=False)
    (advice,) = re.findall(r"(eval .*; ./berth up -s \w+)\.", refused.stderr)
    trainer.deployment.shell(advice)
    assert not trainer.running("redis") and client.get("/api/statistics").json()
    labels = [f"berth.stack={trainer.deployment.stack}", "berth.service=redis"]
    assert trainer.engine.volumes.list(filters={"label": labels})


def test_the_gateway_joins_it_on_the_same_host(trainer: Trainer, client: httpx.Client) -> None:
    port = free_port()
    gateway = {
        "network": {"name": f"{trainer.deployment.stack}-gateway"},
        "gateway": {"port": port, "address": "127.0.0.1"},
    }
    kept = trainer.container("app").id
    trainer.deployment.configure(trainer.settings, gateway=gateway)
    trainer.deployment.berth("up")
    assert httpx.get(f"http://127.0.0.1:{port}/api/douyin/health", trust_env=False).status_code == 200
    assert client.get("/api/health").json()["status"] == "ok"
    assert trainer.container("app").id == kept
    trainer.deployment.berth("preview", "--expect-no-changes")
