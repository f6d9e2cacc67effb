"""docs/ci.md: its job, run against a real registry."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
import yaml

from tests.docker.registries import Registry, start_registry
from tests.engine.deployment import Deployment
from tests.guide import blocks

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.timeout(1800)]

PAGE = (Path(__file__).parents[2] / "docs/ci.md").read_text()
(JOB,) = [block.text for block in blocks(PAGE) if block.language == "sh"]
OWN = ("api-gateway", "douyin-processor", "file-system-go")


@dataclass
class Pipeline:
    """A repository of its own, whose stack pulls from a registry of its own."""

    deployment: Deployment
    registry: Registry

    @property
    def mirror(self) -> str:
        return f"{self.registry.host}/{self.deployment.stack}"

    def images(self, **changed: object) -> None:
        """Sets `berth:images` as the page has it; what is given differs."""
        path = self.deployment.folder / f"Pulumi.{self.deployment.stack}.yaml"
        document = yaml.safe_load(path.read_text())
        tag = {key: document["config"]["berth:images"][key] for key in ("tag",) if changed}
        document["config"]["berth:images"] = {
            "source": "registry",
            "mirror": self.mirror,
            "login": {"address": self.registry.host, "username": self.registry.username},
            **tag,
            **changed,
        }
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def password(self, text: str) -> None:
        """Stores the login's password, as the page says."""
        stack = self.deployment.stack
        file = self.deployment.folder.parent / "password"
        file.write_text(text)
        set_it = "pulumi config set --secret --path berth:secrets.registry_password"
        self.deployment.shell(f'eval "$(./berth env -s {stack})" && {set_it} --stack {stack} <{file}')

    def commit(self, message: str) -> str:
        """Everything in the work tree; the commit's id."""
        identity = ("-c", "user.name=Test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
        for command in (["add", "-A"], ["commit", "-q", "-m", message]):
            subprocess.run(["git", *identity, *command], cwd=self.deployment.folder, check=True)
        return subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=self.deployment.folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def job(self) -> str:
        """The page's job, for this stack; all that it said."""
        done = self.deployment.shell(f"set -eu\n{JOB.replace('-s prod', f'-s {self.deployment.stack}')}")
        return done.stdout + done.stderr

    def running(self, engine: docker.DockerClient) -> dict[str, tuple[str, str]]:
        """Service to the ids of its container and of its image."""
        mine = {"label": f"berth.stack={self.deployment.stack}", "status": "running"}
        return {
            str(found.labels["berth.service"]): (str(found.id), str(found.attrs["Image"]))
            for found in engine.containers.list(filters=mine)
        }

    def tag(self) -> str:
        """The one in the stack file."""
        path = self.deployment.folder / f"Pulumi.{self.deployment.stack}.yaml"
        return str(yaml.safe_load(path.read_text())["config"]["berth:images"]["tag"])


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory, engine: docker.DockerClient) -> Iterator[Pipeline]:
    deployment = Deployment(tmp_path_factory.mktemp("ci"))
    with (
        tempfile.TemporaryDirectory(prefix="ci-registry-") as folder,
        start_registry(Path(folder)) as registry,
    ):
        made = Pipeline(deployment, registry)
        made.images()
        made.password(registry.password)
        subprocess.run(["git", "init", "-q"], cwd=deployment.folder, check=True)
        before = {str(image.id) for image in engine.images.list()}
        yield made
        deployment.berth("destroy", "--with-data", text=f"{deployment.stack}\n", check=False)
        for image in engine.images.list():
            ours = [tag for tag in image.tags if tag.startswith(f"{made.mirror}/")]
            if image.id not in before and any(
                tag.startswith("berth/douyin-processor:") for tag in image.tags
            ):
                ours = list(image.tags)  # of the second commit, which nobody else builds
            for tag in ours:
                engine.images.remove(tag)


def test_a_commit_is_built_pushed_and_deployed(pipeline: Pipeline, engine: docker.DockerClient) -> None:
    first = pipeline.commit("first")
    said = pipeline.job()
    assert pipeline.registry.password not in said
    assert pipeline.tag() == first
    running = pipeline.running(engine)
    assert {name: image for name, (_, image) in running.items()} == {
        name: engine.images.get(f"{pipeline.mirror}/{name}:{first}").id for name in OWN
    }
    for name in OWN:
        assert f"{pipeline.mirror}/{name}@sha256:" in said
    pipeline.deployment.berth("preview", "--expect-no-changes")

    again = pipeline.deployment.berth("push")
    assert again.stdout == "" and again.stderr.count("is there already, and stays as it is") == 3
    assert pipeline.running(engine) == running
