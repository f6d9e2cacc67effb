"""The emulated cloud: how fast its API, its machines, a change of its rules and its previews are."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode

import docker
from alibabacloud_ecs20140526 import models as m

from bench.programs import CLOUD, MANY
from bench.result import Result
from bench.workspace import ROOT, workspace
from emulator.access import AccessKey
from emulator.plane.names import Names
from emulator.store import Store
from tests.cloud.raw import envelope, signature_1
from tests.docker.clouds import Cloud, R, until

_CALLS: Final = 500
_WARM: Final = 100
_AT_ONCE: Final = 20
_CHANGES: Final = 10
_RESOURCES: Final = 500
_IDLE: Final = 30.0  # seconds until a machine that booted has nothing to do
_MIB: Final = 1024 * 1024


def cloud() -> list[Result]:
    """All of it."""
    return [*_calls(), *_machines(), _previews()]


# --- calls


@contextmanager
def _served() -> Iterator[tuple[str, int, AccessKey]]:
    """An emulator without machines: address, process, key."""
    with tempfile.TemporaryDirectory(prefix="berth-bench-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "emulator", "serve", "--folder", folder, "--pace", "0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout
            address = json.loads(process.stdout.readline())["url"].removeprefix("http://")
            store = Store(Path(folder) / "state.sqlite")
            key = store.all(AccessKey)[0]
            store.close()
            yield address, process.pid, key
        finally:
            process.terminate()
            process.wait()


def _calls() -> list[Result]:
    """Simple calls one after the other; the server's time of a core, as a client computes meanwhile."""
    with _served() as (address, process, key):
        connection = http.client.HTTPConnection(address)

        def body(product: str, action: str, own: dict[str, str]) -> str:
            given = envelope(key.id, product, action) | own
            return urlencode(given | {"Signature": signature_1("POST", given, key.secret)})

        def ask(text: str) -> dict[str, Any]:
            connection.request("POST", "/", text, {"Content-Type": "application/x-www-form-urlencoded"})
            answer = connection.getresponse()
            read: dict[str, Any] = json.loads(answer.read())
            if answer.status != 200:
                raise RuntimeError(f"a call failed: {read}")
            return read

        vpcs = [str(ask(body("vpc", "CreateVpc", {"RegionId": "cn-hangzhou"}))["VpcId"]) for _ in range(10)]
        own = {"RegionId": "cn-hangzhou", "VpcId": vpcs[3]}
        results = []
        for what, product, action, given in (
            ("reads one VPC of ten", "vpc", "DescribeVpcs", own),
            ("changes one", "vpc", "ModifyVpcAttribute", own | {"Description": "measured"}),
            ("asks who it is", "sts", "GetCallerIdentity", {}),
        ):
            texts = [body(product, action, given) for _ in range(_WARM + _CALLS)]
            for text in texts[:_WARM]:
                ask(text)
            computed, began = _cpu(process), time.perf_counter()
            for text in texts[_WARM:]:
                ask(text)
            took, computed = time.perf_counter() - began, _cpu(process) - computed
            detail = (
                f"{_CALLS / computed:.0f} calls a second on one core; "
                f"by the clock, with the client and whatever else runs, {_CALLS / took:.0f}"
            )
            results.append(
                Result(f"a call that {what}, time of the core", computed / _CALLS * 1000, "ms", 2, detail)
            )
        connection.close()
    return results


