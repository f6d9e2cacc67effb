"""A change under load by handover and by recreate, and requests a second through the edge."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import docker
from docker.models.containers import Container

from bench.recreated import recreate
from bench.result import Result, turns
from bench.traffic import Traffic, traffic
from offline.toolchain import offline_toolchain, register_plugins
from tests.docker.workloads import base
from tests.engine.rolling import Rolling, rolling

REQUESTS = int(os.environ.get("BENCH_REQUESTS", "10000"))
RATE = int(os.environ.get("BENCH_RATE", "200"))
_WRK = "berth-bench/wrk:1"
_SECONDS = 5


def handover() -> list[Result]:
    """The same new version of three replicas, first with the handover and then by recreate: what fails."""
    results = []
    with _system() as system:
        for what, wanted in (
            ("start-first, 1 replica", {"replicas": 1}),
            ("start-first, 3 replicas", {"replicas": 3}),
            ("stop-first, 3 replicas, one fixed address", {"stop_first": _FIXED}),
        ):
            system.up(VERSION="old", subnet=_SUBNET, **wanted)
            with traffic(system.url, rate=RATE, requests=REQUESTS) as seen:
                time.sleep(2)
                system.up(VERSION="new", subnet=_SUBNET, **wanted)
            results.append(lost(f"rolling update, {what}", seen, 0))
        system.up(VERSION="old", subnet=_SUBNET)
        with ExitStack() as after, traffic(system.url, rate=RATE, requests=REQUESTS) as seen:
            time.sleep(2)
            after.callback(recreate(system.engine, system.replicas(), {"Env": ["VERSION=new"]}).remove)
        results.append(lost("the same by recreate, 1 replica", seen, None))
    return results


_SUBNET = "172.29.79.0/24"
_FIXED = {"replicas": 3, "address": "172.29.79.20"}


def lost(what: str, seen: Traffic, goal: float | None, note: str = "") -> Result:
    """What failed, of what, and beside it. note: after that."""
    detail = (
        f"of {seen.asked} requests at {seen.rate:.0f}/s and {seen.messages} WebSocket messages; "
        f"{len(seen.cut)} WebSockets cut, {seen.closed} told to come back; "
        f"slowest answer {seen.slowest:.2f} s; {seen.resent} sent again{note}"
    )
    return Result(what, len(seen.failures) + (len(seen.cut) if goal is not None else 0), "lost", goal, detail)


def throughput(rounds: int = 9) -> list[Result]:
    """Time for a request through the edge against the same configuration in an nginx started by hand.

    Single runs of one side differ by a third from each other, and the first ones are the slowest.
    """
    results = []
    with _system() as system, _wrk(system.engine):
        for replicas in (1, 3):
            system.up(VERSION="1", subnet=_SUBNET, replicas=replicas)
            with by_hand(system) as plain:
                edge = system.project.outputs()["edge"][0]
                for host in (edge, plain):
                    _load(system, host)
                ours, theirs = turns([partial(_load, system, host) for host in (edge, plain)], rounds)
            results += _compared(f"{replicas} replica{'s' * (replicas > 1)}", ours, theirs)
    return results


@contextmanager
def by_hand(system: Rolling) -> Iterator[str]:
    """The name of an nginx that reads what the edge reads, with nothing around it."""
    edge = system.engine.containers.get(system.project.outputs()["edge"][0])
    config = edge.exec_run(["tar", "-C", "/tmp/edge", "-chf", "-", "current"]).output
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(config)) as given, tarfile.open(fileobj=out, mode="w") as tar:
        for member in given.getmembers():
            member.uid = member.gid = 101
            tar.addfile(member, given.extractfile(member) if member.isfile() else None)
    made: Container = system.engine.containers.create(
        edge.image,
        ["sh", "-c", "mkdir -p /tmp/edge && exec nginx -c /current/nginx.conf -g 'daemon off;'"],
        entrypoint=[],
        name=f"{system.name}-by-hand",
        network=system.name,
        nano_cpus=edge.attrs["HostConfig"]["NanoCpus"],
        mem_limit=edge.attrs["HostConfig"]["Memory"],
        labels={"berth.stack": system.name},
        log_config={"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
    )
    try:
        made.put_archive("/", out.getvalue())
        made.start()
        time.sleep(1)
        yield str(made.name)
    finally:
        made.remove(force=True)


@dataclass(frozen=True)
class _Load:
    """One run of the load generator. cpu: seconds that the whole container computed for a request."""

    rate: float
    cpu: float


def _compared(what: str, ours: Sequence[_Load], theirs: Sequence[_Load]) -> list[Result]:
    rates = median(load.rate for load in ours), median(load.rate for load in theirs)
    cpus = median(load.cpu for load in ours), median(load.cpu for load in theirs)
    origin = f"median of {len(ours)} x {_SECONDS} s"
    detail = f"{rates[0]:.0f} requests/s, by hand {rates[1]:.0f}, {origin}"
    by_cpu = f"{cpus[0] * 1e6:.0f} us, by hand {cpus[1] * 1e6:.0f} us, {origin}"
    return [
        Result(f"time per request through the edge, {what}", rates[1] / rates[0], "x", 1 / 0.97, detail),
        Result(f"CPU time per request through the edge, {what}", cpus[0] / cpus[1], "x", None, by_cpu),
    ]


def _load(system: Rolling, host: str) -> _Load:
    """Over 32 kept connections from a container of the network."""
    before = _cpu(system, host)
    words = system.engine.containers.run(
        _WRK,
        ["wrk", "-t2", "-c32", f"-d{_SECONDS}s", f"http://{host}:80/"],
        network=system.name,
        labels={"berth.stack": system.name},
        remove=True,
    ).decode()
    cpu = _cpu(system, host) - before
    failed = [line for line in words.splitlines() if "Non-2xx" in line or "Socket errors" in line]
    if failed:
        raise RuntimeError(f"{host}: {failed}")
    requests = int(words.partition(" requests in ")[0].split()[-1])
    return _Load(float(words.partition("Requests/sec:")[2].split()[0]), cpu / requests)


def _cpu(system: Rolling, host: str) -> float:
    told = system.engine.api.stats(host, stream=False, one_shot=True)
    return int(told["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


@contextmanager
def _wrk(engine: docker.DockerClient) -> Iterator[None]:
    """An image with the load generator; removed at the end."""
    recipe = (
        f"FROM {base(engine)}\nRUN apt-get -qq update && apt-get -qq install --no-install-recommends wrk"
        " >/dev/null && apt-get clean && rm -rf /var/lib/apt/lists/*\n"
    )
    try:
        engine.images.build(fileobj=io.BytesIO(recipe.encode()), tag=_WRK, rm=True, forcerm=True)
        yield
    finally:
        with suppress(docker.errors.ImageNotFound):
            engine.images.remove(_WRK)


@contextmanager
def _system() -> Iterator[Rolling]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        register_plugins(home / "plugins")
        toolchain = offline_toolchain(lambda text, seconds: print(f"{text}: {seconds:.0f} s"))
        with rolling(toolchain, Path(folder) / "work", home) as made:
            yield made
