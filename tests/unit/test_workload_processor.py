"""douyin-processor: its file and secret, names, WAV arithmetic, and jobs that nothing loses or doubles."""

from __future__ import annotations

import asyncio
import io
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import soundfile
import yaml
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from processor import names, wav
from processor import store as stores
from processor.api import Processor, build
from processor.settings import App, SettingsError, load, secret
from processor.store import OtherFileError, QueueFullError, State, Store
from processor.worker import Workers

BASE = "http://files:8000/prefix"


def encoded(samples: Any, rate: int = 8000, subtype: str = "PCM_16", kind: str = "WAV") -> io.BytesIO:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=subtype, format=kind)
    file.seek(0)
    return file


def sine(amplitude: float = 0.5, seconds: float = 1, rate: int = 8000) -> Any:
    return amplitude * np.sin(2 * np.pi * 100 * np.arange(int(seconds * rate)) / rate)


# --- settings -----------------------------------------------------------------------------------------------


def app_file(folder: Path, **changes: Any) -> Path:
    path = folder / "app.yaml"
    path.write_text(yaml.safe_dump({"app": {"filesystem": {"base_url": BASE}, **changes}}))
    return path


def test_defaults(tmp_path: Path) -> None:
    app = load(app_file(tmp_path))
    assert (app.port, app.workers, app.filesystem.max_bytes) == (8093, 2, 209715200)


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"prot": 1}, "app.prot"),
        ({"port": 0}, "app.port"),
        ({"filesystem": {}}, "app.filesystem.base_url"),
        ({"filesystem": {"base_url": "files:8000"}}, "app.filesystem.base_url"),
        ({"filesystem": {"base_url": "http://u:p@files"}}, "app.filesystem.base_url"),
        ({"result_url": "/x"}, "result_url"),
    ],
)
def test_faults_are_named(tmp_path: Path, changes: dict[str, Any], part: str) -> None:
    with pytest.raises(SettingsError, match=part) as error:
        load(app_file(tmp_path, **changes))
    assert "u:p" not in str(error.value)


def test_the_secret_comes_from_a_file_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("sk-1\n")
    assert secret("KEY", {"KEY_FILE": str(file)}).get_secret_value() == "sk-1"
    file.write_text("\n")
    for environment in ({}, {"KEY": "sk-1"}, {"KEY_FILE": str(file)}, {"KEY_FILE": str(tmp_path / "no")}):
        with pytest.raises(SettingsError, match="KEY") as error:
            secret("KEY", environment)
        assert "sk-1" not in str(error.value)


# --- names --------------------------------------------------------------------------------------------------


@given(st.text(max_size=40).map(lambda text: text + ".wav"))
def test_a_fetched_address_lies_below_the_base(name: str) -> None:
    try:
        url = names.address(BASE, name)
    except names.BadNameError:
        return
    parts = urlsplit(url)
    assert (parts.scheme, parts.netloc) == ("http", "files:8000")
    assert parts.path.startswith("/prefix/files/")
    assert not {"", ".", ".."} & set(parts.path.split("/")[1:])
    assert not parts.query
    assert not parts.fragment
    assert names.from_url(BASE, url) == name


@pytest.mark.parametrize(
    "name", ["../a.wav", "a/../b.wav", "/a.wav", "a//b.wav", ".a.wav", "a.mp3", "a\\b.wav", "\n.wav"]
)
def test_bad_names(name: str) -> None:
    with pytest.raises(names.BadNameError):
        names.plain(name)


@pytest.mark.parametrize(
    "url",
    [
        "http://evil/prefix/files/a.wav",
        "http://files:8000/prefix/files/../../secret.wav",
        "http://files:8000/prefix/files/%2e%2e/secret.wav",
        "http://files:8000/prefix/other/a.wav",
        "http://files:8000@evil/prefix/files/a.wav",
        "http://files:8001/prefix/files/a.wav",
        "https://files:8000/prefix/files/a.wav",
        "http://files:8000/prefix/files/a.wav?x",
        "file:///etc/a.wav",
        "http://[/a.wav",
    ],
)
def test_addresses_elsewhere_are_refused(url: str) -> None:
    with pytest.raises(names.BadNameError):
        names.from_url(BASE, url)


