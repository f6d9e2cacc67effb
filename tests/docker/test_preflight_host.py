"""`./berth preflight` on this host and on others: over TCP with a small disk, and over SSH."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from ops import one_shot
from ops.findings import Finding
from tests.docker.engines import in_namespace
from tests.docker.images import busybox_rootfs
from tests.docker.preflight_hosts import (
    TRAINER,
    Host,
    Stacks,
    import_trainer,
    import_without_shell,
    other_host,
)
from tests.docker.test_plugin_transport import SshServer, ssh_server  # noqa: F401
from tests.engine.workbench import wait_for

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def far() -> Iterator[Host]:
    with other_host() as host:
        yield host


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stacks:
    return Stacks(tmp_path, monkeypatch)


def test_an_engine_without_the_runtime_is_told_what_to_install(far: Host, stacks: Stacks) -> None:
    with far.unchanged():
        found = stacks.look(far.url)
    toolkit = found["container toolkit"]
    assert toolkit.grade == "missing" and "no runtime nvidia (it has: " in toolkit.found
    assert found["GPU inside Docker"].found == "not tried: the container toolkit is missing"


def test_a_stack_on_processors_needs_no_gpu(far: Host, stacks: Stacks) -> None:
    stacks.gpu(device="cpu", cuda=None)
    found = stacks.look(far.url)
    assert found["GPU"].grade == "ok" and "not needed" in found["GPU"].found
    assert not {"NVIDIA driver", "container toolkit", "GPU inside Docker"} & set(found)


def test_an_image_without_a_shell_says_nothing_and_is_no_defect(far: Host) -> None:
    name = "berth/care:1"
    import_without_shell(far.engine, name)
    try:
        with (
            far.unchanged(),
            pytest.raises(one_shot.NoShellError, match="a container of berth/care:1 cannot be started"),
        ):
            one_shot.ask(far.engine, name, "exit 0", host={}, stack="a")
    finally:
        far.engine.images.remove(name)


def test_a_host_without_images_is_not_called_fit(far: Host, stacks: Stacks) -> None:
    assert not far.engine.images.list()
    stacks.gpu(device="cpu", cuda=None)
    with far.unchanged():
        found = stacks.look(far.url)
    why = "its engine has no image of this stack to ask with yet"
    assert found["disk"].grade == "unknown" and why in found["disk"].found and "df -h" in found["disk"].fix
    assert found["ports"].grade == "unknown" and why in found["ports"].found
    assert found["memory"].grade == "ok", "that the engine tells"


def test_another_hosts_disk_ports_and_driver_are_measured_there(far: Host, stacks: Stacks) -> None:
    import_trainer(far.engine)
    try:
        with far.unchanged():
            found = stacks.look(far.url)
        free = shutil.disk_usage(far.home / "data").free
        assert free < 300 << 20
        assert found["disk"].grade == "missing" and "20.0 GB needed" in found["disk"].found
        assert found["disk"].found.startswith(f"{free // 10**8 / 10:.1f} GB free"), (found["disk"], free)
        assert found["ports"].grade == "ok"
        # This kernel has no driver loaded, whatever the machine that asks would say.
        assert "no NVIDIA driver is on the engine's host" in found["NVIDIA driver"].found
        listener = subprocess.Popen(
            [*in_namespace(far.home / "docker.sock"), sys.executable, "-c", _LISTEN, str(stacks.https)]
        )
        try:
            found = wait_for(lambda: _taken(stacks, far), what="the listener is seen", seconds=30)
        finally:
            listener.kill()
            listener.wait()
        assert f"berth:gpu.nginx.https_port: 127.0.0.1:{stacks.https} is taken by a process" in found.found
    finally:
        far.engine.images.remove(TRAINER)


_LISTEN = "import socket, sys, time; s = socket.create_server(('0.0.0.0', int(sys.argv[1]))); time.sleep(60)"


def _taken(stacks: Stacks, host: Host) -> Finding | None:
    found = stacks.look(host.url)["ports"]
    return found if found.grade == "missing" else None


def test_a_host_over_ssh_is_asked_there(
    ssh_server: SshServer,  # noqa: F811
    busybox_image: str,
    client: docker.DockerClient,
    stacks: Stacks,
) -> None:
    """Its engine is this machine's, so that what it tells can be compared."""
    image = {"source": "registry", "reference": busybox_image}
    host = {"kind": "ssh", "address": ssh_server.url, "ssh_opts": ssh_server.options}
    stacks.gpu(host=host, app={"image": image})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", stacks.admin))
        taken.listen()
        found = stacks.look("unix:///var/run/docker.sock")
    assert found["Docker engine"].found.endswith(f"{ssh_server.url} (the stack's `berth:host`)")
    free = shutil.disk_usage(client.info()["DockerRootDir"]).free
    measured = float(found["disk"].found.split()[0]) * 10**9
    assert abs(measured - free) < 3 * 10**9, (found["disk"], free)
    assert f"127.0.0.1:{stacks.admin} is taken by a process on the engine's host" in found["ports"].found
    # This machine's, which was told to be 535, is not asked.
    assert found["NVIDIA driver"].grade == "missing"
    assert not client.containers.list(all=True, filters={"label": f"{one_shot.LABEL}={stacks.name}"})


