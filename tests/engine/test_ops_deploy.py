"""`./berth deploy` on a real engine: releases made, updated, rolled back by themselves and by name."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.docker.images import busybox_image  # noqa: F401
from tests.engine.deployed import BROKEN, DeployBench, asking
from tests.engine.workbench import children, kill, wait_for
from tests.ports import free_port

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.usefixtures("busybox_image")]


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    found = docker.from_env()
    yield found
    found.close()


@pytest.fixture
def bench(tmp_path: Path, client: docker.DockerClient) -> Iterator[DeployBench]:
    made = DeployBench(tmp_path)
    yield made
    made.remove(client)


def service(bench: DeployBench, client: docker.DockerClient) -> str:
    """The id of the one container that serves."""
    (found,) = [c for c in bench.containers(client) if c.labels["berth.service"] == "app"]
    return str(found.id)


def test_releases_are_made_and_rolled_back_by_themselves_and_by_name(
    bench: DeployBench, client: docker.DockerClient
) -> None:
    assert "nothing deployed that could be updated" in bench.fails("deploy", "update")
    first = bench.deploy("init")
    assert (
        first["outcome"] == "deployed" and first["name"].endswith("Z-no-commit") and bench.answer() == "one"
    )
    built = next(image for image in first["images"] if image["name"].startswith(f"berth/{bench.name}:"))
    assert built["id"] == client.images.get(built["name"]).id
    assert "has containers already" in bench.fails("deploy", "init")

    unchanged = bench.deploy("update")
    assert unchanged["outcome"] == "unchanged" and not unchanged["kept_whole"]
    # A preview sees nothing of it.
    client.containers.get(service(bench, client)).pause()
    resumed = bench.deploy("update")
    assert resumed["outcome"] == "deployed" and bench.answer() == "one"

    bench.code("two")
    with asking(bench) as seen:
        second = bench.deploy("update")
    assert second["outcome"] == "deployed" and not seen.failures and seen.answers[-1] == "two"
    before = service(bench, client)

    bench.code("three", BROKEN)
    with asking(bench) as seen:
        done = bench.run("deploy", "update", "--json")
    assert done.returncode == 3, done.stdout + done.stderr
    assert not seen.failures and set(seen.answers) == {"two"} and len(seen.answers) > 20
    assert service(bench, client) == before, "what served goes on serving"
    failed = json.loads(done.stdout)
    assert failed["outcome"] == "rolled back" and failed["rolled_back_to"] == second["name"]
    assert before in failed["containers"].values()
    assert (
        "no setting named COLOUR" in done.stderr and f"rolled back to release {second['name']}" in done.stderr
    )
    assert (bench.root / "workloads/app/answer").read_text() == "three", "the user's files stay"
    kept = bench.kept / "releases" / failed["name"] / "definitions/workloads/app/answer"
    assert kept.read_text() == "three"
    bench.ok("status")

    # What stays on disk is what the next one would try again.
    assert bench.run("preview", "--expect-no-changes").returncode != 0
    with asking(bench) as seen:
        back = bench.deploy("rollback")
    assert back["of"] == resumed["name"] and not seen.failures and bench.answer() == "one"
    assert {image["id"] for image in back["images"]} == {image["id"] for image in first["images"]}
    assert bench.deploy("rollback")["of"] == first["name"]
    assert "no release before" in bench.fails("deploy", "rollback")
    assert "is what was deployed last" in bench.fails("deploy", "rollback", first["name"])
    assert "is no release: it was rolled back" in bench.fails("deploy", "rollback", failed["name"])
    assert "there is no deployment nope" in bench.fails("deploy", "rollback", "nope")
    forward = bench.deploy("rollback", second["name"])
    assert forward["of"] == second["name"] and bench.answer() == "two"

    client.images.remove(built["name"], force=True)
    said = bench.fails("deploy", "rollback", first["name"])
    assert f"{built['name']} is gone" in said and bench.answer() == "two"

    bench.code("four")
    bench.deploy("update")
    lines = [json.loads(line) for line in (bench.kept / "deployments.log").read_text().splitlines()]
    assert [(line["verb"], line["outcome"]) for line in lines] == [
        ("init", "deployed"),
        ("update", "unchanged"),
        ("update", "deployed"),
        ("update", "deployed"),
        ("update", "rolled back"),
        ("rollback", "deployed"),
        ("rollback", "deployed"),
        ("rollback", "deployed"),
        ("update", "deployed"),
    ]
    assert all("@" in line["who"] and line["seconds"] > 0 for line in lines)
    assert [one["name"] for one in bench.deployments()] == [line["name"] for line in lines]
    modes = {path.stat().st_mode & 0o777 for path in (bench.kept, *(bench.kept / "releases").iterdir())}
    assert modes == {0o700} and (bench.kept / "deployments.log").stat().st_mode & 0o777 == 0o600
    listed, shown = bench.ok("deploy", "list"), bench.ok("deploy", "show", failed["name"])
    assert listed.splitlines()[-1].startswith("* ") and listed.count("*") == 1
    assert f"rolled back to: {second['name']}" in shown and "became unhealthy" in shown


def test_what_does_not_answer_outside_is_rolled_back(bench: DeployBench, client: docker.DockerClient) -> None:
    """All containers are healthy; the address that the stack gives out is a closed one."""
    first = bench.deploy("init")
    before = service(bench, client)
    bench.choose(asked=free_port())
    said = bench.fails("deploy", "update", code=3)
    assert f"rolled back to release {first['name']}" in said and "no answer" in said
    assert service(bench, client) == before and bench.answer() == "one"
    bench.ok("status")
    assert bench.deploy("update", "--skip-tests")["outcome"] == "deployed"
    assert bench.run("status").returncode == 1


def test_what_is_refused_changes_nothing(bench: DeployBench, client: docker.DockerClient) -> None:
    said = bench.fails("deploy", "init", "--skip-build")
    assert f"the engine has no berth/{bench.name}:" in said and bench.containers(client) == []
    bench.choose(ip="0.0.0.0")  # a policy
    assert "a policy stopped `deploy init`" in bench.fails("deploy", "init", "--skip-tests")
    assert bench.containers(client) == []
    # A store whose server is none: it cannot be dumped.
    bench.choose(stores={"app": {"kind": "postgres", "database": "things", "user": "things"}})
    bench.deploy("init")
    before = service(bench, client)
    bench.code("two")
    said = bench.fails("deploy", "update")
    assert "the backup before the deployment failed" in said and "--no-backup" in said
    assert service(bench, client) == before and bench.answer() == "one"
    assert bench.deploy("update", "--no-backup")["outcome"] == "deployed"
    assert bench.answer() == "two"
    outcomes = [one["outcome"] for one in bench.deployments()]
    assert outcomes == ["refused", "refused", "deployed", "refused", "deployed"]
    said = bench.fails("deploy", "rollback")
    assert "the backup before the deployment failed" in said and "--no-backup" in said
    assert bench.answer() == "two" and bench.deployments()[-1]["outcome"] == "refused"
    assert len(list((bench.kept / "releases").iterdir())) == 2


def test_a_migration_is_not_crossed_unless_asked(bench: DeployBench) -> None:
    steps = bench.root / "workloads/app/migrations"
    steps.mkdir()
    (steps / "1.sql").write_text("CREATE TABLE a (id int)")
    first = bench.deploy("init")
    (steps / "2.sql").write_text("CREATE TABLE b (id int)")
    bench.code("two")
    bench.deploy("update")
    said = bench.fails("deploy", "rollback")
    assert (
        "the other side of a migration" in said and "nothing was changed" in said and bench.answer() == "two"
    )
    bench.deploy("rollback", "--accept-newer-schema")
    assert bench.answer() == "one"
    # Its image is still there: nothing is to be built.
    bench.deploy("update", "--skip-build")
    assert bench.answer() == "two"

    (steps / "3.sql").write_text("CREATE TABLE c (id int)")
    bench.code("three", BROKEN)
    said = bench.fails("deploy", "update", code=4)
    assert "the migrations are others" in said
    assert bench.answer() == "two"
    bench.fails("deploy", "update", "--accept-newer-schema", code=3)
    bench.ok("status")
    assert first["migrations"] != bench.deployments()[-1]["migrations"]


def test_an_interrupted_one_is_written_down_and_gone_back_from(
    bench: DeployBench, client: docker.DockerClient
) -> None:
    first = bench.deploy("init")
    bench.choose(patience="200s")
    bench.code("two", BROKEN)
    going = bench.start("deploy", "update")
    wait_for(lambda: len(bench.containers(client)) > 2, what="the new container")
    assert "deploy update of stack dev has been running" in bench.fails("deploy", "rollback")
    assert bench.deployments()[-1]["outcome"] == "running"
    going.send_signal(signal.SIGINT)
    _, err = going.communicate(timeout=120)
    assert going.returncode == 130, err
    assert "was interrupted" in err and first["name"] in err
    assert bench.answer() == "one" and bench.deployments()[-1]["outcome"] == "interrupted"

    bench.choose()
    bench.code("two")
    assert "was interrupted" in bench.fails("deploy", "update")
    back = bench.deploy("rollback")
    assert back["of"] == first["name"] and bench.answer() == "one"
    bench.deploy("update")
    assert bench.answer() == "two"


def test_a_killed_one_is_written_down_by_the_next(bench: DeployBench, client: docker.DockerClient) -> None:
    bench.deploy("init")
    bench.choose(patience="200s")
    bench.code("two", BROKEN)
    going = bench.start("deploy", "update")
    wait_for(lambda: len(bench.containers(client)) > 2, what="the new container")
    kill([going.pid, *children(going.pid)])
    going.communicate(timeout=60)
    assert bench.deployments()[-1]["outcome"] == "interrupted"
    bench.choose()
    bench.code("two")
    assert bench.deploy("update", "--force")["outcome"] == "deployed"
    assert bench.answer() == "two"
    assert [one["outcome"] for one in bench.deployments()] == ["deployed", "interrupted", "deployed"]
    (_,) = [c for c in bench.containers(client) if c.labels["berth.service"] == "app"]


def test_what_an_up_brought_is_not_passed_over(bench: DeployBench) -> None:
    """A hotfix by `up` is what runs, and in no release: nothing goes back past it without being told to."""
    first = bench.deploy("init")
    bench.code("hotfix")
    bench.ok("up")
    bench.code("two", BROKEN)
    said = bench.fails("deploy", "update", code=4)
    assert "was not rolled back" in said and bench.answer() == "hotfix"
    # What failed is previewed clean where its files are those of before, and is looked at all the same.
    assert bench.deployments()[-1]["outcome"] == "failed"
    bench.code("hotfix")
    made = bench.deploy("update")
    assert made["outcome"] == "deployed" and bench.answer() == "hotfix"
    bench.code("again")
    bench.ok("up")
    assert bench.deploy("rollback")["of"] == made["name"] and bench.answer() == "hotfix"
    assert bench.deploy("rollback")["of"] == first["name"] and bench.answer() == "one"


def test_a_checkout_names_its_commit_and_keeps_what_was_not_committed(bench: DeployBench) -> None:
    def git(*args: str) -> str:
        who = ("-c", "user.name=me", "-c", "user.email=me@example.com")
        done = subprocess.run(
            ["git", *who, *args], cwd=bench.root, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    (bench.root / ".gitignore").write_text("/.venv\n__pycache__/\nnotes.txt\n")
    (bench.root / "notes.txt").write_text("mine")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "one")
    commit = git("rev-parse", "HEAD")
    first = bench.deploy("init")
    assert first["commit"] == commit and first["name"].endswith(f"Z-{commit[:12]}")
    copy = bench.kept / "releases" / first["name"] / "definitions"
    assert (
        (copy / "__main__.py").exists() and not (copy / "notes.txt").exists() and not (copy / ".git").exists()
    )
    bench.code("two")
    second = bench.deploy("update")
    assert second["commit"] == commit and second["changed"]
    git("add", "-A")
    git("commit", "-q", "-m", "two")
    bench.code("three", BROKEN)
    git("commit", "-q", "-am", "three")
    bench.fails("deploy", "update", code=3)
    assert bench.answer() == "two" and git("status", "--porcelain") == ""
