"""`./berth health`: its arithmetic, and what it makes of what engine, watch and server say."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError
from hypothesis import given
from hypothesis import strategies as st
from requests import ReadTimeout, Response

from ops import checkup, complaints, expiry, inside, presence, usage, watching
from ops.condition import Checkup, Finding, State, clean, document, grade, worst
from ops.errors import UserError
from ops.recorded import STACK, Door
from stacks.certificates import Authority, authority_of

NOW = datetime(2026, 1, 2, 3, 4, 15, tzinfo=UTC)
numbers = st.floats(min_value=0, max_value=1000, allow_nan=False)


@given(numbers, numbers, numbers, numbers)
def test_a_larger_number_is_never_better(value: float, more: float, warning: float, gap: float) -> None:
    critical = warning + gap
    state = grade(value, warning=warning, critical=critical)
    assert grade(value + more, warning=warning, critical=critical) >= state
    assert (state >= State.WARNING) == (value >= warning)
    assert (state is State.UNHEALTHY) == (value >= critical)
    # Without the upper one it never is.
    assert grade(value, warning=warning) == min(state, State.WARNING)


@given(st.lists(st.sampled_from(State)))
def test_all_together_are_as_the_worst(states: list[State]) -> None:
    findings = tuple(
        Finding(system=f"s{number % 2}", check="c", state=state, reason="r")
        for number, state in enumerate(states)
    )
    found = document(Checkup(stack="dev", looked="now", findings=findings))
    assert found["state"] == worst(findings).name == max([State.HEALTHY, *states]).name
    assert max((State[it] for it in found["systems"].values()), default=State.HEALTHY) == worst(findings)
    assert [one["state"] for one in found["findings"]] == [state.name for state in states]


@given(st.floats(min_value=-400, max_value=4000), st.floats(min_value=0, max_value=400))
def test_fewer_days_are_never_better(days: float, fewer: float) -> None:
    assert expiry.judge(days - fewer) >= expiry.judge(days)
    assert (expiry.judge(days) is State.HEALTHY) == (days >= 21)
    assert (expiry.judge(days) is State.UNHEALTHY) == (days < 3)


def container(name: str = "app", **more: Any) -> usage.Running:
    state = {"Status": "running", "StartedAt": "2026-01-02T03:04:05.123456789Z", **more.pop("State", {})}
    attributes = {"Id": name, "Name": f"/{name}-1", "State": state, "HostConfig": {"NanoCpus": 5e8}, **more}
    return usage.Running(system="gpu", name=name, attributes=attributes)


def stats(read: str, cpu: int = 0, memory: int = 50, **files: int) -> dict[str, Any]:
    return {
        "read": read,
        "cpu_stats": {"cpu_usage": {"total_usage": cpu}, "online_cpus": 4},
        "memory_stats": {"usage": memory, "limit": 100, "stats": files},
    }


@given(st.floats(0.01, 64), st.floats(0.5, 60), st.floats(0, 1))
def test_the_share_of_processors_is_that_of_the_limit(limit: float, passed: float, share: float) -> None:
    first = usage.Sample(at=100, cpu=7, memory=0, limit=1, processors=64)
    second = usage.Sample(at=100 + passed, cpu=7 + share * limit * passed, memory=0, limit=1, processors=64)
    assert usage.cpu_percent(first, second, limit) == pytest.approx(100 * share, abs=0.01)
    assert usage.cpu_percent(second, first, limit) == 0 == usage.cpu_percent(first, first, limit)


def test_what_files_take_is_given_back() -> None:
    """Both kinds of cgroups; the shared memory of a database is none of it."""
    read = "2026-01-02T03:04:15.123456789Z"
    second = usage.sample(
        stats(read, memory=90, inactive_file=30, active_file=20, slab_reclaimable=5, shmem=35)
    )
    assert second is not None and usage.memory_percent(second) == 35
    first = usage.sample(
        stats(read, memory=90, total_inactive_file=30, total_active_file=20, inactive_file=1)
    )
    assert (
        first is not None and first.memory == 40 and first.at == pytest.approx(NOW.timestamp() + 0.123456789)
    )
    assert usage.sample({"read": "0001-01-01T00:00:00Z", "memory_stats": {}}) is None


@pytest.mark.parametrize(
    ("host", "allowed"),
    [({"NanoCpus": 5e8}, 0.5), ({"CpuQuota": 150000, "CpuPeriod": 50000}, 3), ({"CpuQuota": -1}, 4), ({}, 4)],
)
def test_how_many_processors_a_container_may_use(host: dict[str, Any], allowed: float) -> None:
    assert usage.processors(host, 4) == allowed


def test_who_is_near_its_limit_is_named_or_the_nearest_one() -> None:
    both = [container("app"), container("web")]

    def taken(at: int, **seconds: float) -> dict[str, usage.Sample]:
        return {
            name: usage.Sample(at=at, cpu=cpu, memory=int(40 + 10 * cpu), limit=100, processors=4)
            for name, cpu in seconds.items()
        }

    idle = usage.judge("gpu", both, taken(0, app=0, web=0), taken(10, app=0.5, web=1))
    assert [(it.check, it.state, it.reason) for it in idle] == [
        ("container-cpu", State.HEALTHY, "at most 20 % of what a container may use (web)"),
        ("container-memory", State.HEALTHY, "at most 50 % of what a container may use (web)"),
    ]
    busy = usage.judge("gpu", both, taken(0, app=0, web=0), taken(10, app=5, web=6))
    # Who works takes all that it may have: that is told, and no more.
    assert [(it.check, it.state) for it in busy] == [
        ("container-cpu", State.HEALTHY),
        ("container-memory", State.WARNING),
        ("container-memory", State.UNHEALTHY),
    ]
    # One that began or ended in between says nothing.
    assert usage.judge("gpu", both, taken(0, app=0), taken(10, web=0)) == []


@pytest.mark.parametrize(
    ("count", "started", "killed", "states"),
    [
        (0, "2026-01-02T03:04:05Z", False, [State.HEALTHY]),
        (1, "2026-01-02T03:04:05Z", False, [State.WARNING]),
        (4, "2026-01-02T03:04:05Z", False, [State.WARNING]),
        (5, "2026-01-02T03:04:05Z", False, [State.UNHEALTHY]),
        (5, "2026-01-02T02:54:05Z", False, [State.WARNING]),
        (9, "2026-01-01T03:04:05Z", False, [State.HEALTHY]),
        (0, "2026-01-01T03:04:05Z", True, [State.WARNING]),
        (1, "2026-01-02T03:04:05Z", True, [State.WARNING, State.WARNING]),
    ],
)
def test_who_comes_back_lately_or_had_no_memory(
    count: int, started: str, killed: bool, states: list[State]
) -> None:
    one = container(RestartCount=count, State={"StartedAt": started, "OOMKilled": killed})
    assert [it.state for it in usage.restarts("gpu", [one], now=NOW)] == states
    also = usage.restarts("gpu", [one], killed={"app"}, now=NOW)
    assert len(also) == len([it for it in states if it]) + (not killed) and max(it.state for it in also) >= 1


@pytest.mark.parametrize(
    ("said", "count"),
    [
        (b"low 0\nhigh 0\nmax 5\noom 2\noom_kill 1\noom_group_kill 0\n", 1),
        (b"oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", 2),
        (b"low 0\noom 4\noom_kill 0\n", 0),
        (b"", 0),
    ],
)
def test_whom_the_kernel_ended_by_either_kind_of_cgroups(said: bytes, count: int) -> None:
    assert inside.kills(said) == count


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"2026-01-02 03:04:05 ERROR something", True),
        (b"FATAL:  password authentication failed", True),
        (b"2026/01/02 03:04:05 [error] 7#7: *1 open() failed", True),
        (b'{"level":"error","msg":"x"}', True),
        (b' {"time": 1, "level": 50, "msg": "x"}', True),
        (b'{"level":30,"msg":"an ERROR that is none"}', False),
        (b'{"level":500}', False),
        (b'{"level":"info","agent":"\\"level\\":\\"error\\""}', False),
        (b'10.0.0.1 - - [02/Jan/2026] "GET /ERROR HTTP/1.1" 404 "-" "ERROR FATAL"', False),
        (b"INFO no errors, TERROR aside", False),
        (b"", False),
    ],
)
def test_what_is_an_error_and_what_only_a_client_says(line: bytes, error: bool) -> None:
    assert complaints.is_error(line) == error


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 200)))
def test_errors_are_counted_by_who_printed_them(counts: dict[str, int]) -> None:
    found = complaints.judge("gpu", counts)
    # What clients may bring about makes no system UNHEALTHY.
    assert [it.state for it in found] == [State.WARNING for number in counts.values() if number] or [
        State.HEALTHY
    ]


def test_who_printed_more_than_was_read_is_named() -> None:
    (well,) = complaints.judge("gpu", {"a": 0, "b": 0}, {"b"})
    assert well.reason == "no errors in the last 10 minutes (of b the last 20000 lines)"
    (few,) = complaints.judge("gpu", {"a": 0, "b": 2}, {"b"})
    assert few.reason == "b printed 2 errors in the last 10 minutes (its last 20000 lines)"
    (all_read,) = complaints.judge("gpu", {"a": 0, "b": 2}, {"a"})
    assert all_read.reason == "b printed 2 errors in the last 10 minutes"


@given(st.text())
def test_a_reason_is_one_line_that_a_terminal_can_bear(said: str) -> None:
    reason = Finding(system=None, check="c", state=State.WARNING, reason=said).reason
    assert len(reason) <= 200 and (reason.isprintable() or not reason)
    assert clean(reason) == reason


def test_only_the_first_line_is_told() -> None:
    assert clean("\n psql: error \x1b[31m\nsecond\n") == "psql: error ?[31m"
    assert clean("x" * 201) == "x" * 199 + "…"


class Client:
    """An engine whose every question ends so."""

    def __init__(self, error: Exception) -> None:
        self.error, self.api, self.timeout = error, self, 30.0

    def exec_create(self, *_: Any, **__: Any) -> None:
        raise self.error


def test_one_refused_question_is_not_a_silent_engine() -> None:
    """A container that is replaced in this moment says nothing about the engine; a silent engine does."""
    busy: Any = Client(APIError("conflict", response=Response(), explanation="it is being removed"))
    (asked,) = inside.watch(busy, "gpu", "healthcheck", "c")
    assert (asked.state, "it is being removed" in asked.reason) == (State.UNHEALTHY, True)
    (asked,) = inside.postgres(busy, "gpu", "postgres", "c")
    assert asked.check == "postgres-integrity" and asked.state is State.UNHEALTHY
    assert inside.killed(busy, [container()]) == set() and busy.timeout == 30.0
    assert inside.disk(busy, [container()]).state is State.WARNING
    late: Any = Client(TimeoutError())
    (asked,) = inside.watch(late, "gpu", "healthcheck", "c")
    assert (asked.state, asked.reason) == (State.WARNING, "it did not answer in 300 s")
    silent: Any = Client(ReadTimeout())
    with pytest.raises(ReadTimeout):
        inside.watch(silent, "gpu", "healthcheck", "c")


@pytest.mark.parametrize(
    ("code", "arguments", "becomes"),
    [
        (2, ["--json", "health"], 3),
        (2, ["health", "--jsno"], 3),
        (1, ["health"], 3),
        (130, ["health"], None),
        (0, ["health", "--help"], None),
        (2, ["logs", "health"], None),
        (1, ["status", "-s", "health"], None),
    ],
)
def test_what_is_no_answer_does_not_look_like_one(
    code: int, arguments: list[str], becomes: int | None
) -> None:
    assert watching.status(code, arguments) == becomes


def test_a_line_of_the_watch_becomes_findings() -> None:
    line = {
        "checks": {"app": {"state": "HEALTHY", "text": "ok"}, "cpu": {"state": "WARNING", "text": "99 %"}}
    }
    well, busy = inside.told("gpu", "healthcheck", line)
    assert (well.check, well.state, well.reason, well.hint) == ("app", State.HEALTHY, "ok", "")
    assert (busy.check, busy.state, busy.reason) == (
        "cpu",
        State.WARNING,
        "99 %",
    ) and "healthcheck" in busy.hint
    (none,) = inside.told("gpu", "healthcheck", {"checks": {}})
    assert none.state is State.WARNING


@pytest.mark.parametrize(
    ("said", "state"), [("36", State.HEALTHY), ("85", State.WARNING), ("95", State.UNHEALTHY)]
)
def test_how_full_the_disk_is(said: str, state: State) -> None:
    head = "Filesystem     1024-blocks     Used Available Capacity Mounted on"
    used = int(said) << 20
    found = inside.full(f"{head}\noverlay {200 << 20} {used} {(100 << 20) - used} {said}% /\n")
    assert found.state is state and found.system is None and f"{said} %" in found.reason
    for wrong in ("", "df: /: No such file", "overlay a b c d /"):
        with pytest.raises((ValueError, IndexError)):
            inside.full(wrong)


def test_a_database_with_damaged_pages_or_a_long_log() -> None:
    def states(**changed: Any) -> list[State]:
        seen: dict[str, Any] = {"checked": True, "failures": 0, "wal": 1 << 30, "most": 2 << 30, **changed}
        return [it.state for it in inside.measured("gpu", "postgres", **seen)]

    assert states() == states(checked=False) == states(wal=2 << 30) == [State.HEALTHY, State.HEALTHY]
    assert states(failures=1) == [State.UNHEALTHY, State.HEALTHY]
    assert states(wal=3 << 30) == [State.HEALTHY, State.WARNING]


@contextmanager
def serving(bundle: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle)
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_days_of_a_doors_certificate(tmp_path: Path) -> None:
    issued = Authority.new("tests").issue(["127.0.0.1"])
    (tmp_path / "bundle.pem").write_text(issued)
    with serving(tmp_path / "bundle.pem") as url:
        ours = Door(system="gpu", url=url, paths=(), authority=authority_of(issued))
        (well,) = expiry.look(ours)
        assert well.state is State.HEALTHY and "more days" in well.reason
        (late,) = expiry.look(ours, now=datetime.now(UTC) + timedelta(days=100_000))
        assert late.state is State.UNHEALTHY and late.hint
        (strange,) = expiry.look(Door(system="gpu", url=url, paths=()))
        assert strange.state is State.UNHEALTHY and "no client accepts it" in strange.reason
        (staging,) = expiry.look(Door(system="gpu", url=url, paths=(), untrusted=True))
        assert staging.state is State.HEALTHY
    (gone,) = expiry.look(ours)
    assert gone.state is State.UNHEALTHY and "shows none" in gone.reason
    assert expiry.look(Door(system="gateway", url="http://127.0.0.1:1", paths=())) == []


def test_a_system_that_is_none_is_refused_by_name() -> None:
    label = {"label": "berth.system", "value": "gpu"}
    exported = {"deployment": {"resources": [{"type": "t", "inputs": {"labels": [label]}}]}}
    assert checkup.choose([], exported) == checkup.choose(["gpu"], exported) == {"gpu"}
    with pytest.raises(UserError, match="gateway is no system that this stack runs") as refused:
        checkup.choose(["gpu", "gateway"], exported)
    assert refused.value.code == 3 and "gpu" in refused.value.fix


def test_a_hint_is_a_command_for_this_stack() -> None:
    said = "./berth backup, look at it, then ./berth restore a good one; `docker system df`"
    assert checkup.named(said, "prod-2") == (
        "./berth backup -s prod-2, look at it, then ./berth restore -s prod-2 a good one; `docker system df`"
    )


def test_what_another_system_lacks_is_not_told_of_this_one() -> None:
    def parts(*containers: str) -> dict[str, Any]:
        return {"services": {"web": {"containers": [*containers], "alias": "web", "port": 80}}}

    outputs = {"systems": {"gpu": parts("gpu-web-1"), "gateway": parts("gateway-web-1")}}
    exported: dict[str, Any] = {
        "deployment": {"resources": [{"type": STACK, "urn": "s", "outputs": outputs}]}
    }
    (found,) = presence.unmade(exported, {"gpu"})
    assert (found.system, found.state, found.reason) == (
        "gpu",
        State.UNHEALTHY,
        "web (gpu-web-1): not made yet",
    )
    exported["deployment"]["resources"][0]["outputs"] = {}
    (found,) = presence.unmade(exported, {"gpu"})
    assert found.system is None and "the last up ended before it was done" in found.reason