def _cpu(process: int) -> float:
    """Seconds that it has computed."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- machines


def _machines() -> list[Result]:
    client = docker.from_env(timeout=600)
    try:
        with tempfile.TemporaryDirectory(prefix="berth-bench-") as folder:
            made = Cloud(client, Path(folder))
            try:
                return _measured(made, client)
            finally:
                made.stop()
    finally:
        client.close()


def _measured(cloud: Cloud, client: docker.DockerClient) -> list[Result]:
    vpc, [switch] = cloud.network("10.0.0.0/16", "10.0.1.0/24")
    group = cloud.group(vpc)
    names = Names(cloud.name)

    def booted(amount: int) -> tuple[list[str], list[float], list[float]]:
        """The machines; seconds until each is Running, and until its Docker answers."""
        began = time.perf_counter()
        machines = cloud.run(switch, group, amount=amount)

        def wait(machine: str) -> tuple[float, float]:
            until(f"{machine} runs", lambda: cloud.told(machine).status == "Running" or None, 300)
            running = time.perf_counter() - began
            container = client.containers.get(names.machine(machine))
            until(
                "Docker answers",
                lambda: container.exec_run(["docker", "version"]).exit_code == 0 or None,
                300,
            )
            return running, time.perf_counter() - began

        with ThreadPoolExecutor(amount) as pool:
            times = list(pool.map(wait, machines))
        return machines, [running for running, _ in times], [answers for _, answers in times]

    alone = [booted(1) for _ in range(3)]
    answers = [first for _, _, [first] in alone]
    running = [first for _, [first], _ in alone]
    detail = f"Running after {median(running):.1f} s; {', '.join(f'{one:.1f}' for one in answers)}"
    results = [Result("a machine Running with Docker answering", median(answers), "s", 10, detail)]
    results += _changes(cloud, alone[0][0][0], group)
    for machines, _, _ in alone[1:]:  # the first has the address that was called
        _release(cloud, client, machines)
    many, running, answers = booted(_AT_ONCE)
    detail = f"Running: the first after {min(running):.0f} s, the last {max(running):.0f} s"
    results.append(
        Result(f"{_AT_ONCE} machines at once, Docker of the last", max(answers), "s", None, detail)
    )
    time.sleep(_IDLE)
    used = sorted(_memory(client, names.machine(one)) / _MIB for one in many)
    detail = f"{_AT_ONCE} of them, {_IDLE:.0f} s later; {used[0]:.0f} to {used[-1]:.0f}; without cached files"
    results.append(Result("memory of an idle machine, its Docker included", median(used), "MB", None, detail))
    _release(cloud, client, many)
    return results


def _release(cloud: Cloud, client: docker.DockerClient, machines: list[str]) -> None:
    for machine in machines:
        cloud.ecs.delete_instance(m.DeleteInstanceRequest(instance_id=machine, force=True))
    names = Names(cloud.name)
    for machine in machines:
        wanted = {"name": names.machine(machine)}
        until(
            f"{machine} is gone",
            # Not the objects: one may be gone before it is asked about.
            lambda at=wanted: not client.api.containers(all=True, filters=at) or None,
            120,
        )


def _memory(client: docker.DockerClient, name: str) -> int:
    """Bytes, without cached files that nobody has needed of late."""
    told = client.containers.get(name).stats(stream=False)["memory_stats"]
    kept = told["stats"]
    return int(told["usage"]) - int(kept.get("total_inactive_file", kept.get("inactive_file", 0)))


def _changes(cloud: Cloud, machine: str, group: str) -> list[Result]:
    """From the call to the first packet that goes the other way: sshd answers, or does not."""
    address = cloud.eip(machine)
    rule = {"ip_protocol": "tcp", "port_range": "22/22", "source_cidr_ip": "0.0.0.0/0"}

    def allow() -> None:
        cloud.ecs.authorize_security_group(
            m.AuthorizeSecurityGroupRequest(**R, security_group_id=group, **rule)
        )

    def forbid() -> None:
        cloud.ecs.revoke_security_group(m.RevokeSecurityGroupRequest(**R, security_group_id=group, **rule))

    def after(change: Callable[[], None], wanted: bool) -> float:
        began = time.perf_counter()
        change()
        while _opens(address) is not wanted:
            if time.perf_counter() - began > 60:
                raise RuntimeError("a rule is not in force after a minute")
        return time.perf_counter() - began

    after(allow, True)  # the address is there by then, too
    times = [
        after(change, wanted) for _ in range(_CHANGES) for change, wanted in ((forbid, False), (allow, True))
    ]
    detail = f"median {median(times):.2f} s of {len(times)}, rules made and revoked in turns; call included"
    return [Result("a rule's change in force, the slowest", max(times), "s", 1, detail)]


def _opens(address: str) -> bool:
    """One packet and its answer. What is dropped is given up soon, not asked about again."""
    try:
        socket.create_connection((address, 22), 0.1).close()
    except OSError:
        return False
    return True


# --- previews


def _previews() -> Result:
    """The alicloud plugin's resources against the docker plugin's, each above a preview without any."""
    with _served() as (address, _, key):
        own = {"BENCH_ADDRESS": address, "BENCH_KEY": key.id, "BENCH_SECRET": key.secret}
        ours = _each(CLOUD, own)
    theirs = _each(MANY, {"BENCH_PREFIX": f"bench-{os.getpid()}", "BENCH_IMAGE": "berth/bench:absent"})
    detail = f"{ours * 1000:.1f} ms each, of CPU time; docker: {theirs * 1000:.1f} ms"
    return Result(
        f"preview of {_RESOURCES} alicloud resources against docker's", ours / theirs, "x", 1.3, detail
    )


def _each(program: str, variables: dict[str, str]) -> float:
    """Seconds of all processes that one resource more takes."""
    taken = []
    for size in (0, _RESOURCES):
        with workspace(program, **variables, BENCH_CONTAINERS=str(size), BENCH_RULES=str(size)) as bench:
            bench.run("preview")
            taken.append(min(bench.run("preview").cpu for _ in range(2)))
    return (taken[1] - taken[0]) / _RESOURCES
