"""A change under load by handover and by recreate, and requests a second through the edge."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
from docker.models.containers import Container

from bench.result import Result, alternate
from bench.traffic import Traffic, traffic
from offline.toolchain import offline_toolchain, register_plugins
from tests.docker.workloads import base
from tests.engine.rolling import Rolling, rolling

REQUESTS = int(os.environ.get("BENCH_REQUESTS", "10000"))
RATE = 200
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
            results.append(_lost(f"rolling update, {what}", seen, 0))
        system.up(VERSION="old", subnet=_SUBNET)
        recreated: list[Container] = []
        try:
            with traffic(system.url, rate=RATE, requests=REQUESTS) as seen:
                time.sleep(2)
                recreated = [recreate(system.engine, replica) for replica in system.replicas()]
        finally:
            for replica in recreated:
                replica.remove(force=True)
        results.append(_lost("the same by recreate, 1 replica", seen, None))
    return results


_SUBNET = "172.29.79.0/24"
_FIXED = {"replicas": 3, "address": "172.29.79.20"}


def _lost(what: str, seen: Traffic, goal: float | None) -> Result:
    detail = (
        f"of {seen.asked} requests at {RATE}/s and {seen.messages} WebSocket messages; {len(seen.cut)} "
        f"WebSockets cut, {seen.closed} told to come back; slowest answer {seen.slowest:.2f} s; "
        f"{seen.resent} sent again"
    )
    return Result(what, len(seen.failures) + (len(seen.cut) if goal is not None else 0), "lost", goal, detail)


def recreate(engine: docker.DockerClient, replica: Container) -> Container:
    """What `docker compose up` does with a changed service: stop it, remove it, start the new one."""
    given = engine.api.inspect_container(replica.id)
    name = given["Name"].lstrip("/")
    networks = {network: {"Aliases": ["app", name]} for network in given["NetworkSettings"]["Networks"]}
    config = {**given["Config"], "HostConfig": given["HostConfig"]}
    config["Env"] = [line if not line.startswith("VERSION=") else "VERSION=new" for line in config["Env"]]
    config["Entrypoint"] = None  # nothing around the command: it is told to stop at once
    (network,) = networks
    config["HostConfig"]["NetworkMode"] = network
    replica.stop(timeout=10)
    replica.rename(f"{name}-old")
    made = engine.api.create_container_from_config(
        config | {"NetworkingConfig": {"EndpointsConfig": networks}}, name
    )
    engine.api.start(made["Id"])
    until = time.monotonic() + 60
    while engine.api.inspect_container(made["Id"])["State"]["Health"]["Status"] != "healthy":
        if time.monotonic() > until:
            raise RuntimeError("the recreated container did not become healthy")
        time.sleep(0.2)
    replica.remove(v=False)
    return engine.containers.get(made["Id"])


def throughput(rounds: int = 3) -> list[Result]:
    """Time for a request through the edge against the same configuration in an nginx started by hand."""
    results = []
    with _system() as system:
        _wrk(system.engine)
        for replicas in (1, 3):
            system.up(VERSION="1", subnet=_SUBNET, replicas=replicas)
            with by_hand(system) as plain:
                edge = system.project.outputs()["edge"][0]
                ours, theirs = alternate(
                    [lambda e=edge: 1 / _rate(system, e), lambda p=plain: 1 / _rate(system, p)],  # type: ignore[misc]
                    rounds,
                )
            detail = f"{1 / ours:.0f} requests/s, by hand {1 / theirs:.0f}, median of {rounds} x {_SECONDS} s"
            what = f"time per request through the edge, {replicas} replica{'s' * (replicas > 1)}"
            results.append(Result(what, ours / theirs, "x", 1 / 0.97, detail))
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
        log_config={"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
    )
    try:
        made.put_archive("/", out.getvalue())
        made.start()
        time.sleep(1)
        yield str(made.name)
    finally:
        made.remove(force=True)


def _rate(system: Rolling, host: str) -> float:
    """Requests a second over 32 kept connections from a container of the network."""
    words = system.engine.containers.run(
        _WRK, ["wrk", "-t2", "-c32", f"-d{_SECONDS}s", f"http://{host}:80/"], network=system.name, remove=True
    ).decode()
    failed = [line for line in words.splitlines() if "Non-2xx" in line or "Socket errors" in line]
    if failed:
        raise RuntimeError(f"{host}: {failed}")
    return float(words.partition("Requests/sec:")[2].split()[0])


def _wrk(engine: docker.DockerClient) -> None:
    with suppress(docker.errors.ImageNotFound):
        engine.images.get(_WRK)
        return
    recipe = (
        f"FROM {base(engine)}\nRUN apt-get -qq update && apt-get -qq install --no-install-recommends wrk"
        " >/dev/null && apt-get clean && rm -rf /var/lib/apt/lists/*\n"
    )
    engine.images.build(fileobj=io.BytesIO(recipe.encode()), tag=_WRK, rm=True)


@contextmanager
def _system() -> Iterator[Rolling]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        register_plugins(home / "plugins")
        toolchain = offline_toolchain(lambda text, seconds: print(f"{text}: {seconds:.0f} s"))
        with rolling(toolchain, Path(folder) / "work", home) as made:
            yield made
