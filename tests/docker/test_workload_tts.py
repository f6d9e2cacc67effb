"""tts-proxy before clouds that misbehave: what its caller gets, and how many calls reached the cloud."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
import httpx
import pytest
import soundfile

from tests.docker.tts import Clouds, Proxy, clouds
from tests.docker.workloads import unit_tests, until

pytestmark = pytest.mark.docker

LONG = "The quick brown fox jumps over the lazy dog while it rains. " * 20


@pytest.fixture(scope="module")
def running() -> Iterator[Clouds]:
    client = docker.from_env(timeout=600)
    with clouds(client) as it:
        yield it
    client.close()


@pytest.fixture(scope="module")
def shared(running: Clouds) -> Proxy:
    return running.proxy()


@pytest.fixture
def cloud(running: Clouds) -> Clouds:
    running.forget()
    return running


@pytest.fixture
def proxy(shared: Proxy, cloud: Clouds) -> Proxy:
    return shared


def seconds(answer: httpx.Response) -> float:
    """The length of the sound, which must be sound."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "audio/wav"
    sound, rate = soundfile.read(io.BytesIO(answer.content))
    assert float((sound**2).mean()) ** 0.5 > 0.01, "silence"
    return len(sound) / float(rate)


def error(answer: httpx.Response) -> tuple[int, str]:
    body: dict[str, Any] = answer.json()["error"]
    assert set(body) - {"provider"} == {"code", "message", "retryable"}
    return answer.status_code, body["code"]


def test_unit_tests_pass_on_the_images_own_node() -> None:
    client = docker.from_env(timeout=600)
    unit_tests(client, "tts-proxy")
    client.close()


@pytest.mark.parametrize("provider", ["cosyvoice", "gpt-sovits"])
def test_more_text_is_longer_speech(proxy: Proxy, cloud: Clouds, provider: str) -> None:
    short = proxy.speak("Hello world.", provider=provider)
    long = proxy.speak("Hello world. " * 5, provider=provider)
    fast = proxy.speak("Hello world. " * 5, provider=provider, speed=2)
    assert 0.3 < seconds(short) < 3
    assert seconds(long) > 3 * seconds(short)
    assert seconds(fast) < 0.8 * seconds(long)
    assert seconds(proxy.speak("先帝创业未半而中道崩殂", provider=provider)) > 1
    assert short.headers["x-tts-provider"] == provider
    assert cloud.calls(provider) == 4


