"""The reference images on a real engine: the whole gateway system without Pulumi."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator

import docker
import pytest
import yaml

from tests.docker.workloads import NAMES, USER, System, system, until

pytestmark = pytest.mark.docker

ROUTES = [
    {"method": "POST", "path": "/api/douyin/process", "target": "/api/process"},
    {"method": "GET", "path": "/api/douyin/videos/{id}/result", "target": "/api/videos/{id}/result"},
    {"method": "GET", "path": "/api/douyin/health", "target": "/health"},
]
TONE_RMS, TONE_PEAK = -9.031, 0.5  # half of full scale: 20 log10(0.5 / sqrt 2)


def services(routes: list[dict[str, str]]) -> str:
    backend = {"name": "douyin-processor", "base_url": "http://douyin-processor:8093", "routes": routes}
    return yaml.safe_dump({"services": [backend]})


@pytest.fixture(scope="module")
def running() -> Iterator[System]:
    client = docker.from_env(timeout=600)
    with system(client) as it:
        (it.config / "services.yaml").write_text(services(ROUTES))
        it.app.write_text(
            yaml.safe_dump(
                {
                    "app": {
                        "filesystem": {"base_url": "http://file-system-go:8000"},
                        "lease": 3,
                        "result_url": "/api/douyin/videos/{id}/result",
                    }
                }
            )
        )
        it.files()
        it.processor()
        it.gateway()
        yield it
    client.close()


def named(running: System, service: str) -> docker.models.containers.Container:
    """The newest running container of a service."""
    return running.client.containers.list(
        filters={"label": f"test={running.id}", "ancestor": running.images[service]}
    )[0]


def test_a_request_becomes_a_computed_result(running: System) -> None:
    status, accepted = running.ask("POST", "/api/douyin/process", {"video_id": "tone", "file": "sample.wav"})
    assert (status, accepted["video_id"]) == (202, "tone")
    result = running.result("tone")["result"]
    assert result["duration_seconds"] == 1.0
    assert (result["sample_rate"], result["channels"], result["encoding"]) == (16000, 1, "PCM_16")
    assert result["rms_dbfs"] == pytest.approx(TONE_RMS, abs=0.001)
    assert result["peak"] == pytest.approx(TONE_PEAK, abs=0.0001)
    assert len(result["waveform"]) == 200
    assert min(result["waveform"]) > 0.49


def test_unknown_video_and_unknown_file(running: System) -> None:
    assert running.ask("GET", "/api/douyin/videos/nothing/result")[0] == 404
    running.ask("POST", "/api/douyin/process", {"video_id": "absent"})
    path = "/api/douyin/videos/absent/result"
    status, body = until("absent.wav fails", lambda: a if (a := running.ask("GET", path))[0] != 202 else None)
    assert (status, body["error"]) == (422, "the file system service has no such file")


def test_a_killed_processor_loses_nothing(running: System) -> None:
    files, processor = named(running, "file-system-go"), named(running, "douyin-processor")
    files.stop()
    videos = [f"kill-{n}" for n in range(20)]
    for video in videos:
        status, _ = running.ask("POST", "/api/douyin/process", {"video_id": video, "file": "sample.wav"})
        assert status == 202
    processor.kill("SIGKILL")
    processor.start()
    running.healthy(processor, 8093)
    files.start()
    for video in videos:
        assert running.result(video, 120)["result"]["rms_dbfs"] == pytest.approx(TONE_RMS, abs=0.001)
    assert running.result("tone")["result"]["peak"] == pytest.approx(TONE_PEAK, abs=0.0001)


def test_the_gateway_follows_its_file(running: System) -> None:
    file = running.config / "services.yaml"
    more = [*ROUTES, {"method": "GET", "path": "/api/douyin/docs", "target": "/openapi.json"}]
    assert running.ask("GET", "/api/douyin/docs")[0] == 404
    file.write_text(services(more))
    until("new route", lambda: True if running.ask("GET", "/api/douyin/docs")[0] == 200 else None)
    file.write_text("services: [{name: broken}]")
    until(
        "rejection shown",
        lambda: True if running.ask("GET", "/health")[1]["config"] == "rejected" else None,
        10,
    )
    assert running.ask("GET", "/api/douyin/docs")[0] == 200
    assert "services.0.base_url" in named(running, "api-gateway").logs().decode()
    file.write_text(services(ROUTES))
    until("old routes", lambda: True if running.ask("GET", "/api/douyin/docs")[0] == 404 else None)


def test_a_backend_replaced_under_load_fails_no_request(running: System) -> None:
    stop, answers = threading.Event(), Counter[int | str]()

    def load(worker: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            try:
                if count % 2:
                    work = {"video_id": f"load-{worker}-{count}", "file": "sample.wav"}
                    answers[running.ask("POST", "/api/douyin/process", work)[0]] += 1
                else:
                    answers[running.ask("GET", "/api/douyin/videos/tone/result")[0]] += 1
            except (OSError, ValueError) as error:
                answers[f"{type(error).__name__}: {error}"] += 1
            time.sleep(0.005)

    threads = [threading.Thread(target=load, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            old = named(running, "douyin-processor")
            running.processor()
            old.stop(timeout=20)
            assert old.wait()["StatusCode"] == 0
            old.remove()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    print(f"answers during three replacements: {dict(answers)}")
    assert set(answers) == {200, 202}
    assert answers.total() > 200
    assert running.ask("GET", "/api/douyin/health")[1]["jobs"]["failed"] <= 1  # `absent` above


def test_hardening_and_secrets(running: System) -> None:
    for name in NAMES:
        container = named(running, name)
        uid = container.top(ps_args="-eo pid,uid")["Processes"][0][1]
        assert uid == str(USER)
        attributes = json.dumps(running.client.api.inspect_container(container.id))
        assert running.secret not in attributes
        assert running.secret not in container.logs().decode()
        assert running.client.images.get(running.images[name]).attrs["Config"]["User"] == f"{USER}:{USER}"


def test_no_compiler_and_small(running: System) -> None:
    limits = {"api-gateway": 170, "douyin-processor": 260, "file-system-go": 12}
    for name, limit in limits.items():
        size = running.client.images.get(running.images[name]).attrs["Size"] / 1e6
        print(f"{name}: {size:.0f} MB")
        assert size < limit
    for name in ("api-gateway", "douyin-processor"):
        found = named(running, name).exec_run(["sh", "-c", "command -v gcc cc go pip apt-key"])
        assert found.output.decode().split() in ([], ["/usr/bin/apt-key"])


def test_python_images_share_their_first_layers(running: System) -> None:
    layers = [
        running.client.images.get(running.images[name]).attrs["RootFS"]["Layers"]
        for name in ("api-gateway", "douyin-processor")
    ]
    assert layers[0][:3] == layers[1][:3]


def test_the_gateway_ends_running_requests_before_it_stops(running: System) -> None:
    gateway = named(running, "api-gateway")
    assert running.ask("GET", "/health")[0] == 200
    gateway.stop(timeout=20)
    assert gateway.wait()["StatusCode"] == 0
    gateway.start()
    gateway.reload()
    running.port = int(gateway.ports["8010/tcp"][0]["HostPort"])
    running.healthy(gateway, 8010)
    assert running.result("tone")["status"] == "done"
