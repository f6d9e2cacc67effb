"""Fixtures of the tests that need a Docker engine."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest

from offline.docker.server import Provider
from offline.provider.process import start
from tests.docker.images import busybox_image  # noqa: F401
from tests.docker.plugin import Made, PluginClient


@pytest.fixture(scope="session")
def client() -> Iterator[docker.DockerClient]:
    """The docker SDK on the same engine, to look from outside."""
    found = docker.from_env()
    yield found
    found.close()


@pytest.fixture
def plugin() -> Iterator[PluginClient]:
    """The plugin behind real gRPC, served from this process and configured for the default engine."""
    provider = Provider()
    server, port = start(provider)
    served = PluginClient(port)
    served.configure()
    yield served
    server.stop(0).wait()
    provider.engine.close()


@pytest.fixture
def prefix() -> str:
    """A name that no other test uses."""
    return f"plugin-test-{secrets.token_hex(3)}"


@pytest.fixture
def made(request: pytest.FixtureRequest, plugin: PluginClient, prefix: str) -> Iterator[Callable[..., Made]]:
    """Makes resources of the module's TOKEN; what is left of them goes at the end."""
    kept: list[Made] = []

    def make(**inputs: Any) -> Made:
        one = plugin.create(request.module.TOKEN, inputs, name=prefix)
        kept.append(one)
        return one

    yield make
    for one in kept:
        plugin.delete(one)
