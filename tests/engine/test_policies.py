"""The policy pack inside the real engine: it stops previews and updates, and sees again what was unknown."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.engine.project import Project

pytestmark = pytest.mark.engine

PACK = str(Path(__file__).resolve().parents[2] / "policies")

OPEN_DATABASE = """
    import pulumi_docker as docker

    docker.Container(
        "db",
        image="policies-test:absent",
        ports=[docker.ContainerPortArgs(internal=5432, external=5432)],
        healthcheck=docker.ContainerHealthcheckArgs(tests=["CMD", "pg_isready"]),
        memory=32,
        cpus="0.1",
        restart="unless-stopped",
        log_driver="json-file",
        log_opts={"max-size": "10m", "max-file": "3"},
    )
"""
"""Sound but for its port, so that one rule alone stops it."""

LATE_SECRET = """
    import pulumi_docker as docker

    network = docker.Network("late", name="NAME")
    docker.Container(
        "web",
        image="policies-test:absent",
        envs=[network.id.apply(lambda id: f"DB_PASSWORD={id}")],
        start=False,
        must_run=False,
    )
"""
"""The network's id, and with it the variable, is known in an update only."""


@pytest.fixture
def network_name() -> Iterator[str]:
    name = f"policies-test-{uuid.uuid4().hex[:8]}"
    yield name
    client = docker.from_env()
    for network in client.networks.list(names=[name]):
        network.remove()
    client.close()


def test_a_violation_fails_the_preview_and_says_what_to_do(project: Project) -> None:
    project.program(OPEN_DATABASE)
    result = project.preview("--policy-pack", PACK, check=False)
    assert result.code != 0
    assert "public-ports" in result.text
    assert "db: ports[0].external is 5432" in result.text
    assert "Fix: publish it on 127.0.0.1" in result.text
    assert result.text.count("[mandatory]") == 1


def test_operators_that_the_stack_states_are_known_to_the_pack(project: Project) -> None:
    theirs = OPEN_DATABASE.replace("external=5432", "external=5432, ip='10.8.0.1'")
    project.program(theirs)
    for stated in ("10.9.0.0/24", "10.8.0.0/24"):
        project.config("berth:operators", f'["{stated}"]')
        result = project.preview("--policy-pack", PACK, check=False)
        assert ("it is published on 10.8.0.1" in result.text) is (stated == "10.9.0.0/24")
    assert result.code == 0


def test_a_violation_stops_an_update_that_skips_the_preview(project: Project) -> None:
    project.program(OPEN_DATABASE)
    result = project.up("--policy-pack", PACK, check=False)
    assert result.code != 0
    assert "db: ports[0].external is 5432" in result.text
    assert [resource for resource in project.resources() if "Container" in resource["type"]] == []


def test_the_pack_cannot_be_weakened(project: Project, tmp_path: Path) -> None:
    weaker = tmp_path / "weaker.json"
    weaker.write_text('{"public-ports": "advisory"}')
    project.program(OPEN_DATABASE)
    result = project.preview("--policy-pack", PACK, "--policy-pack-config", str(weaker), check=False)
    assert result.code != 0
    assert "does not support config" in result.text


def test_it_has_nothing_to_say_about_an_empty_program(project: Project) -> None:
    project.program("")
    assert "[mandatory]" not in project.preview("--policy-pack", PACK).text


@pytest.mark.docker
def test_what_a_preview_cannot_know_is_named_and_stops_the_update(
    project: Project, network_name: str
) -> None:
    project.program(LATE_SECRET.replace("NAME", network_name))
    preview = project.preview("--policy-pack", PACK)
    assert "[advisory]" in preview.text
    assert "web: not known in this preview, and checked by the update before it acts: envs" in preview.text
    update = project.up("--policy-pack", PACK, check=False)
    assert update.code != 0
    assert "(DB_PASSWORD) is [64 characters, hidden]" in update.text
    assert [resource for resource in project.resources() if "Container" in resource["type"]] == []


BORROWED = """
    import pulumi_docker as docker

    carrier = docker.Container(
        "borrowed-carrier", image="policies-test:absent", start=False, must_run=False
    )
    docker.Container(
        "web",
        image="policies-test:absent",
        volumes=[docker.ContainerVolumeArgs(from_container=LENDER)],
        start=False,
        must_run=False,
    )
"""


def test_mounts_are_borrowed_of_the_stack_s_own_containers_only(project: Project) -> None:
    project.program(BORROWED.replace("LENDER", 'carrier.name.apply(lambda name: f"{name}:ro")'))
    result = project.preview("--policy-pack", PACK)
    assert "no-borrowed-mounts" not in result.text
    project.program(BORROWED.replace("LENDER", '"portainer:ro"'))
    result = project.preview("--policy-pack", PACK, check=False)
    assert result.code != 0
    assert "web: volumes[0].fromContainer is 'portainer:ro'" in result.text
