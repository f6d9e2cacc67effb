"""cloud-api as its users have it: a visit in a browser, edits with speech, changes under load, the end."""

from __future__ import annotations

import io
import json
import re
import wave
from collections.abc import Iterator
from pathlib import Path

import docker
import httpx
import pytest
from playwright.sync_api import expect

from tests.docker.editor import Person, progress, recording
from tests.engine.audience import Audience, audience
from tests.engine.browser import WAIT, edit_audio, page, screenshots, see
from tests.engine.cloud_api import CloudApi, another_password
from tests.engine.newer import editors, newer_nginx, nothing_is_sent_again

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.timeout(1800)]

SERVICES = ("nginx", "frontend", "backend", "tts-proxy", "tts-stand-in", "mysql", "redis")
CHANGED = {"nginx": {"drain": "6s"}, "backend": {"max_upload": "1MiB"}}
EDIT = [
    {"type": "trim", "start": 0.5},
    {"type": "gain", "db": -6},
    {"type": "speech", "text": "Good evening.", "provider": "gpt-sovits"},
    {"type": "fade", "in": 0.1, "out": 0.1},
]
MYSQL = """
const fs = require('fs'), mysql = require('mysql2/promise');
const { MYSQL_HOST: host, MYSQL_USER: user, MYSQL_DATABASE: database } = process.env;
const password = fs.readFileSync(process.env.MYSQL_PASSWORD_FILE, 'utf8').trim();
const ask = async (ssl) => {
  try {
    const connection = await mysql.createConnection({ host, user, password, database, ssl });
    const [[row]] = await connection.query("SHOW STATUS LIKE 'Ssl_version'");
    await connection.end();
    return row.Value;
  } catch (error) { return error.message; }
};
(async () => {
  const ca = fs.readFileSync(process.env.MYSQL_CA_FILE, 'utf8');
  console.log(JSON.stringify({ plain: await ask(), tls: await ask({ ca }) }));
})();
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env(timeout=1200)
    yield client
    client.close()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, engine: docker.DockerClient) -> Iterator[CloudApi]:
    system = CloudApi(tmp_path_factory.mktemp("cloud-api"), engine)
    try:
        up = system.deployment.berth("up")
        assert f"cloud-api is up and answers: {system.url}" in up.stdout
        yield system
    finally:
        system.close()


@pytest.fixture(scope="module")
def ann(system: CloudApi) -> Person:
    """Logged in once, at the beginning."""
    return system.person()


@pytest.fixture(scope="module")
def result(ann: Person) -> tuple[str, bytes]:
    """An edit of hers and its sound; watched by WebSocket from the beginning to the end."""
    project = ann.project("Evening show")
    uploaded = ann.upload(project, recording(2.0, rate=22050))
    assert uploaded.status_code == 201, uploaded.text
    with ann.listen() as socket:
        job = ann.edit(project, EDIT, source=uploaded.json()["id"])
        told = progress(socket, job)
    percents = [event["percent"] for event in told]
    assert told[-1]["status"] == "done", told[-1]
    assert percents == sorted(percents) and percents[-1] == 100 and len(set(percents)) > 3
    return job, ann.result(job)


def test_an_edit_with_speech_comes_back_as_sound(result: tuple[str, bytes]) -> None:
    with wave.open(io.BytesIO(result[1])) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (22050, 1, 2)
        # A second and a half of the upload, and two words.
        assert sound.getnframes() / 22050 > 1.9


def test_an_upload_larger_than_the_edges_memory_for_files_arrives(ann: Person) -> None:
    large = recording(1000, rate=44100)
    assert 64 * 2**20 < len(large) < 100 * 2**20
    uploaded = ann.upload(ann.project("Long"), large)
    assert uploaded.status_code == 201, uploaded.text


def test_a_person_edits_in_a_browser_that_trusts_the_stacks_authority(
    system: CloudApi, tmp_path: Path
) -> None:
    authority = str(system.deployment.outputs()["authority"])
    with page(tmp_path / "home", authority=authority) as tab:
        visit = edit_audio(tab, system.url, recording(3.0), screenshots(tmp_path))
    assert visit.problems == []
    assert visit.percents == sorted(visit.percents) and visit.percents[-1] == 100
    assert visit.seconds > 3
    assert visit.sockets == [system.url.replace("https", "wss") + "/ws"]
    assert all(picture.stat().st_size > 10_000 for picture in visit.screenshots)


def test_plain_http_leads_to_https_and_what_is_internal_stays_inside(system: CloudApi) -> None:
    deployment = system.deployment
    plain = httpx.get(f"http://127.0.0.1:{deployment.plain_port}/a?b=c", trust_env=False)
    assert (plain.status_code // 100, plain.headers["location"]) == (3, f"{system.url}/a?b=c")
    with deployment.client() as client:
        assert client.get("/health").json()["status"] == "ok"
        for path in ("/metrics", "/v1/voices", "/admin/providers"):
            assert client.get(path).headers["content-type"].startswith("text/html")  # the page's own paths
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(system.url, trust_env=False)


def test_only_the_door_is_published_and_every_container_is_hardened(system: CloudApi) -> None:
    published = set()
    for service in SERVICES:
        containers = system.running(service)
        assert len(containers) == (2 if service == "backend" else 1), service
        for container in containers:
            host, config = container.attrs["HostConfig"], container.attrs["Config"]
            assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"], service
            assert host["SecurityOpt"] == ["no-new-privileges"] and not host["Privileged"], service
            assert host["Memory"] == host["MemorySwap"] > 0 and host["NanoCpus"] + host["CpuQuota"] > 0, (
                service
            )
            assert config["User"].partition(":")[0] not in ("", "0", "root"), service
            assert container.attrs["State"]["Health"]["Status"] == "healthy", service
            ports = container.attrs["NetworkSettings"]["Ports"]
            published |= {
                (service, port, binding["HostIp"], int(binding["HostPort"]))
                for port, bindings in ports.items()
                for binding in bindings or ()
            }
    door = system.deployment
    assert published == {
        ("nginx", "443/tcp", "127.0.0.1", door.port),
        ("nginx", "80/tcp", "127.0.0.1", door.plain_port),
    }


def test_the_database_refuses_what_is_not_encrypted(system: CloudApi) -> None:
    answers = json.loads(system.script(MYSQL))
    assert answers["tls"].startswith("TLSv1.")
    # The same login without TLS. MySQL names the reason, MariaDB does not.
    assert re.search("insecure transport are prohibited|Access denied for user", answers["plain"])


def test_no_secret_shows_anywhere(system: CloudApi, engine: docker.DockerClient) -> None:
    secrets = system.secrets()
    assert len(secrets) == 7
    # Of a certificate, the key's first line.
    hidden = {text.splitlines()[1] if text.startswith("-----BEGIN") else text for text in secrets.values()}
    folder = system.deployment.folder
    states = "".join(
        path.read_text(errors="replace") for path in folder.parent.glob("data/**/*") if path.is_file()
    )
    places = {"state": states, "stack file": (folder / f"Pulumi.{system.stack}.yaml").read_text()}
    for container in engine.containers.list(all=True, filters={"label": f"berth.stack={system.stack}"}):
        places[f"inspect {container.name}"] = json.dumps(container.attrs)
        places[f"log of {container.name}"] = container.logs().decode(errors="replace")
    assert len(places["state"]) > 100_000
    assert [place for place, text in places.items() if any(word in text for word in hidden)] == []


def test_a_preview_after_up_shows_no_change(system: CloudApi) -> None:
    system.unchanged()


def unharmed(system: CloudApi, seen: Audience) -> None:
    """Nobody met a failure; where somebody did, what the engine and the edge did meanwhile is told."""
    failures = [*seen.failures, *seen.proxy.get("failures", [])]
    assert not failures, "\n".join([*failures[:20], *system.happened(seen.began)])
    assert seen.answered > 500 and seen.messages > 0
    assert seen.resent < seen.answered / 100


def test_everything_is_replaced_without_a_failed_request(
    system: CloudApi, ann: Person, result: tuple[str, bytes]
) -> None:
    """One `up`: a new drain replaces frontend, backend and tts-proxy; a new limit changes nginx in place."""
    replaced = ("frontend", "backend", "tts-proxy")
    before, doors = system.ids(*replaced), system.ids("nginx", "mysql", "redis", "tts-stand-in")
    project = ann.project("Long")
    large = recording(40, rate=22050)
    assert ann.upload(project, large).status_code == 201
    system.configure(CHANGED)
    (aside,) = system.running("tts-stand-in")
    with audience(system.url, system.person(), inside=aside) as seen:
        system.deployment.berth("up")
    unharmed(system, seen)
    assert seen.edits > 0 and seen.closed > 0
    assert seen.proxy["answered"] > 200 and seen.proxy["spoken"] > 3
    after = system.ids(*replaced)
    assert len(after) == len(before) == 4 and not after & before
    assert system.ids("nginx", "mysql", "redis", "tts-stand-in") == doors
    assert ann.upload(project, large).status_code == 413
    # Her session and her work are where they were.
    assert ann.get("/api/me")["name"] == ann.name
    assert ann.result(result[0]) == result[1]


def test_a_wrong_root_password_is_refused_before_the_database_is_touched(
    system: CloudApi, ann: Person
) -> None:
    kept, databases = system.secrets()["cloud_api_mysql_root_password"], system.ids("mysql", "backend")
    system.set_secret("cloud_api_mysql_root_password", another_password())
    up = system.deployment.berth("up", check=False)
    assert up.returncode != 0
    assert "the running server does not let root in" in up.stdout + up.stderr
    assert "set the root_password back" in up.stdout + up.stderr
    system.set_secret("cloud_api_mysql_root_password", kept)
    assert system.ids("mysql", "backend") == databases
    system.deployment.berth("up")
    assert system.ids("mysql", "backend") == databases, "what was refused and taken back restarted something"
    assert ann.get("/api/me")["name"] == ann.name


def test_a_version_that_never_becomes_healthy_leaves_the_old_one_serving(system: CloudApi) -> None:
    main = system.deployment.folder / "workloads/backend/src/main.js"
    good, before = main.read_text(), system.ids("backend")
    main.write_text("console.log('no licence: waiting for one');\nsetInterval(() => {}, 1000);\n")
    try:
        with audience(system.url, system.person()) as seen:
            up = system.deployment.berth("up", check=False)
    finally:
        main.write_text(good)
    unharmed(system, seen)
    said = up.stdout + up.stderr
    assert up.returncode != 0
    assert "unhealthy" in said and "no licence: waiting for one" in said
    assert system.ids("backend") >= before
    system.deployment.berth("up")
    assert len(system.running("backend")) == 2
    system.unchanged()


def test_what_cannot_work_is_reported_together_before_anything_is_touched(
    system: CloudApi, tmp_path: Path
) -> None:
    from stacks.certificates import Authority

    signer = Authority.new("berth in a test")
    for name in ("certificate", "key"):
        (tmp_path / f"{name}.pem").write_text(signer.issue(["localhost"]))
    files = {name: str(tmp_path / f"{name}.pem") for name in ("certificate", "key")}
    system.configure(
        {
            "nginx": {"certificate": {"kind": "files", **files}},
            "redis": {"memory": "64MiB"},
            "frontend": {"mode": "development", "replicas": 2},
        }
    )
    before = system.ids(*SERVICES)
    up = system.deployment.berth("up", check=False)
    system.configure(CHANGED)
    said = up.stdout + up.stderr
    assert up.returncode != 0
    for words in ("does not match its private key", "need 228MiB", "each would reload on its own"):
        assert words in said
    assert system.ids(*SERVICES) == before


def test_hot_reload_through_the_edge(system: CloudApi, tmp_path: Path) -> None:
    source = system.deployment.folder / "workloads/frontend/src"
    page_of_development = {"mode": "development", "memory": "512MiB", "source": str(source)}
    system.configure({**CHANGED, "frontend": page_of_development})
    system.deployment.berth("up")
    with page(tmp_path / "home", authority=str(system.deployment.outputs()["authority"])) as tab:
        see(tab, system.url, "Audio editor")
        tab.evaluate("window.same = true")
        view = source / "App.vue"
        view.write_text(view.read_text().replace("</span>Audio editor<", "</span>Changed<"))
        expect(tab.locator("h1")).to_contain_text("Changed", timeout=WAIT)
        assert tab.evaluate("window.same") is True, "the page was loaded anew"
        tab.screenshot(path=screenshots(tmp_path) / "reloaded.png")


def test_data_outlive_the_stack(
    system: CloudApi, engine: docker.DockerClient, ann: Person, result: tuple[str, bytes]
) -> None:
    system.deployment.berth("destroy", "--yes")
    left = system.deployment.objects(engine)
    names = ("logs", "mysql_data", "redis_data", "temp", "uploads")
    assert left == {
        "containers": [],
        "networks": [],
        "volumes": [f"cloud-api-{system.stack}-{name}" for name in names],
    }
    # For the next test.
    system.nginx["image"] = newer_nginx(engine)
    system.configure({})
    system.deployment.berth("up")
    again = system.again(ann.name)
    assert again.result(result[0]) == result[1]
    assert again.job(result[0])["status"] == "done"


def test_on_a_newer_nginx_nobody_has_to_send_again(system: CloudApi, engine: docker.DockerClient) -> None:
    replaced = ("frontend", "backend", "tts-proxy")
    before = system.ids(*replaced)
    users = editors(system.person())
    system.configure(CHANGED)
    with nothing_is_sent_again(engine, system.stack, system.url, users, sockets=4) as seen:
        system.deployment.berth("up")
    after = system.ids(*replaced)
    assert len(after) == len(before) == 4 and not after & before
    assert seen.messages > 0 and seen.closed > 0


def test_nothing_is_left(system: CloudApi, engine: docker.DockerClient) -> None:
    system.close()
    assert system.deployment.objects(engine) == {"containers": [], "networks": [], "volumes": []}