# --- WAV ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_a_tone_in_every_encoding(subtype: str, channels: int, kind: str) -> None:
    found = wav.analyse(encoded(np.column_stack([sine()] * channels), subtype=subtype, kind=kind), 50)
    tolerance = 0.1 if subtype == "PCM_U8" else 0.001
    assert found.rms_dbfs == pytest.approx(20 * math.log10(0.5 / math.sqrt(2)), abs=tolerance)
    assert found.peak == pytest.approx(0.5, abs=0.01)
    assert (found.duration_seconds, found.channels, found.frames) == (1.0, channels, 8000)
    assert len(found.waveform) == 50


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=300),
    st.integers(1, 40),
    st.integers(1, 64),
)
def test_blocks_do_not_change_the_result(samples: list[float], buckets: int, step: int) -> None:
    data = np.array(samples, dtype=np.float64).reshape(-1, 1)
    summary = wav.Summary(len(data), buckets)
    for start in range(0, len(data), step):
        summary.add(data[start : start + step])
    assert summary.rms == pytest.approx(float(np.sqrt(np.mean(data**2))), rel=1e-9, abs=1e-300)
    assert summary.peak == float(np.abs(data).max())
    assert len(summary.peaks) == min(buckets, len(data))
    assert max(summary.peaks) == round(summary.peak, 6)
    assert summary.rms <= summary.peak * (1 + 1e-9)


def test_silence_has_no_level() -> None:
    found = wav.analyse(encoded(np.zeros(100)), 10)
    assert (found.rms_dbfs, found.peak_dbfs, found.peak) == (None, None, 0.0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        b"RIFF\x00\x00\x00\x00WAVE",
        encoded(np.zeros(0)).getvalue(),
        encoded(np.zeros(10), kind="FLAC").getvalue(),
        encoded(np.zeros(10), subtype="ULAW").getvalue(),
        encoded(np.array([0.0, math.nan]), subtype="FLOAT").getvalue(),
    ],
    ids=["nothing", "four bytes", "no chunk", "no sample", "not a WAV", "not PCM", "not a number"],
)
def test_what_cannot_be_analysed_is_refused(content: bytes) -> None:
    with pytest.raises(wav.WavError):
        wav.analyse(io.BytesIO(content), 10)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 60), st.binary(max_size=8))
def test_damaged_files_are_analysed_or_refused(position: int, noise: bytes) -> None:
    content = bytearray(encoded(sine(seconds=0.01)).getvalue())
    content[position : position + len(noise)] = noise
    try:
        found = wav.analyse(io.BytesIO(bytes(content)), 10)
    except wav.WavError:
        return
    assert found.frames > 0


# --- jobs ---------------------------------------------------------------------------------------------------


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Store]:
    def open_(**options: Any) -> Store:
        return Store(tmp_path / "jobs", **{"attempts": 3, "lease": 10.0, "max_queue": 5} | options)

    return open_


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(stores.time, "time", lambda: now[0])
    return now


def test_a_job_is_done_once(opened: Callable[..., Store]) -> None:
    one, two = opened(), opened()
    assert one.submit("v", "v.wav") is State.QUEUED
    assert two.submit("v", "v.wav") is State.QUEUED
    lease = one.claim()
    assert lease is not None
    assert two.claim() is None
    assert two.submit("v", "v.wav") is State.PROCESSING
    assert one.finish(lease, {"x": 1})
    job = two.get("v")
    assert job is not None
    assert (job.state, job.result, job.attempts) == (State.DONE, {"x": 1}, 1)
    assert two.submit("v", "v.wav") is State.DONE
    with pytest.raises(OtherFileError, match=r"v\.wav"):
        two.submit("v", "other.wav")
    assert two.submit("v", "other.wav", force=True) is State.QUEUED


