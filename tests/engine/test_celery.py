"""The celery system as its user and its operator have it: one stack, from `up` to `destroy` and back."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import count
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.engine.browser import NETWORK_CHANGED, WAIT, go, page, undisturbed
from tests.engine.load import Load, steady_load
from tests.engine.newer import newer_nginx, nothing_is_sent_again, readers_and_writers
from tests.engine.taifish import PEOPLE, Taifish, ended, export, until, upload
from tests.ports import free_port

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.timeout(1800)]

ROWS = [{"name": "Ada", "age": 36}, {"name": "李雷", "city": "北京"}]
ROWS_AS_CSV = "name,age,city\r\nAda,36,\r\n李雷,,北京\r\n"
# As an application that starts, answers nothing and says why.
BROKEN = """\
ARG BASE
FROM ${BASE}
USER root
RUN cd /usr/local/bin && chmod u+w taifish-app \\
    && printf '#!/bin/sh\\necho "the moon is in the wrong house"\\nexec sleep 600\\n' > taifish-app
USER 10001:10001
"""


@pytest.fixture(scope="module")
def taifish(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taifish]:
    """Up once for all tests of this module, which change it one after the other."""
    made = Taifish(tmp_path_factory.mktemp("celery"))
    try:
        made.said = made.deployment.berth("up").stderr
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def client(taifish: Taifish) -> Iterator[httpx.Client]:
    """HTTPS to the door; its certificate is checked with the stack's authority alone."""
    with taifish.deployment.client() as made:
        yield made


@pytest.fixture(scope="module")
def exported(taifish: Taifish, client: httpx.Client) -> str:
    """An export that was made before anything changed; its id."""
    id = export(client, rows=ROWS, name="人")
    assert ended(client, id)["state"] == "done"
    return id


def test_an_export_is_enqueued_polled_and_downloaded(
    taifish: Taifish, client: httpx.Client, exported: str
) -> None:
    task = ended(client, exported)
    assert (task["attempts"], task["result"]["rows"]) == (1, 2)
    answer = client.get(task["file"])
    assert answer.content.decode("utf-8-sig") == ROWS_AS_CSV
    assert answer.headers["Content-Disposition"].startswith("attachment")
    (file,) = (taifish.root / "data/app/exports").glob(f"*{exported}*")
    assert file.read_bytes() == answer.content, "it lies in the folder that the volume is bound to"
    assert file.stat().st_uid == 10001


def test_an_upload_is_analysed(taifish: Taifish, client: httpx.Client) -> None:
    id = upload(client, PEOPLE)
    result = ended(client, id)["result"]
    assert (result["rows"], [column["name"] for column in result["columns"]]) == (2, ["name", "city", "age"])
    assert result["columns"][2]["mean"] == 32.0
    assert (taifish.root / "data/app/uploads" / id).read_text() == PEOPLE
    sheet = ended(client, export(client, upload=id, format="xlsx"))
    with zipfile.ZipFile(BytesIO(client.get(sheet["file"]).content)) as archive:
        assert archive.read("xl/worksheets/sheet1.xml").count(b"<row ") == 3


def test_plain_http_is_led_to_https(taifish: Taifish) -> None:
    plain = f"http://127.0.0.1:{taifish.deployment.plain_port}"
    answer = httpx.get(f"{plain}/api/tasks?limit=1", trust_env=False, headers={"Host": "localhost"})
    assert answer.status_code in (301, 308), answer.text
    port = taifish.deployment.port
    assert answer.headers["Location"] == f"https://localhost:{port}/api/tasks?limit=1"


def test_a_name_that_is_not_ours_is_refused(taifish: Taifish, client: httpx.Client) -> None:
    evil = {"Host": "evil.example"}
    assert client.get("/api/tasks", headers=evil).status_code == 421
    plain = f"http://127.0.0.1:{taifish.deployment.plain_port}/x"
    answer = httpx.get(plain, trust_env=False, headers=evil)
    assert answer.headers["Location"] == f"https://localhost:{taifish.deployment.port}/x"


def test_each_header_is_said_once(client: httpx.Client) -> None:
    home = client.get("/")
    (name, *_) = [part.split('"')[0] for part in home.text.split('"/static/')[1:]]
    for answer in (home, client.get(f"/static/{name}"), client.get("/api/tasks/none")):
        names = [name.lower() for name, _ in answer.headers.multi_items()]
        assert [name for name in set(names) if names.count(name) > 1] == []
        assert {"strict-transport-security", "content-security-policy", "x-content-type-options"} <= set(
            names
        )


