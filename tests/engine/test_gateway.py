"""The whole path, as a newcomer walks it: up, a result through the gateway, changes under load, destroy."""

import itertools
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from tests.engine.deployment import Deployment
from tests.engine.load import steady_load

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path_factory.mktemp("gateway"))
    up = deployment.berth("up")
    assert f"{deployment.url}" in up.stdout
    yield deployment
    deployment.berth("destroy", "--with-data", text=f"{deployment.stack}\n", check=False)


def result_of(client: httpx.Client, video: str, *, seconds: float = 60) -> dict[str, Any]:
    """The finished result of a video."""
    end = time.monotonic() + seconds
    while True:
        answer = client.get(f"/api/douyin/videos/{video}/result")
        if answer.status_code == 200:
            result: dict[str, Any] = answer.json()
            return result
        assert answer.status_code == 202, answer.text
        assert time.monotonic() < end, f"no result after {seconds} s: {answer.text}"
        time.sleep(0.2)


def test_a_result_is_computed_through_the_gateway(deployment: Deployment) -> None:
    with deployment.client() as client:
        accepted = client.post(
            "/api/douyin/process", json={"video_id": "7609169800750206794", "file": "sample.wav"}
        )
        assert accepted.status_code == 202, accepted.text
        result = result_of(client, "7609169800750206794")["result"]
    # sample.wav is one second of a 440 Hz sine at half of full scale: its RMS is 20 log10(0.5 / sqrt 2).
    assert result["duration_seconds"] == 1.0
    assert result["rms_dbfs"] == pytest.approx(20 * math.log10(0.5 / math.sqrt(2)), abs=0.05)
    assert result["peak"] == pytest.approx(0.5, abs=0.001)
    assert result["waveform"] and max(result["waveform"]) == pytest.approx(0.5, abs=0.001)


def test_routes_of_the_document_answer_and_nothing_else_does(deployment: Deployment) -> None:
    with deployment.client() as client:
        assert client.get("/api/douyin/health").status_code == 200
        assert client.get("/api/douyin/videos/no-such-video/result").status_code == 404
        assert client.get("/api/process").status_code == 404
        assert client.get("/docs").status_code == 404


def test_only_the_gateway_is_reachable_from_the_host(
    deployment: Deployment, engine: docker.DockerClient
) -> None:
    published = {
        (container.labels["berth.service"], binding["HostIp"], binding["HostPort"])
        for container in engine.containers.list(filters={"label": f"berth.stack={deployment.stack}"})
        for bindings in container.attrs["NetworkSettings"]["Ports"].values()
        for binding in bindings or ()
    }
    assert published == {("api-gateway", "127.0.0.1", str(deployment.port))}


def test_every_running_container_is_hardened(deployment: Deployment, engine: docker.DockerClient) -> None:
    running = engine.containers.list(filters={"label": f"berth.stack={deployment.stack}"})
    assert {c.labels["berth.service"] for c in running} == {
        "api-gateway",
        "douyin-processor",
        "file-system-go",
    }
    for container in running:
        host, config = container.attrs["HostConfig"], container.attrs["Config"]
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"] and not host["CapAdd"] and not host["Privileged"]
        assert "no-new-privileges:true" in host["SecurityOpt"] or "no-new-privileges" in host["SecurityOpt"]
        assert host["Memory"] > 0 and host["MemorySwap"] == host["Memory"]
        assert host["CpuQuota"] > 0 or host["NanoCpus"] > 0
        assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}
        assert host["RestartPolicy"]["Name"] == "unless-stopped"
        assert config["User"] not in ("", "0", "root")
        assert container.attrs["State"]["Health"]["Status"] == "healthy"


def test_the_secret_appears_nowhere(deployment: Deployment, engine: docker.DockerClient) -> None:
    stack = deployment.stack
    secret = deployment.shell(
        f'eval "$(./berth env -s {stack})" &&'
        f" pulumi config get --path berth:secrets.aliyun_access_key --stack {stack}"
    ).stdout.strip()
    assert len(secret) >= 16
    state = "".join(
        path.read_text(errors="replace")
        for path in deployment.folder.parent.rglob("*.json*")
        if path.is_file()
    )
    assert secret not in state
    assert secret not in (deployment.folder / f"Pulumi.{stack}.yaml").read_text()
    for container in engine.containers.list(all=True, filters={"label": f"berth.stack={stack}"}):
        assert secret not in json.dumps(container.attrs)
        assert secret not in container.logs().decode(errors="replace")