def test_a_lost_process_gives_up_its_job_and_cannot_come_back(
    opened: Callable[..., Store], clock: list[float]
) -> None:
    one, two = opened(), opened()
    one.submit("v", "v.wav")
    old = one.claim()
    assert old is not None
    clock[0] += 9
    assert one.renew(old)
    clock[0] += 9
    assert two.claim() is None
    clock[0] += 2
    new = two.claim()
    assert new is not None
    assert new.attempt == 2
    assert not one.renew(old)
    assert not one.finish(old, {"wrong": 1})
    assert two.finish(new, {"right": 1})


def test_a_job_that_kills_its_process_ends(opened: Callable[..., Store], clock: list[float]) -> None:
    store = opened()
    store.submit("v", "v.wav")
    for _ in range(3):
        assert store.claim() is not None
        clock[0] += 11
    assert store.claim() is None
    job = store.get("v")
    assert job is not None
    assert (job.state, job.error) == (State.FAILED, "gave up: its process was lost in 3 attempts")
    assert store.submit("v", "v.wav") is State.QUEUED


def test_retries_wait_longer_each_time_and_end(opened: Callable[..., Store], clock: list[float]) -> None:
    store = opened()
    store.submit("v", "v.wav")
    for pause in (1, 2):
        lease = store.claim()
        assert lease is not None
        assert store.retry(lease, "away")
        clock[0] += pause - 0.01
        assert store.claim() is None
        clock[0] += 0.01
    lease = store.claim()
    assert lease is not None
    store.retry(lease, "away")
    job = store.get("v")
    assert job is not None
    assert job.error == "gave up after 3 attempts: away"


def test_a_released_job_costs_no_attempt(opened: Callable[..., Store]) -> None:
    store = opened()
    store.submit("v", "v.wav")
    for _ in range(5):
        lease = store.claim()
        assert lease is not None
        assert lease.attempt == 1
        assert store.release(lease)


def test_bounds(opened: Callable[..., Store], clock: list[float]) -> None:
    store = opened()
    for n in range(5):
        store.submit(f"v{n}", "v.wav")
    with pytest.raises(QueueFullError):
        store.submit("v5", "v.wav")
    for n in range(5):
        clock[0] += 86400
        lease = store.claim()
        assert lease is not None
        assert lease.video_id == f"v{n}"
        store.finish(lease, {})
    assert store.prune(results=3, days=30) == 2
    assert store.prune(results=3, days=1.5) == 1
    assert [n for n in range(5) if store.get(f"v{n}")] == [3, 4]


# --- API and workers ----------------------------------------------------------------------------------------


def app(tmp_path: Path, url: str, **changes: Any) -> App:
    return App.model_validate(
        {"data_dir": tmp_path, "filesystem": {"base_url": url, "timeout": 2, "max_bytes": 20_000}, **changes}
    )


def test_the_api_refuses_by_name(tmp_path: Path) -> None:
    processor = Processor(app(tmp_path, "http://127.0.0.1:9", max_queue=1))

    async def run() -> None:
        transport = httpx.ASGITransport(
            build(processor)
        )  # without its lifespan: no worker takes the job away
        async with httpx.AsyncClient(transport=transport, base_url="http://processor") as api:
            for bad in (
                {"video_id": "../x"},
                {"video_id": "a", "file": "../a.wav"},
                {"video_id": "a", "url": "http://evil/files/a.wav"},
                {"video_id": "a", "file": "a.wav", "url": "x"},
                {"video_id": "a", "fiel": "a.wav"},
            ):
                assert (await api.post("/api/process", json=bad)).status_code == 422, bad
            first = await api.post("/api/process", json={"video_id": "a"})
            assert (first.status_code, first.json()["status"]) == (202, "queued")
            assert first.headers["Location"] == "/api/videos/a/result"
            for work_, status in (
                ({"video_id": "a"}, 202),
                ({"video_id": "a", "file": "b.wav"}, 409),
                ({"video_id": "b"}, 503),
            ):
                assert (await api.post("/api/process", json=work_)).status_code == status, work_
            for path, status in (("a/result", 202), ("b/result", 404)):
                assert (await api.get(f"/api/videos/{path}")).status_code == status
            assert (await api.get("/docs")).status_code == 200
            assert b"processor_stored_jobs" in (await api.get("/metrics")).content
            assert "connection" not in (await api.get("/health")).headers
            processor.stop_taking()
            assert (await api.get("/health")).headers["connection"] == "close"

    asyncio.run(run())
    processor.store.close()


