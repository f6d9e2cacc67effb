"""Fixtures of the tests that need the Pulumi engine. See project.py for how to use `project`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from offline.toolchain import Toolchain, offline_toolchain, register_plugins
from tests.engine.project import Project


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


@pytest.fixture
def project(toolchain: Toolchain, pulumi_home: Path, tmp_path: Path) -> Iterator[Project]:
    """An empty project with a stack `dev`; what the stack holds at the end is destroyed."""
    made = Project(toolchain, tmp_path, pulumi_home)
    made.init()
    yield made
    if len(made.resources()) > 1:
        made.destroy("--remove")
