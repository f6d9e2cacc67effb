"""docker.RemoteImage through the plugin, on a real engine and against a real registry with a login."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import grpc
import pytest

from tests.docker.leftovers import remove_labelled
from tests.docker.once import said
from tests.docker.plugin import UNKNOWN, CheckFailed
from tests.docker.registries import Registry, start_registry

pytestmark = pytest.mark.docker
TOKEN = "docker:index/remoteImage:RemoteImage"


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with tempfile.TemporaryDirectory(prefix="reg") as folder, start_registry(Path(folder)) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_machine_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@pytest.fixture
def local(client: docker.DockerClient, busybox_image: str) -> Iterator[str]:
    """A name that only this engine knows; all names of the test go at the end."""
    repository = f"remote-image-test-{secrets.token_hex(3)}"
    client.images.get(busybox_image).tag(repository, "1")
    yield f"{repository}:1"
    for image in client.images.list(f"{repository}*"):
        for tag in image.tags:
            if tag.startswith(repository):
                client.images.remove(tag)
    remove_labelled(client, f"made-by={repository}:1")


@pytest.fixture
def stored(client: docker.DockerClient, registry: Registry, local: str) -> Iterator[str]:
    """The name of an image that only the registry has."""
    name = f"{registry.host}/{local}"
    client.images.get(local).tag(name)
    login = {"username": registry.username, "password": registry.password}
    for line in client.images.push(name, auth_config=login, stream=True, decode=True):
        assert "error" not in line, line
    client.images.remove(name)
    yield name
    for tag in [tag for image in client.images.list() for tag in image.tags if tag == name]:
        client.images.remove(tag)


def auth(registry: Registry, **instead: str) -> list[dict]:
    entry = {"address": registry.host, "username": registry.username, "password": registry.password}
    return [{**entry, **instead}]


def test_an_image_that_is_there_is_not_pulled(plugin, local, client) -> None:
    made = plugin.create(TOKEN, {"name": local})
    image = client.images.get(local)
    assert made.id == f"{image.id}{local}" and made.state["imageId"] == image.id
    assert not plugin.diff(made, {"name": local})
    refreshed = plugin.read(made)
    assert refreshed is not None and not plugin.diff(refreshed, {"name": local})


def test_what_updates_and_what_replaces(plugin, local) -> None:
    made = plugin.create(TOKEN, {"name": local})
    kept = plugin.diff(made, {"name": local, "keepLocally": True})
    assert set(kept.paths) == {"keepLocally"} and kept.replaces == []
    updated = plugin.update(made, {"name": local, "keepLocally": True})
    assert updated.state["keepLocally"] is True and updated.state["imageId"] == made.state["imageId"]
    for changed, value in {"name": f"{local}x", "triggers": {"a": "1"}, "pullTriggers": ["1"]}.items():
        assert plugin.diff(made, {"name": local, changed: value}).replaces == [changed]


def test_delete_and_keep(plugin, local, client) -> None:
    kept = plugin.create(TOKEN, {"name": local, "keepLocally": True})
    plugin.delete(kept)
    assert client.images.get(local)
    plugin.delete(plugin.create(TOKEN, {"name": local}))
    assert client.images.list(local) == []
    plugin.delete(kept)


def test_refresh_finds_a_removed_image(plugin, local, client) -> None:
    made = plugin.create(TOKEN, {"name": local})
    client.images.remove(local)
    assert plugin.read(made) is None


def test_refresh_finds_a_moved_tag(plugin, local, client) -> None:
    made = plugin.create(TOKEN, {"name": local})
    box = client.containers.create(local, "true")
    try:
        other = box.commit(*local.split(":"))
    finally:
        box.remove()
    refreshed = plugin.read(made)
    assert refreshed is not None and refreshed.state["imageId"] == other.id
    assert not plugin.diff(refreshed, {"name": local})


@pytest.mark.parametrize("by", ["name", "id"])
def test_import(plugin, local, client, by) -> None:
    id = local if by == "name" else f"{client.images.get(local).id}{local}"
    found = plugin.import_(TOKEN, id)
    assert found is not None and found.state["name"] == local
    assert not plugin.diff(found, {"name": local})
    assert plugin.import_(TOKEN, "remote-image-test-nowhere:1") is None


def test_an_image_in_use_is_not_removed(plugin, local, client) -> None:
    first = client.containers.create(local, "true")
    repository = local.split(":")[0]
    first.commit(repository, "2")  # an image with one name only
    first.remove()
    name = f"{repository}:2"
    made = plugin.create(TOKEN, {"name": name})
    box = client.containers.create(name, "true")
    try:
        with pytest.raises(grpc.RpcError, match="keep_locally"):
            plugin.delete(made)
        plugin.delete(plugin.update(made, {"name": name, "forceRemove": True}))
        assert client.images.list(name) == []
    finally:
        box.remove()


def test_pull_with_the_providers_login(plugin, registry, stored, client) -> None:
    plugin.configure(registryAuth=auth(registry))
    made = plugin.create(TOKEN, {"name": stored})
    assert made.state["repoDigest"].startswith(f"{stored.rpartition(':')[0]}@sha256:")
    assert client.images.get(stored).id == made.state["imageId"]
    client.images.remove(stored)
    by_digest = plugin.create(TOKEN, {"name": made.state["repoDigest"]})
    assert by_digest.state["imageId"] == made.state["imageId"]
    plugin.delete(by_digest)


@pytest.mark.parametrize("instead", [None, {"password": "wrong"}])
def test_pull_without_a_good_login(plugin, registry, stored, instead) -> None:
    plugin.configure(**({"registryAuth": auth(registry, **instead)} if instead else {}))
    with pytest.raises(grpc.RpcError) as failure:
        plugin.create(TOKEN, {"name": stored})
    assert f"docker login {registry.host}" in failure.value.details()


def test_pull_with_the_machines_login(plugin, registry, stored, client, tmp_path) -> None:
    pair = docker.auth.base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
    (tmp_path / "config.json").write_text(f'{{"auths": {{"{registry.host}": {{"auth": "{pair}"}}}}}}')
    assert plugin.create(TOKEN, {"name": stored}).state["imageId"] == client.images.get(stored).id


def test_missing_image_and_missing_registry(plugin, registry) -> None:
    plugin.configure(registryAuth=auth(registry))
    with pytest.raises(
        grpc.RpcError, match=r"(?s)there is no image .*/none:1.*check name and tag"
    ) as failure:
        plugin.create(TOKEN, {"name": f"{registry.host}/none:1"})
    assert registry.password not in failure.value.details()
    with pytest.raises(grpc.RpcError, match=r"127\.0\.0\.1:1 cannot be reached"):
        plugin.create(TOKEN, {"name": "127.0.0.1:1/a:1"})
    with pytest.raises(grpc.RpcError, match="invalid reference format"):
        plugin.create(TOKEN, {"name": "No Such Name"})


def test_preview_and_bad_inputs(plugin) -> None:
    assert plugin.preview(TOKEN, {"name": "a:1"})["imageId"] is UNKNOWN
    with pytest.raises(CheckFailed) as refused:
        plugin.check(TOKEN, {"name": "a:1", "pullTriggers": ["x"], "build": {"context": "."}})
    assert "not both" in refused.value.failures["pullTriggers"]
    with pytest.raises(CheckFailed) as refused:
        plugin.check(TOKEN, {"name": "a:1", "build": {"context": ".", "secrets": [{"id": "x"}]}})
    assert any("buildx" in reason for reason in refused.value.failures.values())


def test_build_block(plugin, local, client, busybox_image, tmp_path) -> None:
    text = (
        f"FROM {busybox_image} AS one\nLABEL made-by={local}\nARG A\nRUN echo $A >/a; grep there /etc/hosts\n"
        "FROM one\nRUN false\n"
    )
    (tmp_path / "ctx").mkdir()
    (tmp_path / "ctx/File").write_text(text)
    name = local.replace(":1", "-built:1")
    build = {
        "context": str(tmp_path / "ctx"),
        "dockerfile": "File",
        "target": "one",
        "buildArgs": {"A": "value"},
        "labels": {"l": "1"},
        "tags": [name.replace(":1", ":2")],
        "extraHosts": ["there:10.9.8.7"],
        "memory": 67108864,
        "ulimits": [{"name": "nofile", "soft": 100, "hard": 200}],
        "noCache": True,
    }
    made = plugin.create(TOKEN, {"name": name, "build": build})
    image = client.images.get(name)
    assert image.labels == {"l": "1", "made-by": local} and set(image.tags) == {
        name,
        name.replace(":1", ":2"),
    }
    assert said(client, name, ["cat", "/a"]).strip() == "value"
    assert not plugin.diff(made, {"name": name, "build": build})
    changed = plugin.diff(made, {"name": name, "build": {**build, "buildArgs": {"A": "other"}}})
    assert changed.replaces == ["build"]
    with pytest.raises(grpc.RpcError, match="File:6, step 6: RUN false"):
        plugin.create(TOKEN, {"name": name, "build": {**build, "target": ""}})