@asynccontextmanager
async def file_service(answers: Callable[[web.BaseRequest], web.StreamResponse]) -> AsyncIterator[str]:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return answers(request)

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def work(
    tmp_path: Path, answers: Callable[[web.BaseRequest], web.StreamResponse], **changes: Any
) -> tuple[stores.Job, list[str]]:
    """The end of job `v` with this file service, and what the folder holds then."""

    async def run() -> tuple[stores.Job, list[str]]:
        async with file_service(answers) as url:
            processor = Processor(app(tmp_path, url, **changes))
            processor.store.submit("v", "v.wav")
            workers = Workers(processor.settings, processor.store, tmp_path)
            workers.start()
            end = time.monotonic() + 20
            while time.monotonic() < end:
                job = processor.store.get("v")
                assert job is not None
                if job.state in {State.DONE, State.FAILED}:
                    break
                await asyncio.sleep(0.02)
            await workers.stop(1)
            processor.store.close()
            return job, sorted(p.name for p in tmp_path.iterdir())

    return asyncio.run(run())


def test_a_file_is_fetched_and_analysed(tmp_path: Path) -> None:
    content = encoded(sine()).getvalue()
    job, left = work(tmp_path, lambda _: web.Response(body=content))
    assert job.result is not None
    assert job.result["rms_dbfs"] == pytest.approx(-9.03, abs=0.01)
    assert left == ["jobs.sqlite3"]


def test_a_service_that_was_away_is_asked_again(tmp_path: Path) -> None:
    content, asked = encoded(sine()).getvalue(), []

    def answers(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(status=503) if len(asked) < 2 else web.Response(body=content)

    job, _ = work(tmp_path, answers)
    assert (job.state, asked) == (State.DONE, ["/files/v.wav"] * 2)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, b"", "no such file"),
        (302, b"", "answered 302"),
        (200, b"text", "not a WAV file"),
        (200, b"x" * 20_001, "larger than 20000 bytes"),
    ],
)
def test_what_cannot_get_better_fails_at_once(tmp_path: Path, status: int, body: bytes, error: str) -> None:
    headers = {"Location": "http://127.0.0.1:9/"} if status == 302 else {}
    job, _ = work(tmp_path, lambda _: web.Response(status=status, body=body, headers=headers))
    assert (job.state, job.attempts) == (State.FAILED, 1)
    assert error in (job.error or "")


def test_a_stopped_worker_gives_its_job_back(tmp_path: Path) -> None:
    async def run() -> None:
        never = asyncio.Event()

        async def handle(_: web.BaseRequest) -> web.StreamResponse:
            await never.wait()
            return web.Response()

        runner = web.ServerRunner(web.Server(handle), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        processor = Processor(app(tmp_path, f"http://127.0.0.1:{runner.addresses[0][1]}"))
        processor.store.submit("v", "v.wav")
        workers = Workers(processor.settings, processor.store, tmp_path)
        workers.start()
        while processor.store.counts()[State.PROCESSING] == 0:
            await asyncio.sleep(0.01)
        await workers.stop(0.1)
        job = processor.store.get("v")
        assert job is not None
        assert (job.state, job.attempts) == (State.QUEUED, 0)
        processor.store.close()
        await runner.cleanup()

    asyncio.run(run())


def test_both_probes_are_one() -> None:
    workloads = Path(__file__).parents[2] / "workloads"
    probes = [(workloads / name / "probe").read_bytes() for name in ("api-gateway", "douyin-processor")]
    assert probes[0] == probes[1]