def test_a_person_uploads_a_table_in_a_browser(taifish: Taifish, tmp_path: Path) -> None:
    problems: list[str] = []
    authority = str(taifish.deployment.outputs()["authority"])

    def visit() -> None:
        problems.clear()
        go(tab, taifish.deployment.url)
        table = {"name": "seen.csv", "mimeType": "text/csv", "buffer": PEOPLE.encode()}
        tab.set_input_files("input[name=file]", table)
        tab.click("form#upload button")
        expect(tab.locator("#status")).to_contain_text("accepted", timeout=WAIT)
        row = tab.locator("#tasks tr", has_text="seen.csv: 2 rows").first
        expect(row).to_be_visible(timeout=WAIT)
        row.locator("button[data-format=csv]").click()
        expect(tab.locator("#tasks a", has_text="2 rows, csv").first).to_be_visible(timeout=WAIT)
        assert tab.evaluate("getComputedStyle(document.querySelector('header')).display") == "flex"

    with page(tmp_path / "home", authority=authority) as tab:
        tab.on("pageerror", lambda error: problems.append(str(error)))
        # What the content security policy keeps from happening is an error there, too.
        tab.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
        undisturbed(tab, visit)
    assert [it for it in problems if NETWORK_CHANGED not in it] == []


def test_nobody_elses_authority_will_do(taifish: Taifish) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(taifish.deployment.url, trust_env=False, verify=ssl.create_default_context())


def test_static_files_are_kept_for_a_year(client: httpx.Client) -> None:
    home = client.get("/")
    assert home.status_code == 200 and home.headers["Content-Type"].startswith("text/html")
    (name, *_) = [part.split('"')[0] for part in home.text.split('"/static/')[1:]]
    answer = client.get(f"/static/{name}")
    assert answer.status_code == 200
    words = {word.strip() for word in answer.headers["Cache-Control"].split(",")}
    assert words == {"public", "immutable", "max-age=31536000"}
    assert "Expires" in answer.headers or "max-age=31536000" in words


def test_addresses_are_those_of_the_document(taifish: Taifish) -> None:
    network = taifish.settings["network"]["name"]

    def addresses(service: str) -> set[str]:
        return {
            container.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]
            for container in taifish.containers(service)
        }

    for service, number in {"nginx": 10, "postgres": 30, "redis": 40}.items():
        assert addresses(service) == {taifish.address(number)}
    apps = addresses("app")
    assert taifish.address(20) in apps and len(apps) == 3


def test_only_the_door_is_published(taifish: Taifish) -> None:
    published = {
        (container.labels["berth.service"], port, binding["HostIp"], int(binding["HostPort"]))
        for container in taifish.containers()
        for port, bindings in container.attrs["NetworkSettings"]["Ports"].items()
        for binding in bindings or ()
    }
    deployment = taifish.deployment
    assert published == {
        ("nginx", "80/tcp", "127.0.0.1", deployment.plain_port),
        ("nginx", "443/tcp", "127.0.0.1", deployment.port),
    }


def test_folders_have_their_owners_and_modes(taifish: Taifish) -> None:
    found = {
        str(path.relative_to(taifish.root)): (path.stat().st_uid, oct(path.stat().st_mode & 0o777))
        for path in [*taifish.root.iterdir(), *taifish.root.glob("data/*"), *taifish.root.glob("data/app/*")]
    }
    assert found == {
        "data": (0, "0o755"),
        "data/postgres": (70, "0o700"),
        "data/redis": (999, "0o700"),
        "data/app": (0, "0o755"),
        **{f"data/app/{name}": (10001, "0o750") for name in ("logs", "uploads", "exports", "backups")},
        "ssl": (10001, "0o755"),
        "logs": (10001, "0o755"),
        "backups": (70, "0o700"),
    }
    assert sorted(path.name for path in (taifish.root / "ssl").iterdir()) == [
        "authority.pem", "certificate.pem", "postgres-authority.pem"
    ]  # fmt: skip
    assert "PRIVATE" not in "".join(path.read_text() for path in (taifish.root / "ssl").iterdir())
    # It is what a client on this machine needs.
    context = ssl.create_default_context(cafile=str(taifish.root / "ssl/authority.pem"))
    assert httpx.get(f"{taifish.deployment.url}/health", trust_env=False, verify=context).status_code == 200
    assert "certificates: wrote" in (taifish.root / "logs/system.log").read_text()


