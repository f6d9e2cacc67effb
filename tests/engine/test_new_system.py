"""docs/new-system.md to the letter on a real engine: written, deployed, used, updated under load, removed."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import docker
import httpx
import pytest
import yaml

from tests.engine.deployment import Deployment
from tests.engine.load import steady_load
from tests.guide import Block, blocks, write

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.timeout(900)]
PAGE = Path(__file__).parents[2] / "docs/new-system.md"


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, engine: docker.DockerClient) -> Iterator[Deployment]:
    """The system, up. It differs from the page in the names and ports that keep it apart from others."""
    deployment = Deployment(tmp_path_factory.mktemp("new-system"), "notes")
    (deployment.folder / f"Pulumi.{deployment.stack}.yaml").unlink()
    for block in page(deployment):
        if block.language != "sh":
            write(block, deployment.folder)
        elif "workloads" in block.text:
            deployment.shell(f"set -eu\n{block.text}")
    stack = yaml.safe_load((deployment.folder / f"Pulumi.{deployment.stack}.yaml").read_text())["config"]
    deployment.configure({})  # the network's name: all else is as the page has it
    again = yaml.safe_load((deployment.folder / f"Pulumi.{deployment.stack}.yaml").read_text())["config"]
    assert again["berth:notes"].pop("network") and again == stack
    deployment.configure({})
    try:
        deployment.shell(command(deployment, "berth up"))
        yield deployment
    finally:
        if any(deployment.objects(engine).values()):
            deployment.berth("destroy", "--with-data", text=f"{deployment.stack}\n", check=False)


def page(deployment: Deployment) -> list[Block]:
    """Its blocks, for this stack and its ports."""
    text = PAGE.read_text()
    for here, there in (
        ("-s notes", f"-s {deployment.stack}"),
        ("Pulumi.notes.yaml", f"Pulumi.{deployment.stack}.yaml"),
        ("8080", str(deployment.plain_port)),
        ("8443", str(deployment.port)),
    ):
        assert here in text
        text = text.replace(here, there)
    return blocks(text)


def command(deployment: Deployment, word: str) -> str:
    """The block of commands with this word in it."""
    (found,) = [block.text for block in page(deployment) if block.language == "sh" and word in block.text]
    return f"set -eu\n{found}"


def running(engine: docker.DockerClient, stack: str, service: str) -> set[str]:
    """The containers of a service."""
    mine = {"label": [f"berth.stack={stack}", f"berth.service={service}"], "status": "running"}
    return {container.id for container in engine.containers.list(filters=mine)}


def test_a_note_is_stored_and_read(deployment: Deployment, engine: docker.DockerClient) -> None:
    assert deployment.shell(command(deployment, "curl")).stdout == "milk, bread"
    assert len(running(engine, deployment.stack, "app")) == 2
    with deployment.client() as client:
        assert client.get("/never-written").status_code == 404
    with httpx.Client(trust_env=False) as plain:
        answer = plain.get(f"http://127.0.0.1:{deployment.plain_port}/shopping")
    assert (answer.status_code, answer.headers["location"]) == (301, f"{deployment.url}/shopping")


def test_a_preview_after_up_shows_no_change(deployment: Deployment) -> None:
    deployment.berth("preview", "--expect-no-changes")


def test_an_update_loses_no_request(deployment: Deployment, engine: docker.DockerClient) -> None:
    before, doors = running(engine, deployment.stack, "app"), running(engine, deployment.stack, "nginx")
    numbers, local = itertools.count(), threading.local()

    def request() -> None:
        if not hasattr(local, "client"):
            local.client = deployment.client()
            local.client.headers["connection"] = "close"  # docs/handover.md: a reload ends idle ones
        note = f"note {(number := next(numbers))}"
        assert local.client.put(f"/{number}", content=note).status_code == 201
        assert local.client.get(f"/{number}").text == note

    deployment.configure({"app": {"longest": "1KiB"}})
    with steady_load(request) as load:
        deployment.berth("up")
    assert load.failures == [] and load.answered > 100
    assert len(after := running(engine, deployment.stack, "app")) == 2 and after.isdisjoint(before)
    assert running(engine, deployment.stack, "nginx") == doors
    with deployment.client() as client:
        assert client.put("/long", content="x" * 1025).status_code == 413
        assert client.get("/shopping").text == "milk, bread"


def test_destroy_leaves_the_notes_alone(deployment: Deployment, engine: docker.DockerClient) -> None:
    deployment.shell(command(deployment, "berth destroy"))
    left = deployment.objects(engine)
    assert (left["containers"], left["networks"]) == ([], []) and len(left["volumes"]) == 1
    deployment.berth("destroy", "--with-data", text=f"{deployment.stack}\n")
    assert deployment.objects(engine)["volumes"] == []
