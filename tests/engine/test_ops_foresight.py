"""A preview tells of a port that is somebody else's, and never of the stack's own."""

from __future__ import annotations

import docker
import pytest

from tests.docker.images import busybox_image  # noqa: F401
from tests.engine.test_ops_verbs import bench, client  # noqa: F401
from tests.engine.workbench import Workbench

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.usefixtures("busybox_image")]


def test_a_port_that_is_taken_is_told_by_preview(
    bench: Workbench,  # noqa: F811
    client: docker.DockerClient,  # noqa: F811
) -> None:
    holder = client.containers.run(
        "berth-test/busybox:1",
        ["sleep", "600"],
        name=f"{bench.name}-foreign",
        detach=True,
        ports={"1/tcp": ("127.0.0.1", bench.port)},
    )
    try:
        said = bench.run("preview")
        assert said.returncode == 0, said.stdout + said.stderr
        told = f"container '{holder.name}' is not of berth and publishes host port {bench.port}"
        assert f"the update will fail: {told}" in " ".join((said.stdout + said.stderr).split())
        assert holder.name in bench.fails("up")
    finally:
        holder.remove(force=True)
    assert "the update will fail" not in bench.ok("preview")
    bench.ok("up")
    bench.want(mark="another command")
    assert "the update will fail" not in bench.ok("preview")
    bench.ok("up")
