"""Fixtures of the tests that need the Pulumi engine. See project.py for how to use `project`."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from offline.toolchain import Toolchain, offline_toolchain, register_plugins
from tests.docker.workloads import image
from tests.engine.project import Project
from tests.engine.stores import StoreBench


@pytest.fixture(scope="session")
def toolchain() -> Toolchain:
    """Our own build of the CLI, also where an official one is on PATH: its plugins are what is tested."""
    return offline_toolchain(lambda text, seconds: print(f"{text}: {seconds:.0f} s"))


@pytest.fixture(scope="session")
def pulumi_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PULUMI_HOME of the session's own, with the language host and the docker plugin registered."""
    home = tmp_path_factory.mktemp("pulumi-home")
    register_plugins(home / "plugins")
    return home


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    """The Docker engine, to look from outside."""
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture
def project(toolchain: Toolchain, pulumi_home: Path, tmp_path: Path) -> Iterator[Project]:
    """An empty project with a stack `dev`; what the stack holds at the end is destroyed."""
    made = Project(toolchain, tmp_path, pulumi_home)
    made.init()
    yield made
    if len(made.resources()) > 1:
        made.destroy("--remove")


@pytest.fixture(scope="session")
def store_images(engine: docker.DockerClient) -> dict[str, str]:
    """Role to the tag of the local image of each store."""
    return {role: image(engine, role) for role in ("postgres", "mysql", "redis")}


@pytest.fixture
def bench(project: Project, store_images: dict[str, str]) -> Iterator[StoreBench]:
    """A stack for stores; nothing of it is left."""
    made = StoreBench(project, docker.from_env(), store_images)
    yield made
    made.close()
