"""docker.Image through the plugin, on a real engine: build, push, failures."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import grpc
import pytest

from offline.docker.server import Provider
from offline.provider.process import start
from offline.provider.values import Secret
from tests.docker.engines import start_engine
from tests.docker.images import ensure_busybox
from tests.docker.leftovers import remove_labelled
from tests.docker.once import said
from tests.docker.plugin import UNKNOWN, CheckFailed, PluginClient, plain
from tests.docker.registries import Registry, start_registry

pytestmark = pytest.mark.docker
TOKEN = "docker:index/image:Image"


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with tempfile.TemporaryDirectory(prefix="reg") as folder, start_registry(Path(folder)) as running:
        yield running


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, busybox_image: str) -> Path:
    """A build context `app` in the working directory, as the plugin runs in the project's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-docker-config"))
    (tmp_path / "app").mkdir()
    dockerfile(
        tmp_path / "app", f"FROM {busybox_image}\nARG GREETING\nCOPY . /srv\nRUN echo $GREETING >/greeting\n"
    )
    (tmp_path / "app/content").write_text(secrets.token_hex(8))
    return tmp_path / "app"


@pytest.fixture
def name(client: docker.DockerClient) -> Iterator[str]:
    """An image name that goes at the end."""
    name = f"image-test-{secrets.token_hex(3)}"
    yield f"{name}:1"
    for image in client.images.list(f"{name}*"):
        client.images.remove(image.id, force=True)
    remove_labelled(client, LABEL)


LABEL = f"image-test={secrets.token_hex(4)}"


def dockerfile(folder: Path, text: str) -> None:
    """The label goes onto line 2: a build that fails leaves its layers, and they have no other name."""
    first, _, rest = text.partition("\n")
    (folder / "Dockerfile").write_text(f"{first}\nLABEL {LABEL}\n{rest}")


def inputs(name: str, **build: object) -> dict:
    return {"imageName": name, "skipPush": True, "build": {"context": "app", **build}}


def run(client: docker.DockerClient, image: str, *command: str) -> str:
    return said(client, image, list(command)).strip()


def test_builds_once_and_again_when_the_context_changes(plugin, app, name, client) -> None:
    made = plugin.create(TOKEN, inputs(name, args={"GREETING": "hello"}))
    assert made.id == name
    assert made.state["repoDigest"] == client.images.get(name).id
    assert made.state["dockerfile"] == "Dockerfile" and made.state["baseImageName"] == name
    assert run(client, name, "cat", "/greeting") == "hello"
    assert not plugin.diff(made, inputs(name, args={"GREETING": "hello"}))
    (app / "content").write_text("other")
    changed = plugin.diff(made, inputs(name, args={"GREETING": "hello"}))
    assert set(changed.paths) == {"build"} and changed.replaces == []
    updated = plugin.update(made, inputs(name, args={"GREETING": "hello"}))
    assert updated.state["repoDigest"] != made.state["repoDigest"]
    assert run(client, name, "cat", "/srv/content") == "other"
    plugin.delete(updated)
    assert client.images.get(name).id == updated.state["repoDigest"], "deleting leaves images, as officially"


def test_inputs_in_the_state_are_secret(plugin, app, name) -> None:
    made = plugin.create(TOKEN, inputs(name, args={"GREETING": Secret("s3cret-greeting")}))
    assert isinstance(made.state["__inputs"], Secret)
    assert plain(made.state)["__inputs"]["build"]["args"] == {"GREETING": "s3cret-greeting"}
    assert not plugin.diff(made, inputs(name, args={"GREETING": Secret("s3cret-greeting")}))
    refreshed = plugin.read(made)
    assert refreshed is not None and isinstance(refreshed.state["__inputs"], Secret)


def test_preview_builds_only_when_asked(plugin, app, name, client) -> None:
    assert plugin.preview(TOKEN, inputs(name))["repoDigest"] is UNKNOWN
    assert client.images.list(name) == []
    built = plugin.preview(TOKEN, {**inputs(name), "buildOnPreview": True})
    assert built["repoDigest"] == client.images.get(name).id


def test_refresh_finds_a_removed_image(plugin, app, name, client) -> None:
    made = plugin.create(TOKEN, inputs(name))
    refreshed = plugin.read(made)
    assert refreshed is not None and not plugin.diff(refreshed, inputs(name))
    client.images.remove(name)
    assert plugin.read(made) is None


