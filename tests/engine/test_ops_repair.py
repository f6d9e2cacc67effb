"""What was lost or changed behind our back, on a real engine: told by `status`, mended or refused by `up`."""

from __future__ import annotations

import json

import docker
import pytest

from tests.docker.images import busybox_image  # noqa: F401
from tests.engine.test_ops_verbs import bench, client  # noqa: F401
from tests.engine.workbench import Workbench, wait_for

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.usefixtures("busybox_image")]


def test_lost_data_volume_is_never_made_again_in_silence(
    bench: Workbench,  # noqa: F811
    client: docker.DockerClient,  # noqa: F811
) -> None:
    bench.ok("up")
    volume = f"{bench.name}-data"
    bench.containers(client)[0].remove(force=True)
    client.volumes.get(volume).remove()
    before = bench.state.read_bytes()
    assert f"data volume {volume}: missing" in bench.run("status").stderr
    said = bench.fails("up")
    assert volume in said and f"--accept-data-loss {volume}" in said and "docker volume create" in said
    assert f"up will refuse: stack dev keeps data in volume(s)" in bench.run("preview").stderr  # noqa: F541
    assert "misses no data volume other" in bench.fails("up", "--accept-data-loss", "other")
    assert bench.state.read_bytes() == before
    assert bench.containers(client) == []
    accepted = bench.run("up", "--accept-data-loss", volume)
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert f"the data of volume {volume} is given up" in accepted.stderr
    bench.ok("status")
    bench.ok("preview", "--expect-no-changes")


def test_restored_data_volume_is_taken_up_again(
    bench: Workbench,  # noqa: F811
    client: docker.DockerClient,  # noqa: F811
) -> None:
    bench.ok("up")
    bench.containers(client)[0].remove(force=True)
    client.volumes.get(f"{bench.name}-data").remove()
    words = bench.fails("up").split("`")[1].split()
    labels = dict(words[at + 1].split("=") for at, word in enumerate(words) if word == "--label")
    client.volumes.create(words[-1], labels=labels)
    bench.ok("up")
    bench.ok("preview", "--expect-no-changes")


def test_lost_secret_is_never_replaced_in_silence(bench: Workbench) -> None:  # noqa: F811
    whole = bench.file.read_text()
    bench.ok("up")
    bench.file.write_text(whole)  # as `git checkout` does: secrets and salt are gone
    for verb in ("preview", "up"):
        said = bench.fails(verb)
        assert "lacks its secret(s) aliyun_access_key" in said and "--new-secret aliyun_access_key" in said
        assert bench.file.read_text() == whole
    assert "--new-secret other" in bench.fails("up", "--new-secret", "other")
    bench.ok("up", "--new-secret", "aliyun_access_key")
    assert "aliyun_access_key:\n      secure: v1:" in bench.file.read_text()


def test_a_damaged_secret_is_named(bench: Workbench) -> None:  # noqa: F811
    bench.ok("preview")  # makes the secrets
    assert "ok       passphrase" in bench.ok("doctor")
    whole = bench.file.read_text()
    head, value = whole.split("aliyun_access_key:\n      secure: ")
    value, rest = value.split("\n", 1)
    changed = value[:-8] + ("A" if value[-8] != "A" else "B") + value[-7:]
    for damaged, cause in (
        (changed, "a secret of stack dev cannot be opened"),
        (value[:-1], "aliyun_access_key: "),
    ):
        bench.file.write_text(f"{head}aliyun_access_key:\n      secure: {damaged}\n{rest}")
        assert cause in bench.fails("up")
        doctor = bench.run("doctor")
        assert doctor.returncode == 1 and "berth:secrets.aliyun_access_key: its `secure:`" in doctor.stdout
    bench.file.write_text(whole)
    wrong = bench.run("doctor", env={"PULUMI_CONFIG_PASSPHRASE": "another"})
    assert "MISSING  passphrase: the passphrase does not fit Pulumi.dev.yaml" in wrong.stdout
    assert "the passphrase does not fit stack dev" in bench.fails(
        "up", env={"PULUMI_CONFIG_PASSPHRASE": "another"}
    )


@pytest.mark.parametrize(
    "damage",
    [
        *("paused", "unhealthy", "off its network", "stopped"),
        *("unhealthy and paused", "off its network and paused"),
    ],
)
def test_one_up_mends_what_is_told(
    bench: Workbench,  # noqa: F811
    client: docker.DockerClient,  # noqa: F811
    damage: str,
) -> None:
    bench.ok("up")
    (container,) = bench.containers(client)

    def unhealthy() -> bool:
        container.reload()
        return bool(container.attrs["State"]["Health"]["Status"] == "unhealthy")

    for part in damage.split(" and "):
        match part:
            case "paused":
                container.pause()
            case "stopped":
                container.stop(timeout=0)
            case "off its network":
                client.networks.get("bridge").disconnect(container)
            case _:
                container.exec_run(["sh", "-c", "rm /tmp/w/health"])
                wait_for(unhealthy, what="an unhealthy container", seconds=30)
    status = bench.run("status", "--json")
    shown = json.loads(status.stdout)
    assert status.returncode == 1 and not shown["ok"]
    assert any(f"{bench.port}/health" in problem for problem in shown["problems"])
    mended = bench.run("up")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert "changed behind our back" in mended.stderr
    bench.ok("status")
    bench.ok("preview", "--expect-no-changes")


def test_a_lost_network_of_the_stack_is_made_again_under_running_containers(
    bench: Workbench,  # noqa: F811
    client: docker.DockerClient,  # noqa: F811
) -> None:
    bench.want(network=True)
    bench.ok("up")
    (container,) = bench.containers(client)
    name = f"{bench.name}-inner"
    network = client.networks.get(name)
    network.disconnect(container)
    network.remove()
    container.reload()
    assert container.status == "running"
    assert f"network {name}: missing" in bench.run("status").stderr
    mended = bench.run("up")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    assert f"network {name} (missing) is made again" in mended.stderr
    assert " refreshing" not in mended.stdout
    (container,) = bench.containers(client)
    assert list(container.attrs["NetworkSettings"]["Networks"]) == [name]
    bench.ok("status")
    bench.ok("preview", "--expect-no-changes")