def test_no_secret_shows(taifish: Taifish) -> None:
    stack = taifish.deployment.stack
    script = f'eval "$(./berth env -s {stack})" && pulumi config --show-secrets --json --stack {stack}'
    config = json.loads(taifish.deployment.shell(script).stdout)
    values = json.loads(config["berth:secrets"]["value"]).values()
    keys = [
        value.partition("-----BEGIN CERTIFICATE-----")[0].splitlines()[1] for value in values if "\n" in value
    ]
    secrets = keys + [value for value in values if "\n" not in value]
    assert len(secrets) == 4 and all(len(secret) >= 16 for secret in secrets)
    for container in taifish.containers(every=True):
        told = json.dumps(container.attrs) + container.logs().decode(errors="replace")
        assert not [secret for secret in secrets if secret in told], container.name


def test_a_preview_after_up_shows_no_change(taifish: Taifish) -> None:
    taifish.deployment.berth("preview", "--expect-no-changes")


def test_the_hint_after_up_works_as_printed(taifish: Taifish) -> None:
    hint = "curl " + taifish.said.rpartition("   curl ")[2].strip()
    done = subprocess.run(hint.split(), capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0 and json.loads(done.stdout) == {"status": "ok"}, hint + done.stderr


def test_status_tells_services_and_sums_up_jobs(taifish: Taifish) -> None:
    said = taifish.deployment.berth("status").stdout
    rows = Counter(line.split()[1] for line in said.splitlines() if " running " in line)
    assert rows["app"] == 3 and rows["worker"] == 2 and rows["beat"] == 1
    assert "exited" not in said and "one-shot jobs are done" in said
    assert " done " in taifish.deployment.berth("status", "--all").stdout


def test_a_killed_workers_task_is_done_once(taifish: Taifish, client: httpx.Client) -> None:
    body = "n,a,b,c,d\n" + "".join(f"{n},{n * 7},text {n},{n}.5,x\n" for n in range(120_000))
    table = upload(client, body, "big.csv")
    assert ended(client, table)["result"]["rows"] == 120_000
    id = export(client, upload=table, format="xlsx")
    until(
        "the export runs",
        lambda: True if client.get(f"/api/tasks/{id}").json()["state"] == "running" else None,
    )
    (victim,) = [c for c in taifish.containers("worker") if id in c.logs(tail=20).decode()]
    # As if it died by itself: whom Docker kills by order, it does not start again.
    os.kill(victim.attrs["State"]["Pid"], signal.SIGKILL)
    task = ended(client, id, 240)
    assert (task["state"], task["attempts"], task["result"]["rows"]) == ("done", 2, 120_000)
    lines = [
        json.loads(line)
        for file in (taifish.root / "data/app/logs").glob("worker-*.jsonl")
        for line in file.read_text().splitlines()
    ]
    events = Counter(line["event"] for line in lines if line.get("task") == id)
    assert (events["task-started"], events["task-done"]) == (2, 1), events

    def back() -> bool | None:
        victim.reload()
        return True if victim.attrs["State"].get("Health", {}).get("Status") == "healthy" else None

    until("the worker is back", back)


@contextmanager
def users(taifish: Taifish, exported: str) -> Iterator[Load]:
    """Readers and writers at work until the block ends; fails, with what the application said, if one failed.

    Each request has a connection of its own: the nginx of Debian closes idle ones when it reloads.
    """
    numbers = count()
    limits = httpx.Limits(max_keepalive_connections=0)
    trust = taifish.deployment.trust()
    with httpx.Client(
        base_url=taifish.deployment.url, timeout=30, trust_env=False, verify=trust, limits=limits
    ) as client:

        def request() -> None:
            if next(numbers) % 10 == 0:
                answer = client.post("/api/exports", json={"rows": [{"a": 1}]})
                assert answer.status_code == 202, f"{answer.status_code} {answer.text}"
            else:
                answer = client.get(f"/api/exports/{exported}/file")
                assert answer.status_code == 200, f"{answer.status_code} {answer.text}"

        with steady_load(request, threads=2, pause=0.1) as load:
            yield load
    logs = (taifish.root / "data/app/logs").glob("app-*.jsonl")
    trouble = [line for log in logs for line in log.read_text().splitlines() if "-trouble" in line]
    assert load.failures == [], trouble
    assert load.answered > 100


@contextmanager
def fewest_apps(taifish: Taifish) -> Iterator[list[int]]:
    """The smallest number of application containers that ran at the same time during the block."""
    stop, fewest = threading.Event(), [len(taifish.containers("app"))]

    def watch() -> None:
        while not stop.wait(0.1):
            fewest[0] = min(fewest[0], len(taifish.containers("app")))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield fewest
    finally:
        stop.set()
        watcher.join()


def test_an_update_replaces_one_replica_at_a_time_and_loses_no_request(
    taifish: Taifish, exported: str
) -> None:
    before = {container.id for container in taifish.containers("app")}
    taifish.configure({"app": {"health_interval": "4s"}})
    with fewest_apps(taifish) as fewest, users(taifish, exported):
        taifish.deployment.berth("up")
    after = taifish.containers("app")
    assert len(after) == 3 and before.isdisjoint(container.id for container in after)
    assert fewest == [2], "one at a time"


def test_an_update_that_never_becomes_healthy_leaves_the_old_version_serving(
    taifish: Taifish, exported: str
) -> None:
    (image, *_) = {container.attrs["Config"]["Image"] for container in taifish.containers("app")}
    broken = taifish.deployment.folder / "broken"
    broken.mkdir()
    (broken / "Dockerfile").write_text(BROKEN)
    before = {container.id for container in taifish.containers("app")}
    wish = {"source": "build", "context": "broken", "args": {"BASE": image}}
    taifish.configure({"app": {"image": wish}})
    with users(taifish, exported):
        failed = taifish.deployment.berth("up", check=False)
    said = failed.stdout + failed.stderr
    assert failed.returncode and "Traceback" not in said
    assert "celery-app-1" in failed.stderr and "unhealthy" in said
    assert "the moon is in the wrong house" in said, "the last lines of its log"
    left = before & {container.id for container in taifish.containers("app")}
    assert len(left) == 2, "the update stopped at the first replica"
    assert taifish.deployment.berth("status", check=False).returncode == 1
    del taifish.settings["app"]["image"]
    taifish.configure()
    with users(taifish, exported):
        taifish.deployment.berth("up")
    assert taifish.deployment.berth("status").returncode == 0
    assert len(taifish.containers("app")) == 3
    taifish.deployment.berth("preview", "--expect-no-changes")


def test_destroyed_and_up_again_beside_the_gateway_with_its_data(taifish: Taifish, exported: str) -> None:
    deployment = taifish.deployment
    deployment.berth("destroy", "--yes")
    left = deployment.objects(taifish.engine)
    assert left["containers"] == [] and left["networks"] == []
    gateway = {
        "network": {"name": f"{deployment.stack}-gateway"},
        "gateway": {"port": free_port(), "address": "127.0.0.1"},
    }
    # For the next test: a newer nginx, and no more replicas than it takes to replace one after the other.
    changes = {"nginx": {"image": newer_nginx(taifish.engine)}, "app": {"replicas": 2}}
    taifish.configure(changes, gateway=gateway)
    deployment.berth("up")
    assert deployment.berth("status").returncode == 0
    port = gateway["gateway"]["port"]
    assert httpx.get(f"http://127.0.0.1:{port}/api/douyin/health", trust_env=False).status_code == 200
    with deployment.client() as client:
        assert client.get(f"/api/exports/{exported}/file").content.decode("utf-8-sig") == ROWS_AS_CSV
        assert ended(client, export(client, rows=ROWS))["state"] == "done"
    deployment.berth("preview", "--expect-no-changes")


def test_on_a_newer_nginx_nobody_has_to_send_again(taifish: Taifish, exported: str) -> None:
    before = {container.id for container in taifish.containers("app")}
    deployment = taifish.deployment
    taifish.configure({"app": {"health_interval": "2s"}})
    users = readers_and_writers(deployment, exported)
    with nothing_is_sent_again(taifish.engine, deployment.stack, deployment.url, users, sockets=0):
        deployment.berth("up")
    after = {container.id for container in taifish.containers("app")}
    assert len(after) == 2 and before.isdisjoint(after)