def test_import(plugin, app, name, client) -> None:
    plugin.create(TOKEN, inputs(name))
    found = plugin.import_(TOKEN, name)
    assert found is not None and found.state["repoDigest"] == client.images.get(name).id
    assert found.inputs == {"imageName": name, "skipPush": True}
    assert plugin.import_(TOKEN, "image-test-nowhere:1") is None


def test_options_reach_the_builder(plugin, app, name, client, busybox_image) -> None:
    dockerfile(
        app,
        f"FROM {busybox_image} AS first\nRUN grep 10.9.8.7 /etc/hosts >/hosts\n"
        "FROM first AS last\nRUN touch /last\n",
    )
    plugin.create(
        TOKEN,
        inputs(name, target="first", addHosts=["there:10.9.8.7"], network="none", platform="linux/amd64"),
    )
    assert "there" in run(client, name, "cat", "/hosts")
    assert run(client, name, "sh", "-c", "test -e /last || echo no") == "no"


def test_dockerfile_outside_the_context(plugin, app, name, client, busybox_image) -> None:
    (app.parent / "other.Dockerfile").write_text(f"FROM {busybox_image}\nCOPY . /srv\n")
    made = plugin.create(TOKEN, inputs(name, dockerfile="other.Dockerfile"))
    assert made.state["dockerfile"] == "../other.Dockerfile"
    assert run(client, name, "ls", "-A", "/srv").split() == ["Dockerfile", "content"]


def test_a_failing_step_is_shown_and_no_argument(plugin, app, name, client, busybox_image) -> None:
    dockerfile(app, f"FROM {busybox_image}\nARG TOKEN\nRUN echo before \\\n && echo got $TOKEN && false\n")
    with pytest.raises(grpc.RpcError) as failure:
        plugin.create(TOKEN, inputs(name, args={"TOKEN": "tell-nobody-this"}))
    text = failure.value.details()
    assert f"building {name} failed" in text and "returned a non-zero code: 1" in text
    assert "app/Dockerfile:4, step 4: RUN echo before" in text
    assert "| before" in text and "| got [TOKEN]" in text and "tell-nobody-this" not in text
    assert client.containers.list(all=True, filters={"label": LABEL}) == []


def test_a_failing_update_keeps_the_image_and_tells_plainly(plugin, app, name, client, busybox_image) -> None:
    made = plugin.create(TOKEN, inputs(name))
    dockerfile(app, f"FROM {busybox_image}\nRUN exit 3\n")
    with pytest.raises(grpc.RpcError) as failure:
        plugin.update(made, inputs(name))
    assert f"building {name} failed" in failure.value.details()
    assert "app/Dockerfile:3" in failure.value.details()
    assert client.images.get(name).id == made.state["repoDigest"]