def test_one_document_tells_all_that_is_in_the_way(
    client: docker.DockerClient, busybox_image: str, stacks: Stacks
) -> None:
    """A port of a foreign container, one of a process, and a range that another network has."""
    name = f"{stacks.name}-foreign"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", stacks.admin))
        taken.listen()
        network = client.networks.create(name)
        try:
            subnet = network.attrs["IPAM"]["Config"] or client.networks.get(name).attrs["IPAM"]["Config"]
            container = client.containers.run(
                busybox_image,
                ["sleep", "1000"],
                name=name,
                detach=True,
                ports={"80/tcp": ("127.0.0.1", stacks.http)},
            )
            try:
                stacks.gpu(
                    device="cpu",
                    cuda=None,
                    network={"name": f"{stacks.name}-app", "subnet": subnet[0]["Subnet"]},
                    nginx_network={"name": name},
                )
                command = stacks.start("unix:///var/run/docker.sock", "--json")
                said, errors = command.communicate(timeout=120)
            finally:
                container.remove(force=True)
        finally:
            network.remove()
    assert command.returncode == 1, errors
    document = json.loads(said)
    assert (document["stack"], document["ok"]) == (stacks.name, False)
    missing = [it for it in document["findings"] if it["grade"] == "missing"]
    assert all(it["fix"] for it in missing)
    told = "\n".join(it["found"] for it in missing)
    assert f"127.0.0.1:{stacks.http} is taken: container '{name}' is not of berth" in told
    assert f"127.0.0.1:{stacks.admin} is taken by process {os.getpid()}" in told
    assert f"{subnet[0]['Subnet']} overlaps" in told
    assert f"berth:gpu.nginx_network.name: the name is taken: network '{name}'" in told
    assert str(stacks.https) not in told


def test_what_the_stack_holds_itself_is_not_in_its_way(
    client: docker.DockerClient, busybox_image: str, stacks: Stacks
) -> None:
    """Its own container publishes the port, on its own network; for another stack both are taken."""
    subnet = "10.214.17.0/24"
    stacks.gpu(device="cpu", cuda=None, network={"name": f"{stacks.name}-app", "subnet": subnet})
    for owner, grade in ((stacks.name, "ok"), (f"{stacks.name}x", "missing")):
        labels = {"berth.stack": owner}
        pool = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=subnet)])
        network = client.networks.create(f"{stacks.name}-app", labels=labels, ipam=pool)
        try:
            container = client.containers.create(
                busybox_image,
                ["sleep", "1000"],
                name=f"{stacks.name}-web",
                labels=labels,
                network=network.name,
                ports={"80/tcp": ("127.0.0.1", stacks.http)},
            )
            try:
                container.start()
                found = stacks.look("unix:///var/run/docker.sock")
            finally:
                container.remove(force=True)
        finally:
            network.remove()
        assert (found["ports"].grade, found["networks"].grade) == (grade, grade), found


@pytest.mark.parametrize("known", [True, False])
def test_a_host_is_said_to_run_the_stack_only_where_all_is_known(
    far: Host, stacks: Stacks, known: bool
) -> None:
    """taifish asks for no least of room. Without an image to ask with, nothing is found, and 0 is said."""
    config = {
        "berth:systems": ["celery"],
        "berth:images": {"source": "local"},
        "berth:generate_secrets": True,
    }
    (stacks.folder / f"Pulumi.{stacks.name}.yaml").write_text(json.dumps({"config": config}))
    base = "berth/base:1"
    if known:
        far.engine.api.import_image_from_data(busybox_rootfs(), repository="berth/base", tag="1")
    try:
        with far.unchanged():
            command = stacks.start(far.url)
            said, errors = command.communicate(timeout=120)
            document = json.loads(stacks.start(far.url, "--json").communicate(timeout=120)[0])
    finally:
        if known:
            far.engine.images.remove(base)
    assert command.returncode == 0, said + errors
    assert "MISSING" not in said and "ok       networks: taifish_network, 172.20.0.0/16" in said, said
    can = f"the host can run stack {stacks.name}; next: ./berth up -s {stacks.name}"
    unknown = f"nothing found in the way of stack {stacks.name}; not known: disk"
    assert (can in errors, unknown in errors) == (known, not known), errors
    assert (document["ok"], document["unknown"] == []) == (True, known), document


def test_a_full_disk_is_in_nobodys_way_once_the_stack_is_there(far: Host, stacks: Stacks) -> None:
    """Its own images may be what fills it; of another stack they are not."""
    import_trainer(far.engine)
    try:
        for owner, grade in ((stacks.name, "later"), (f"{stacks.name}x", "missing")):
            container = far.engine.containers.create(TRAINER, labels={"berth.stack": owner})
            try:
                found = stacks.look(far.url)["disk"]
            finally:
                container.remove(v=True)
            assert found.grade == grade and "20.0 GB needed" in found.found, found
    finally:
        far.engine.images.remove(TRAINER)


def test_a_stack_file_that_is_wrong_is_one_document_too(stacks: Stacks) -> None:
    stacks.gpu(device="tpu")
    command = stacks.start("unix:///var/run/docker.sock", "--json")
    said, _ = command.communicate(timeout=120)
    document = json.loads(said)
    assert command.returncode == 1 and not document["ok"]
    assert "berth:gpu.device: 'tpu'" in document["findings"][0]["found"]
    assert document["findings"][-1]["what"] == "host" and document["findings"][-1]["grade"] == "unknown"


def test_an_engine_that_is_lost_meanwhile_is_told(
    far: Host, stacks: Stacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_args: object, **_more: object) -> Any:
        raise ConnectionResetError("the engine went away")

    monkeypatch.setattr("ops.host_facts.root_here", lost)
    found = stacks.look(far.url)
    assert found["host"].grade == "missing" and "stopped answering" in found["host"].found