def test_voices_can_be_used(proxy: Proxy) -> None:
    voices = httpx.get(f"{proxy.url}/v1/voices").json()["voices"]
    assert {voice["provider"] for voice in voices} == {"cosyvoice", "gpt-sovits"}
    for voice in voices:
        assert seconds(proxy.speak(provider=voice["provider"], voice=voice["id"])) > 0
        answer = proxy.speak(provider="auto", voice=voice["id"])
        assert answer.headers["x-tts-provider"] == voice["provider"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"text": 1}, (400, "bad_request")),
        ({"text": "a", "provider": "azure"}, (400, "bad_request")),
        ({"text": "a", "format": "mp3"}, (400, "bad_request")),
        ({"text": "a", "speed": 9}, (400, "bad_request")),
        ({"text": "a", "pitch": 1}, (400, "bad_request")),
        ({"text": "  "}, (422, "unprocessable")),
        ({"text": "a" * 5001}, (422, "unprocessable")),
        ({"text": "a", "voice": "nobody"}, (422, "unprocessable")),
        ({"text": "a", "provider": "cosyvoice", "voice": "default"}, (422, "unprocessable")),
    ],
)
def test_bad_input_never_reaches_a_cloud(
    proxy: Proxy, cloud: Clouds, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    answer = httpx.post(f"{proxy.url}/v1/speech", json=body)
    assert error(answer) == expected
    assert answer.json()["error"]["retryable"] is False
    assert cloud.calls("cosyvoice") + cloud.calls("gpt-sovits") == 0


def test_broken_requests_are_told_apart(proxy: Proxy) -> None:
    url = f"{proxy.url}/v1/speech"
    typed = {"content-type": "application/json"}
    assert error(httpx.post(url, content="{", headers=typed)) == (400, "bad_request")
    assert error(httpx.post(url, content=b"x" * 300_000, headers=typed)) == (413, "bad_request")
    assert error(httpx.post(url, content="text", headers={"content-type": "text/plain"}))[0] == 415
    assert error(httpx.get(url)) == (404, "not_found")
    assert error(proxy.speak(headers={"x-request-timeout": "soon"})) == (400, "bad_request")


BROKEN = ["truncated", "short", "not_audio", "wrong_type", "broken_json"]


@pytest.mark.parametrize("provider", ["cosyvoice", "gpt-sovits"])
@pytest.mark.parametrize(
    ("behaviour", "times", "expected", "calls"),
    [
        ("error_500", 1, None, 2),
        ("error_500", 2, None, 3),
        ("error_500", 3, (502, "upstream_failed"), 3),
        ("cut", 1, None, 2),
        ("cut", 3, (502, "upstream_unreachable"), 3),
        ("rate_limited", 1, None, 2),
        ("wrong_key", 1, (502, "upstream_auth"), 1),
        *[(behaviour, 1, (502, "upstream_broken"), 1) for behaviour in BROKEN],
    ],
)
def test_it_tries_again_where_that_is_safe_and_only_there(
    proxy: Proxy,
    cloud: Clouds,
    provider: str,
    behaviour: str,
    times: int,
    expected: tuple[int, str] | None,
    calls: int,
) -> None:
    cloud.suffer(provider, behaviour, times)
    answer = proxy.speak(provider=provider)
    if expected is None:
        assert seconds(answer) > 0
    else:
        assert error(answer) == expected
    assert cloud.calls(provider) == calls


def test_failed_inference_is_a_failure_although_it_comes_as_400(proxy: Proxy, cloud: Clouds) -> None:
    cloud.suffer("gpt-sovits", "failed_inference")
    assert seconds(proxy.speak()) > 0
    assert cloud.calls("gpt-sovits") == 2


def test_sizes_that_the_cloud_left_open_are_filled_in(proxy: Proxy, cloud: Clouds) -> None:
    cloud.suffer("gpt-sovits", "unsized")
    content = proxy.speak().content
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
    assert int.from_bytes(content[40:44], "little") == len(content) - 44


@pytest.mark.parametrize("behaviour", ["truncated", "short", "error_500", "cut", "wrong_type", "not_audio"])
def test_finished_sound_is_fetched_again_but_never_paid_for_twice(
    proxy: Proxy, cloud: Clouds, behaviour: str
) -> None:
    cloud.suffer("cosyvoice-audio", behaviour)
    assert seconds(proxy.speak(provider="cosyvoice")) > 0
    assert (cloud.calls("cosyvoice"), cloud.calls("cosyvoice-audio")) == (1, 2)
    cloud.suffer("cosyvoice-audio", behaviour, 3)
    assert error(proxy.speak(provider="cosyvoice"))[0] == 502
    assert (cloud.calls("cosyvoice"), cloud.calls("cosyvoice-audio")) == (2, 5)


def test_what_the_cloud_asks_to_wait_is_waited(proxy: Proxy, cloud: Clouds) -> None:
    cloud.suffer("gpt-sovits", "rate_limited", retry_after=2)
    assert seconds(proxy.speak()) > 0
    first, second = cloud.seen("gpt-sovits")["arrivals"]
    assert second - first >= 2000


def test_a_wait_beyond_the_deadline_is_handed_on(proxy: Proxy, cloud: Clouds) -> None:
    cloud.suffer("gpt-sovits", "rate_limited", retry_after=60)
    began = time.monotonic()
    answer = proxy.speak()
    assert error(answer) == (429, "rate_limited")
    assert answer.headers["retry-after"] == "60"
    assert answer.json()["error"]["retryable"] is True
    assert time.monotonic() - began < 50  # of the 60 that were asked for
    assert cloud.calls("gpt-sovits") == 1


@pytest.mark.parametrize("provider", ["cosyvoice", "cosyvoice-audio", "gpt-sovits"])
@pytest.mark.parametrize("behaviour", ["slow", "stalled"])
def test_the_deadline_holds(proxy: Proxy, cloud: Clouds, provider: str, behaviour: str) -> None:
    cloud.suffer(provider, behaviour)
    began = time.monotonic()
    answer = proxy.speak(provider=provider.removesuffix("-audio"), headers={"x-request-timeout": "1000"})
    assert error(answer) == (504, "upstream_timeout")
    assert 0.9 < time.monotonic() - began < 40
    assert cloud.calls(provider) == 1


def test_a_deadline_may_be_a_moment(proxy: Proxy, cloud: Clouds) -> None:
    cloud.suffer("gpt-sovits", "slow")
    began = time.monotonic()
    moment = str(int(time.time() * 1000) + 800)
    assert error(proxy.speak(headers={"x-request-deadline": moment})) == (504, "upstream_timeout")
    assert time.monotonic() - began < 40
    assert error(proxy.speak(headers={"x-request-deadline": "1"})) == (504, "deadline_exceeded")
    assert cloud.calls("gpt-sovits") == 1


@pytest.mark.parametrize(
    ("behaviour", "times", "calls"),
    [("error_500", 3, 3), ("wrong_key", 1, 1), ("truncated", 1, 1), ("slow", 1, 1), ("rate_limited", 1, 1)],
)
def test_auto_falls_over_to_the_other(
    proxy: Proxy, cloud: Clouds, behaviour: str, times: int, calls: int
) -> None:
    cloud.suffer("cosyvoice", behaviour, times, retry_after=60)
    answer = proxy.speak(provider="auto", headers={"x-request-timeout": "10000"})
    assert seconds(answer) > 0
    assert answer.headers["x-tts-provider"] == "gpt-sovits"
    assert (cloud.calls("cosyvoice"), cloud.calls("gpt-sovits")) == (calls, 1)


def test_auto_asks_one_where_one_suffices_and_fails_where_both_fail(proxy: Proxy, cloud: Clouds) -> None:
    assert seconds(proxy.speak(provider="auto")) > 0
    assert cloud.calls("gpt-sovits") == 0
    cloud.suffer("cosyvoice", "truncated")
    cloud.suffer("gpt-sovits", "wrong_type")
    assert error(proxy.speak(provider="auto")) == (502, "upstream_broken")


def test_long_speech_is_streamed_whole_or_visibly_broken(proxy: Proxy, cloud: Clouds) -> None:
    answer = proxy.speak(LONG * 2)
    assert len(answer.content) > 3 * 2**20
    assert seconds(answer) > 60
    cloud.suffer("gpt-sovits", "truncated")
    with pytest.raises(httpx.RemoteProtocolError):
        proxy.speak(LONG * 2)
    assert cloud.calls("gpt-sovits") == 2


def test_the_circuit_opens_stays_and_closes(cloud: Clouds) -> None:
    proxy = cloud.proxy(BREAKER_FAILURES="3", BREAKER_OPEN_MS="8000")

    def probed() -> httpx.Response:
        """The first answer that the open circuit lets through; those it keeps back never reach the cloud."""
        return until(
            "the circuit lets one through", lambda: a if (a := proxy.speak()).status_code != 503 else None
        )

    cloud.suffer("gpt-sovits", "wrong_key", 5)
    for _ in range(5):
        assert error(proxy.speak()) == (502, "upstream_auth")
    assert proxy.state("gpt-sovits")["circuit"] == "closed"
    cloud.forget()
    cloud.suffer("gpt-sovits", "truncated", 4)
    for _ in range(3):
        assert error(proxy.speak()) == (502, "upstream_broken")
    for _ in range(2):
        answer = proxy.speak()
        assert error(answer) == (503, "circuit_open")
        assert 1 <= int(answer.headers["retry-after"]) <= 8
    assert cloud.calls("gpt-sovits") == 3
    assert proxy.state("gpt-sovits")["circuit"] == "open"
    assert 'tts_circuit_open{provider="gpt-sovits"} 1' in httpx.get(f"{proxy.admin}/metrics").text
    assert seconds(proxy.speak(provider="cosyvoice")) > 0
    assert error(probed()) == (502, "upstream_broken")
    assert error(proxy.speak()) == (503, "circuit_open")
    assert cloud.calls("gpt-sovits") == 4
    assert seconds(probed()) > 0
    assert proxy.state("gpt-sovits")["circuit"] == "closed"
    assert seconds(proxy.speak()) > 0


def test_places_are_bounded_and_given_back(cloud: Clouds) -> None:
    proxy = cloud.proxy(CONCURRENCY="1", QUEUE="1")
    cloud.suffer("gpt-sovits", "slow", 2, delay_ms=3000)
    with ThreadPoolExecutor(3) as pool:
        answers = [future.result() for future in [pool.submit(proxy.speak) for _ in range(3)]]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert [error(answer) for answer in refused] == [(503, "busy")]
    assert int(refused[0].headers["retry-after"]) >= 1
    assert cloud.calls("gpt-sovits") == 2
    assert proxy.state("gpt-sovits") == {"circuit": "closed", "running": 0, "waiting": 0}


def test_a_caller_that_leaves_frees_its_place(proxy: Proxy, cloud: Clouds) -> None:
    cloud.suffer("gpt-sovits", "slow")
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{proxy.url}/v1/speech", json={"provider": "gpt-sovits", "text": "a"}, timeout=0.5)
    until("place is free", lambda: True if proxy.state("gpt-sovits")["running"] == 0 else None, 5)
    assert 'outcome="cancelled"' in httpx.get(f"{proxy.admin}/metrics").text
    assert cloud.calls("gpt-sovits") == 1
    cloud.suffer("gpt-sovits", "stalled")
    request = {"provider": "gpt-sovits", "text": LONG * 2}
    with httpx.stream("POST", f"{proxy.url}/v1/speech", json=request) as answer:
        pieces = answer.iter_bytes(1000)  # dropping the iterator would close the answer
        assert len(next(pieces)) == 1000
        assert proxy.state("gpt-sovits")["running"] == 1
    until("place is free again", lambda: True if proxy.state("gpt-sovits")["running"] == 0 else None, 5)
    assert seconds(proxy.speak()) > 0


def test_a_stopped_proxy_finishes_what_runs(cloud: Clouds) -> None:
    proxy = cloud.proxy(DRAIN_MS="3000")
    cloud.suffer("gpt-sovits", "slow", delay_ms=8000)

    def closed() -> bool | None:
        try:
            httpx.get(f"{proxy.url}/health")
        except httpx.TransportError:
            return True
        return None

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(proxy.speak)
        until("it runs", lambda: True if proxy.state("gpt-sovits")["running"] == 1 else None, 5)
        proxy.container.kill("SIGTERM")
        health = until(
            "draining", lambda: h if (h := httpx.get(f"{proxy.url}/health")).status_code == 503 else None, 3
        )
        assert health.json() == {"status": "draining"}
        assert health.headers["connection"] == "close"
        until("the port is closed", closed, 5)
        assert not answer.done()
        assert seconds(answer.result()) > 0
    assert proxy.container.wait(timeout=20)["StatusCode"] == 0


def test_what_is_missing_is_named_all_at_once(cloud: Clouds) -> None:
    names = {"COSYVOICE_CLOUD_API_URL": "dashscope", "GPT_SOVITS_CLOUD_API_KEY_FILE": "/none", "PORT": "x"}
    container = cloud.create("tts-proxy", "refused", [], **names)
    container.start()
    assert container.wait(timeout=30)["StatusCode"] == 2
    text = container.logs().decode()
    for name in [*names, "GPT_SOVITS_CLOUD_API_URL"]:
        assert name in text, name


def test_a_key_of_another_is_refused(cloud: Clouds) -> None:
    proxy = cloud.proxy(COSYVOICE_CLOUD_API_KEY_FILE="/run/secrets/gpt-sovits")
    assert error(proxy.speak(provider="cosyvoice")) == (502, "upstream_auth")
    assert seconds(proxy.speak(provider="auto")) > 0
    assert (cloud.calls("cosyvoice"), cloud.calls("cosyvoice-audio")) == (2, 0)


@pytest.mark.parametrize(
    "plan",
    [
        {"provider": "azure", "behaviour": "slow"},
        {"provider": "cosyvoice", "behaviour": "rude"},
        {"provider": "cosyvoice", "behaviour": "slow", "times": -1},
        {"provider": "cosyvoice", "behaviour": "slow", "delay": 1},
    ],
)
def test_a_plan_that_cannot_be_is_refused_by_name(cloud: Clouds, plan: dict[str, Any]) -> None:
    answer = httpx.post(cloud.control_url, json=plan)
    assert answer.status_code == 400
    assert any(name in answer.json()["message"] for name in ("provider", "behaviour", "times", "delay"))


def test_the_control_api_is_not_where_the_api_is(proxy: Proxy) -> None:
    def asked(address: str) -> int:
        return int(proxy.container.exec_run(["probe", f"http://stand-in:{address}"]).exit_code)

    assert asked("8090/health") == 0
    assert asked("8090/control/seen") == 1
    assert asked("8091/control/seen") == 0


def test_no_key_and_no_text_is_told(proxy: Proxy, cloud: Clouds) -> None:
    cloud.suffer("gpt-sovits", "wrong_key")
    answer = proxy.speak("A very private text.")
    told = [answer.text]
    for container in cloud.client.containers.list(all=True, filters={"label": f"test={cloud.id}"}):
        told += [container.logs().decode(), json.dumps(container.attrs)]
    told.append(httpx.get(f"{proxy.admin}/metrics").text)
    for text in told:
        assert not [key for key in cloud.keys.values() if key in text]
        assert "private text" not in text
    assert '"outcome":"upstream_auth"' in proxy.container.logs().decode()