def test_missing_base_image(plugin, app, name) -> None:
    (app / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\n")
    with pytest.raises(grpc.RpcError) as failure:
        plugin.create(TOKEN, inputs(name, args={"BASE": "127.0.0.1:1/base:7"}))
    text = failure.value.details()
    assert "127.0.0.1:1 cannot be reached" in text and "app/Dockerfile:2" in text and "local images" in text


def test_buildkit_is_refused(plugin, app, name, busybox_image) -> None:
    with pytest.raises(CheckFailed) as refused:
        plugin.check(TOKEN, inputs(name, builderVersion="BuilderBuildKit"))
    assert "leave builderVersion out" in refused.value.failures["build.builderVersion"]
    dockerfile(app, f"FROM {busybox_image}\nRUN --mount=type=cache,target=/x true\n")
    with pytest.raises(grpc.RpcError, match="requires BuildKit"):
        plugin.create(TOKEN, inputs(name))


def test_cancel_ends_the_build(plugin, app, name, client, busybox_image) -> None:
    mark = secrets.token_hex(4)
    dockerfile(app, f"FROM {busybox_image}\nRUN echo {mark}; sleep 300\n")
    failures: list[grpc.RpcError] = []

    def build() -> None:
        try:
            plugin.create(TOKEN, inputs(name))
        except grpc.RpcError as failure:
            failures.append(failure)

    thread = threading.Thread(target=build)
    thread.start()
    wait_for(lambda: building(client, mark))
    plugin.cancel()
    thread.join(10)
    assert failures and "cancelled" in failures[0].details()
    wait_for(lambda: not building(client, mark))


def building(client: docker.DockerClient, mark: str) -> bool:
    return any(mark in str(found["Command"]) for found in client.api.containers())


def wait_for(condition) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 15 s"
        time.sleep(0.1)


def test_timeout_ends_the_build(plugin, app, name, busybox_image) -> None:
    dockerfile(app, f"FROM {busybox_image}\nRUN sleep 300\n")
    with pytest.raises(grpc.RpcError, match="custom_timeouts"):
        plugin.create(TOKEN, inputs(name), timeout=1)


def test_push_with_the_programs_login(plugin, app, registry, client) -> None:
    name = f"{registry.host}/team/app:1"
    wanted = {
        **inputs(name),
        "skipPush": False,
        "registry": {
            "server": registry.host,
            "username": registry.username,
            "password": Secret(registry.password),
        },
    }
    made = plugin.create(TOKEN, wanted)
    try:
        digest = made.state["repoDigest"]
        assert digest.startswith(f"{registry.host}/team/app@sha256:")
        assert digest in client.images.get(name).attrs["RepoDigests"]
        assert made.state["registryServer"] == registry.host
        other = {**wanted, "registry": {**wanted["registry"], "password": Secret("new-password")}}
        assert not plugin.diff(made, other)
        client.images.remove(name, force=True)
        assert plugin.read(made) is not None, "a pushed image may be gone from the host"
    finally:
        for image in client.images.list(f"{registry.host}/team/app"):
            client.images.remove(image.id, force=True)


def test_push_with_the_providers_login_and_without_any(plugin, app, registry, client) -> None:
    name = f"{registry.host}/team/other:1"
    wanted = {**inputs(name), "skipPush": False}
    try:
        with pytest.raises(grpc.RpcError, match=f"pushing {name} failed.*wants a login"):
            plugin.create(TOKEN, wanted)
        entry = {"address": registry.host, "username": registry.username, "password": registry.password}
        plugin.configure(registryAuth=[entry])
        assert plugin.create(TOKEN, wanted).state["repoDigest"].startswith(f"{registry.host}/team/other@")
    finally:
        for image in client.images.list(f"{registry.host}/team/other"):
            client.images.remove(image.id, force=True)


@pytest.fixture
def own_engine(request: pytest.FixtureRequest) -> Iterator[tuple[PluginClient, docker.DockerClient, Path]]:
    """The plugin on an engine of its own, that engine from outside, and its folder. Parameter: MB of disk."""
    folder = Path(tempfile.mkdtemp(prefix="eng"))
    try:
        with start_engine(folder, request.param) as url:
            inside = docker.DockerClient(base_url=url)
            ensure_busybox(inside)
            provider = Provider()
            server, port = start(provider)
            plugin = PluginClient(port)
            plugin.configure(host=url)
            yield plugin, inside, folder
            server.stop(0).wait()
            provider.engine.close()
            inside.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("own_engine", [48], indirect=True)
def test_disk_full_during_the_build(own_engine, app, busybox_image) -> None:
    """The engine goes on working afterwards."""
    plugin, inside, _ = own_engine
    dockerfile(app, f"FROM {busybox_image}\nRUN dd if=/dev/zero of=/big bs=1M count=200\n")
    with pytest.raises(grpc.RpcError) as failure:
        plugin.create(TOKEN, inputs("full:1", network="none"))
    assert "No space left on device" in failure.value.details()
    assert "docker system df" in failure.value.details()
    assert inside.containers.list(all=True) == []
    (app / "big").write_bytes(bytes(64 << 20))
    dockerfile(app, f"FROM {busybox_image}\nCOPY big /\n")
    with pytest.raises(grpc.RpcError, match="disk is full"):
        plugin.create(TOKEN, inputs("full:1"))
    (app / "big").unlink()
    dockerfile(app, f"FROM {busybox_image}\nCOPY content /\n")
    assert plugin.create(TOKEN, inputs("full:1")).state["repoDigest"].startswith("sha256:")


@pytest.mark.parametrize("own_engine", [None], indirect=True)
def test_engine_dies_during_the_build(own_engine, app, busybox_image) -> None:
    plugin, inside, folder = own_engine
    mark = secrets.token_hex(4)
    dockerfile(app, f"FROM {busybox_image}\nRUN echo {mark}; trap 'exit 9' TERM; sleep 300 & wait\n")
    (pidfile,) = folder.glob("*/dockerd.pid")

    def kill() -> None:
        wait_for(lambda: building(inside, mark))
        os.kill(int(pidfile.read_text()), signal.SIGTERM)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(grpc.RpcError) as failure:
        plugin.create(TOKEN, inputs("dies:1", network="none"))
    killer.join()
    text = failure.value.details()
    assert "building dies:1 failed" in text or "connection to the Docker engine broke" in text
