"""The gateway in two stacks: one owns the door and the network, the other joins with the processor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pytest
import yaml

from tests.engine.deployment import Deployment
from tests.engine.test_gateway import result_of

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.timeout(1800)]


class Inner:
    """The second stack, in the project and the state of the first one."""

    def __init__(self, door: Deployment) -> None:
        self.door, self.stack = door, f"{door.stack}-inner"

    def join(self, network: dict[str, Any]) -> None:
        """Writes its stack file."""
        path = self.door.folder / f"Pulumi.{self.stack}.yaml"
        document: dict[str, Any] = yaml.safe_load(path.read_text()) if path.exists() else {}
        document["config"] = {
            **document.get("config", {}),
            "berth:systems": ["gateway"],
            "berth:images": {"source": "local"},
            "berth:generate_secrets": True,
            "berth:gateway": {"mode": "processor", "network": network},
        }
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def berth(self, words: str, *, check: bool = True) -> str:
        """What `./berth WORDS` of this stack printed."""
        done = self.door.shell(f"./berth {words} -s {self.stack}", check=check)
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    door = Deployment(tmp_path_factory.mktemp("standalone"))
    door.configure({"mode": "gateway"})
    yield door
    door.berth("destroy", "--with-data", text=f"{door.stack}\n", check=False)


@pytest.fixture(scope="module")
def inner(door: Deployment) -> Iterator[Inner]:
    inner = Inner(door)
    yield inner
    door.shell(f"echo {inner.stack} | ./berth destroy --with-data -s {inner.stack}", check=False)


def test_a_network_that_is_not_there_yet_is_named(door: Deployment, inner: Inner) -> None:
    inner.join({"kind": "name", "name": f"{door.stack}-network"})
    said = inner.berth("up", check=False)
    assert f"network '{door.stack}-network' cannot be joined" in said, said


def test_two_stacks_are_one_system(door: Deployment, inner: Inner) -> None:
    door.berth("up")
    with door.client() as client:
        assert client.get("/health").status_code == 200
        assert client.get("/api/douyin/health").status_code in (502, 503, 504), "nobody has joined yet"
        inner.join({"kind": "stack", "stack": f"organization/berth/{door.stack}"})
        inner.berth("up")
        work = {"video_id": "standalone", "file": "sample.wav"}
        assert client.post("/api/douyin/process", json=work).status_code == 202
        assert result_of(client, "standalone")["result"]["duration_seconds"] == 1.0
    engine = docker.from_env()
    try:
        found = engine.containers.list(filters={"label": f"berth.stack={inner.stack}"})
        assert {container.labels["berth.service"] for container in found} == {
            "douyin-processor",
            "file-system-go",
        }
        for container in found:
            assert not any(container.attrs["NetworkSettings"]["Ports"].values()), "nothing of it is published"
    finally:
        engine.close()


def test_the_name_means_the_same_network(door: Deployment, inner: Inner) -> None:
    inner.join({"kind": "name", "name": f"{door.stack}-network"})
    inner.berth("preview --expect-no-changes")


def test_the_owner_of_the_network_does_not_go_before_those_in_it(
    door: Deployment, inner: Inner, engine: docker.DockerClient
) -> None:
    before = door.objects(engine)
    refused = door.berth("destroy", "--yes", check=False)
    assert refused.returncode and "nothing was destroyed" in refused.stderr, refused.stderr
    assert f"./berth destroy -s {inner.stack}" in refused.stderr and "douyin-processor" in refused.stderr
    assert door.objects(engine) == before
    with door.client() as client:
        assert result_of(client, "standalone")["result"]["duration_seconds"] == 1.0

    inner.berth("destroy --yes")
    door.berth("destroy", "--yes")
    left = door.objects(engine)
    assert left["containers"] == [] and left["networks"] == []
