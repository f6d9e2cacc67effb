"""`./berth update` against a real registry whose tag moves, and with images that it built itself."""

from __future__ import annotations

import base64
import json
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.docker.images import busybox_image  # noqa: F401
from tests.docker.registries import Registry, start_registry
from tests.engine.workbench import PROGRAM, Workbench

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.usefixtures("busybox_image")]
BUSYBOX = "berth-test/busybox:1"
IMAGES = """
pulled = docker.RemoteImage("web-image", name=wanted["image"], keep_locally=True)
docker.Image(
    "built",
    image_name=wanted["built"],
    build=docker.DockerBuildArgs(
        context="context", args={"MARK": wanted["built"]}, builder_version=docker.BuilderVersion.BUILDER_V1
    ),
    skip_push=True,
    build_on_preview=False,
)
data = docker.Volume("""


class UpdateBench(Workbench):
    """Its web server's image comes from the registry; beside it, an image is built that nothing runs."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        self.image = f"{registry.host}/day-two:1"
        self.repository = f"berth/day-two-{secrets.token_hex(3)}"
        super().__init__(folder, f"day-two-{secrets.token_hex(3)}")
        program = PROGRAM.replace("data = docker.Volume(", IMAGES, 1)
        (self.root / "__main__.py").write_text(program.replace(f'image="{BUSYBOX}"', "image=pulled.image_id"))
        (self.root / "context").mkdir()
        (self.root / "context" / "Dockerfile").write_text(f"FROM {BUSYBOX}\nARG MARK\nLABEL mark=$MARK\n")
        word = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": word}}}))
        self.environment["DOCKER_CONFIG"] = str(folder)

    def tag(self, number: int) -> str:
        """Of what is built."""
        return f"{self.repository}:{number:012x}"

    def build(self, number: int) -> None:
        """Changes what is built."""
        file = self.root / "wanted.json"
        added = {"image": self.image, "built": self.tag(number)}
        file.write_text(json.dumps(json.loads(file.read_text()) | added))


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    found = docker.from_env()
    yield found
    found.close()


@pytest.fixture
def bench(tmp_path: Path, client: docker.DockerClient) -> Iterator[UpdateBench]:
    with tempfile.TemporaryDirectory(prefix="reg") as folder, start_registry(Path(folder)) as registry:
        made = UpdateBench(tmp_path, registry)
        yield made
    for container in made.containers(client):
        container.remove(force=True)
    for volume in client.volumes.list(filters={"label": f"berth.stack={made.name}"}):
        volume.remove(force=True)
    for number in range(1, 10):
        if client.images.list(made.tag(number)):
            client.images.remove(made.tag(number))
    # Those that lost their tag, too.
    for image in client.images.list(made.image.rpartition(":")[0]):
        client.images.remove(str(image.id), force=True)


def push(client: docker.DockerClient, bench: UpdateBench, mark: str) -> str:
    """A new image under the registry's tag, which this engine does not have; its id."""
    base, name = client.images.get(BUSYBOX), bench.image.rpartition(":")[0]
    made = client.containers.create(BUSYBOX, ["true"], labels={"test": bench.name})
    try:
        image = made.commit(name, "1", changes=f"LABEL mark={mark}")
    finally:
        made.remove()
    login = json.loads((Path(bench.environment["DOCKER_CONFIG"]) / "config.json").read_text())["auths"]
    ((_, entry),) = login.items()
    user, _, password = base64.b64decode(entry["auth"]).decode().partition(":")
    said = client.api.push(name, "1", auth_config={"username": user, "password": password})
    assert "digest" in said, said
    client.images.remove(bench.image)
    assert base.id != image.id
    return str(image.id)


def running(client: docker.DockerClient, bench: UpdateBench) -> Any:
    (web,) = [found for found in bench.containers(client) if found.status == "running"]
    return web


def test_a_moved_tag_is_followed_and_old_images_go(bench: UpdateBench, client: docker.DockerClient) -> None:
    first = push(client, bench, "1")
    bench.build(1)
    bench.ok("up")
    before = running(client, bench)
    assert before.attrs["Image"] == first

    done = bench.run("update")
    assert done.returncode == 0 and f"{bench.image}: there is none" in done.stderr, done.stderr
    assert "no image of an earlier deployment" in done.stderr
    assert running(client, bench).id == before.id

    kept = client.images.get(bench.image)
    second = push(client, bench, "2")
    kept.tag(bench.image.rpartition(":")[0], "1")
    bench.build(2)
    done = bench.run("update", "--no-prune")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{bench.image}: pulled {second[7:19]}" in done.stderr
    assert running(client, bench).attrs["Image"] == second
    bench.ok("preview", "--expect-no-changes")

    foreign = f"{bench.repository}:{9:012x}"
    client.images.get(BUSYBOX).tag(bench.repository, f"{9:012x}")
    bench.build(3)
    done = bench.run("update")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"removed image {bench.tag(1)}" in done.stderr
    tags = {tag for image in client.images.list(bench.repository) for tag in image.tags}
    left = {tag for tag in tags if tag.startswith(bench.repository)}
    assert left == {bench.tag(2), bench.tag(3), foreign}