def test_a_preview_after_up_shows_no_change(deployment: Deployment) -> None:
    stack = deployment.stack
    deployment.shell(
        f'eval "$(./berth env -s {stack})" && pulumi preview --expect-no-changes --stack {stack}'
    )


def test_status_is_healthy_and_machine_readable(deployment: Deployment) -> None:
    assert deployment.berth("status").returncode == 0
    document = json.loads(deployment.berth("status", "--json").stdout)
    assert document["stack"] == deployment.stack


def test_changes_are_rolled_out_without_a_failed_request(
    deployment: Deployment, engine: docker.DockerClient
) -> None:
    """A new setting replaces the processor; then a second replica and a new route arrive."""
    numbers = itertools.count()

    def service(name: str) -> set[str]:
        mine = {"label": [f"berth.stack={deployment.stack}", f"berth.service={name}"], "status": "running"}
        return {container.id for container in engine.containers.list(filters=mine)}

    with deployment.client() as client:
        before = result_of(client, "7609169800750206794")
        processors, gateways = service("douyin-processor"), service("api-gateway")

        def request() -> None:
            number = next(numbers)
            if number % 5 == 0:
                answer = client.post(
                    "/api/douyin/process", json={"video_id": f"load-{number}", "file": "sample.wav"}
                )
                assert answer.status_code == 202, f"{answer.status_code} {answer.text}"
            else:
                answer = client.get("/api/douyin/videos/7609169800750206794/result")
                assert answer.status_code == 200, f"{answer.status_code} {answer.text}"

        with steady_load(request) as load:
            deployment.configure({"processor": {"file_timeout": "20s"}})
            deployment.berth("up")
            replaced = service("douyin-processor")
            deployment.configure({"processor": {"file_timeout": "20s", "replicas": 2}})
            deployment.berth("up")
            deployment.configure(
                {
                    "processor": {"file_timeout": "20s", "replicas": 2},
                    "gateway": {
                        "routes": [
                            {"method": "POST", "path": "/api/douyin/process", "target": "/api/process"},
                            {
                                "method": "GET",
                                "path": "/api/douyin/videos/{id}/result",
                                "target": "/api/videos/{id}/result",
                            },
                            {"method": "GET", "path": "/api/douyin/alive", "target": "/health"},
                        ]
                    },
                }
            )
            deployment.berth("up")
            end = time.monotonic() + 30
            while client.get("/api/douyin/alive").status_code != 200:
                assert time.monotonic() < end, "the new route was not taken up"
                time.sleep(0.2)
        assert replaced.isdisjoint(processors)
        assert len(service("douyin-processor")) == 2
        assert service("api-gateway") == gateways, "a new route must not replace the gateway"
        assert load.failures == []
        assert load.answered > 200
        assert result_of(client, "7609169800750206794") == before
        for number in range(0, next(numbers) - 10, 5):
            assert result_of(client, f"load-{number}")
    test_a_preview_after_up_shows_no_change(deployment)


def test_a_container_removed_behind_the_engine_comes_back(
    deployment: Deployment, engine: docker.DockerClient
) -> None:
    mine = {"label": [f"berth.stack={deployment.stack}", "berth.service=file-system-go"], "status": "running"}
    (victim,) = engine.containers.list(filters=mine)
    victim.remove(force=True)
    assert deployment.berth("status", check=False).returncode != 0
    assert "Updating (" in deployment.berth("up").stdout
    assert deployment.berth("status").returncode == 0
    again = deployment.berth("up")
    assert "nothing has changed since the up of" in again.stderr
    assert "Updating (" not in deployment.berth("up", "--again").stdout, "what changes nothing ends here"
    assert f"gateway is up and answers: {deployment.url}" in again.stdout
    with deployment.client() as client:
        assert (
            client.post("/api/douyin/process", json={"video_id": "after", "file": "sample.wav"}).status_code
            == 202
        )
        assert result_of(client, "after")


def test_destroy_leaves_only_the_protected_data(
    deployment: Deployment, engine: docker.DockerClient, tmp_path: Path
) -> None:
    deployment.berth("destroy", "--yes")
    left = deployment.objects(engine)
    assert left["containers"] == [] and left["networks"] == []
    assert len(left["volumes"]) == 2, left  # the processor's results and the audio
    deployment.berth("up")
    with deployment.client() as client:
        assert result_of(client, "7609169800750206794")["video_id"] == "7609169800750206794"
    deployment.berth("destroy", "--with-data", text=f"{deployment.stack}\n")
    assert deployment.objects(engine) == {"containers": [], "networks": [], "volumes": []}
