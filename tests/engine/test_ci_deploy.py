"""docs/ci.md: its job, run commit after commit against a real registry, and what it refuses."""

from __future__ import annotations

import itertools
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
from tests.engine.load import steady_load
from tests.guide import blocks

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.timeout(1800)]

PAGE = (Path(__file__).parents[2] / "docs/ci.md").read_text()
(JOB,) = [block.text for block in blocks(PAGE) if block.language == "sh"]
OWN = ("api-gateway", "douyin-processor", "file-system-go")
PROGRAM = "workloads/douyin-processor/processor/__init__.py"


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

    def refused(self, *args: str) -> str:
        """What a verb says that must fail as users' errors do."""
        done = self.deployment.berth(*args, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 1 and "Traceback" not in said, said
        assert self.registry.password not in said
        _, fix, _ = said[said.rindex("error: ") :].partition("\n  fix: ")
        assert fix, said
        return said[said.rindex("error: ") :]

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


def test_the_next_commit_takes_over_without_a_failed_request(
    pipeline: Pipeline, engine: docker.DockerClient
) -> None:
    """It changes the processor alone; the gateway, whose image is the same, goes on."""
    before = pipeline.running(engine)
    file = pipeline.deployment.folder / PROGRAM
    file.write_text(f"{file.read_text()}\nSECOND = True\n")
    refusal = pipeline.refused("push")
    assert PROGRAM in refusal and "--tag NAME" in refusal
    second = pipeline.commit("second")

    numbers = itertools.count()
    with pipeline.deployment.client() as client:

        def request() -> None:
            if next(numbers) % 2:
                answer = client.get("/api/douyin/health")
                assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
            else:
                answer = client.get("/api/douyin/videos/none/result")
                assert answer.status_code == 404, f"{answer.status_code} {answer.text}"

        with steady_load(request) as load:
            pipeline.job()
    assert load.failures == []
    assert load.answered > 200

    after = pipeline.running(engine)
    assert pipeline.tag() == second
    assert (
        after["douyin-processor"][1] == engine.images.get(f"{pipeline.mirror}/douyin-processor:{second}").id
    )
    assert after["douyin-processor"][1] != before["douyin-processor"][1]
    container = engine.containers.get(after["douyin-processor"][0])
    assert b"SECOND = True" in container.exec_run(["cat", "/app/processor/__init__.py"]).output
    assert {name: after[name] for name in OWN if name != "douyin-processor"} == {
        name: before[name] for name in OWN if name != "douyin-processor"
    }
    pipeline.deployment.berth("preview", "--expect-no-changes")


def test_a_commit_that_nobody_pushed_changes_nothing(pipeline: Pipeline, engine: docker.DockerClient) -> None:
    before, tag = pipeline.running(engine), pipeline.tag()
    unknown = "f" * 40
    refusal = pipeline.refused("up", "--yes", "--tag", unknown)
    assert f"there is no {pipeline.mirror}/api-gateway:{unknown}" in refusal
    assert f"./berth push -s {pipeline.deployment.stack} --tag {unknown}" in refusal
    assert "berth:images.tag: 'latest'" in pipeline.refused("up", "--yes", "--tag", "latest")
    assert (pipeline.running(engine), pipeline.tag()) == (before, tag)
    with pipeline.deployment.client() as client:
        assert client.get("/api/douyin/health").status_code == 200
    pipeline.deployment.berth("preview", "--expect-no-changes")


def test_a_registry_that_gives_nothing_is_told_before_anything_is_built(pipeline: Pipeline) -> None:
    tag = pipeline.tag()
    pipeline.password("not-the-password")
    for verb in (["push", "--tag", "mine"], ["up", "--yes", "--tag", "mine"]):
        refusal = pipeline.refused(*verb)
        assert f"{pipeline.registry.host} refuses the login" in refusal and "registry_password" in refusal
        assert "not-the-password" not in refusal
    pipeline.password(pipeline.registry.password)
    pipeline.images(mirror="127.0.0.1:1/team")
    for verb in (["push", "--tag", "mine"], ["up", "--yes", "--tag", "mine"]):
        refusal = pipeline.refused(*verb)
        assert "127.0.0.1:1 cannot be asked" in refusal and "berth:images.mirror" in refusal
    pipeline.images(mirror=pipeline.mirror)
    assert pipeline.tag() == tag
    pipeline.deployment.berth("preview", "--expect-no-changes")
