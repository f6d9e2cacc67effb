"""docker.Tag through the plugin, on a real engine."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import docker
import grpc
import pytest

from tests.docker.plugin import UNKNOWN

pytestmark = pytest.mark.docker
TOKEN = "docker:index/tag:Tag"


@pytest.fixture
def names(client: docker.DockerClient, busybox_image: str) -> Iterator[tuple[str, str]]:
    """A source image, and a free target name with dots."""
    repository = f"tag-test-{secrets.token_hex(3)}"
    client.images.get(busybox_image).tag(repository, "1.0")
    yield f"{repository}:1.0", f"{repository}.target:2.1"
    for tag in [tag for image in client.images.list() for tag in image.tags if tag.startswith(repository)]:
        client.images.remove(tag)


def wanted(names: tuple[str, str], **more: object) -> dict:
    return {"sourceImage": names[0], "targetImage": names[1], **more}


def test_tag_lives_and_stays(plugin, names, client) -> None:
    made = plugin.create(TOKEN, wanted(names))
    assert made.id == f"{names[0]}.{names[1]}"
    assert made.state["sourceImageId"] == client.images.get(names[1]).id
    assert not plugin.diff(made, wanted(names))
    refreshed = plugin.read(made)
    assert refreshed is not None and not plugin.diff(refreshed, wanted(names))
    plugin.delete(made)
    assert client.images.get(names[0]) and client.images.get(names[1])


def test_every_change_replaces(plugin, names) -> None:
    made = plugin.create(TOKEN, wanted(names, tagTriggers=["a", "b"]))
    assert not plugin.diff(made, wanted(names, tagTriggers=["b", "a"]))
    assert plugin.diff(made, wanted(names, tagTriggers=["c"])).replaces == ["tagTriggers"]
    assert plugin.diff(made, wanted((names[0], "other:1"), tagTriggers=["a", "b"])).replaces == [
        "targetImage"
    ]
    assert plugin.diff(made, wanted(("other:1", names[1]), tagTriggers=["a", "b"])).replaces == [
        "sourceImage"
    ]


def test_refresh_finds_a_removed_tag(plugin, names, client) -> None:
    made = plugin.create(TOKEN, wanted(names))
    client.images.remove(names[1])
    assert plugin.read(made) is None


def test_import(plugin, names) -> None:
    made = plugin.create(TOKEN, wanted(names))
    found = plugin.import_(TOKEN, made.id)
    assert found is not None and found.state["targetImage"] == names[1]
    assert not plugin.diff(found, wanted(names))
    assert plugin.import_(TOKEN, "no-such.image") is None


def test_preview(plugin, names) -> None:
    assert plugin.preview(TOKEN, wanted(names))["sourceImageId"] is UNKNOWN


def test_errors_name_cause_and_fix(plugin, names) -> None:
    with pytest.raises(
        grpc.RpcError, match=r"(?s)tag-test-none:1 is not on the Docker host.*pull or build it"
    ):
        plugin.create(TOKEN, wanted(("tag-test-none:1", names[1])))
    with pytest.raises(grpc.RpcError, match="not an image name"):
        plugin.create(TOKEN, wanted((names[0], "a//b:1")))
    with pytest.raises(grpc.RpcError, match="has a digest"):
        plugin.create(TOKEN, wanted((names[0], f"a@sha256:{'0' * 64}")))
