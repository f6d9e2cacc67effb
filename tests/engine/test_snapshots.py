"""`snapshots` through the verbs: a system is backed up by `up` itself, and a lost file comes back."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container

from tests.docker.care import digests, does
from tests.docker.workloads import until
from tests.engine.deployment import Deployment

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    made = Deployment(tmp_path_factory.mktemp("snapshots"))
    made.configure({"snapshots": {}})
    made.berth("up")
    yield made
    made.berth("destroy", "--with-data", text=f"{made.stack}\n", check=False)


@pytest.fixture(scope="module")
def keeper(deployment: Deployment) -> Container:
    """The container that keeps the backups."""
    (name,) = deployment.outputs()["services"]["backup"]["containers"]
    return docker.from_env(timeout=300).containers.get(name)


def _state(container: Container) -> str:
    container.reload()
    return str(container.attrs["State"]["Health"]["Status"])


def test_a_system_is_backed_up_and_comes_back(deployment: Deployment, keeper: Container) -> None:
    done = deployment.berth("backup", "backup", "--full")
    assert "./berth restore backup latest" in done.stdout + done.stderr
    listed = deployment.berth("backup", "--list").stdout.splitlines()
    assert listed and listed[-1].endswith("gateway  full")
    before = digests(keeper, "/data/audio-data")
    assert before
    assert does(keeper, "sh", "-c", "rm /data/audio-data/*.wav")[0] == 0
    lost = deployment.berth("backup", check=False)
    assert lost.returncode and "is gone: /data/audio-data had" in lost.stderr
    refused = deployment.berth("restore", "backup", "latest", check=False)
    assert refused.returncode and "was not confirmed; nothing was changed" in refused.stderr
    assert digests(keeper, "/data/audio-data") == {}
    done = deployment.berth("restore", "backup", "latest", "--yes")
    assert "what it was before: snapshot" in done.stdout + done.stderr
    assert digests(keeper, "/data/audio-data") == before

    # A good backup after the failed one: the service is healthy again, and nothing is to be done.
    deployment.berth("backup", "backup")
    until("it is healthy", lambda: _state(keeper) == "healthy" or None, 300)
    assert deployment.berth("preview", "--expect-no-changes").returncode == 0


def test_what_is_not_there_is_refused(deployment: Deployment, keeper: Container) -> None:
    for args, said in (
        (("restore", "backup", "0123abcd", "--yes"), "has no snapshot 0123abcd"),
        (("restore", "backup", "latest", "--off-site", "--yes"), "no off-site copy is set"),
        (("backup", "celery/backup"), "celery/backup is no backup of this stack"),
    ):
        refused = deployment.berth(*args, check=False)
        assert refused.returncode and said in refused.stderr, refused.stderr
    shown = str(keeper.client.api.inspect_container(keeper.id))  # type: ignore[union-attr]
    password = does(keeper, "cat", "/run/secrets/repository_password")[1]
    assert password not in shown and password not in keeper.logs().decode()
