"""The emulated cloud: calls, machines, rules, and the plugin that speaks to it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urlencode

import docker
from alibabacloud_ecs20140526 import models as m

from bench.programs import EMPTY, RULES, VOLUMES
from bench.result import Result, alternate
from bench.workspace import ROOT, workspace
from tests.cloud.raw import envelope, signature_1
from tests.docker.clouds import Cloud, R

_CALLS: Final = 2000
_MANY: Final = 500
_AT_ONCE: Final = 20
_ROUNDS: Final = 5
_ANYWHERE: Final = {"ip_protocol": "tcp", "port_range": "8080/8080", "source_cidr_ip": "0.0.0.0/0"}


def cloud() -> list[Result]:
    """All of it. The goals are those of the rehearsal: what is slower is not rehearsed with."""
    return [*calls(), *preview(), *machines()]


def calls() -> list[Result]:
    """Signed calls over kept connections, one after another on each, the emulator on one processor alone."""
    with _api() as (url, key, secret, pid):
        os.sched_setaffinity(pid, {0})
        taken = {what: _rate(url, key, secret, pid, *call) for what, call in _SIMPLE.items()}
    return [
        Result(
            f"the emulator's time for {what}",
            1000 / rate,
            "ms",
            2,
            f"{rate:.0f} calls a second, {cpu * 1000:.2f} ms of CPU time each",
        )
        for what, (rate, cpu) in taken.items()
    ]


_SIMPLE: Final[dict[str, tuple[str, str, dict[str, str]]]] = {
    "DescribeRegions": ("ecs", "DescribeRegions", {"RegionId": "cn-hangzhou"}),
    "DescribeVpcs of one VPC": ("vpc", "DescribeVpcs", {"RegionId": "cn-hangzhou"}),
    "CreateSecurityGroup": ("ecs", "CreateSecurityGroup", {"RegionId": "cn-hangzhou", "VpcId": ""}),
}


def _rate(
    url: str, key: str, secret: str, pid: int, product: str, action: str, given: dict[str, str]
) -> tuple[float, float]:
    """Calls a second, and seconds of the emulator's CPU time for each."""
    if "VpcId" in given:
        given = given | {"VpcId": _vpc(url, key, secret)}
    forms = [_form(key, secret, product, action, given) for _ in range(80 if "Create" in action else _CALLS)]
    parts = [forms[start::2] for start in range(2)]
    began, cpu = time.perf_counter(), _cpu(pid)
    askers = [threading.Thread(target=_ask, args=(url, part)) for part in parts]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    return len(forms) / (time.perf_counter() - began), (_cpu(pid) - cpu) / len(forms)


def _form(key: str, secret: str, product: str, action: str, given: dict[str, str]) -> str:
    parameters = envelope(key, product, action) | given
    return urlencode(parameters | {"Signature": signature_1("POST", parameters, secret)})


def _ask(url: str, forms: list[str]) -> dict[str, Any]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    body: dict[str, Any] = {}
    for form in forms:
        connection.request("POST", "/", form, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"{body}")
    connection.close()
    return body


def _vpc(url: str, key: str, secret: str) -> str:
    given = {"RegionId": "cn-hangzhou", "CidrBlock": "10.0.0.0/16"}
    made: str = _ask(url, [_form(key, secret, "vpc", "CreateVpc", given)])["VpcId"]
    time.sleep(1)
    return made


def _cpu(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _api() -> Iterator[tuple[str, str, str, int]]:
    """An emulator without machines: its address, a key, the key's secret, its process."""
    with tempfile.TemporaryDirectory(prefix="berth-bench-") as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "emulator", "serve", "--folder", folder, "--pace", "0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        try:
            url = json.loads(process.stdout.readline())["url"]
            [profile] = json.loads((Path(folder) / "credentials.json").read_text())["profiles"]
            yield url, profile["access_key_id"], profile["access_key_secret"], process.pid
        finally:
            process.terminate()
            process.wait()


def preview() -> list[Result]:
    """500 rules of a security group beside 500 volumes, each above the engine's own floor."""
    with (
        _api() as (url, key, secret, _),
        workspace(EMPTY) as empty,
        workspace(VOLUMES, BENCH_MANY=str(_MANY)) as volumes,
        workspace(RULES, BENCH_MANY=str(_MANY), BENCH_CLOUD=url.removeprefix("http://")) as rules,
    ):
        keys = {"ALICLOUD_ACCESS_KEY": key, "ALICLOUD_SECRET_KEY": secret}
        rules = replace(rules, environment={**rules.environment, **keys})
        sides: list[Callable[[], float]] = [
            lambda side=side: side.run("preview").seconds for side in (empty, volumes, rules)
        ]
        floor, by_docker, by_alicloud = alternate(sides, 3)
    each = [(taken - floor) / _MANY * 1000 for taken in (by_docker, by_alicloud)]
    detail = (
        f"{each[1]:.1f} ms each against {each[0]:.1f} ms; {by_alicloud:.1f} s and {by_docker:.1f} s in all"
    )
    ratio = each[1] / each[0]
    return [Result(f"preview of {_MANY} resources, alicloud against docker plugin", ratio, "x", 1.3, detail)]


def machines() -> list[Result]:
    """Boots, twenty at once, what one needs, and how soon a rule is one."""
    client = docker.from_env(timeout=600)
    with tempfile.TemporaryDirectory(prefix="berth-bench-") as folder:
        here = Cloud(client, Path(folder))
        try:
            vpc, [switch] = here.network("10.0.0.0/16", "10.0.0.0/20")
            group = here.group(vpc)
            boots = [_boot(here, client, switch, group) for _ in range(_ROUNDS)]
            [made] = here.run(switch, group)
            here.reaches(made, "Running")
            rule = _rule(here, group, here.eip(made), made)
            memory, docker_too = _memory(client, here, made)
            alone = time.perf_counter()
            many = here.run(switch, group, amount=_AT_ONCE)
            for one in many:
                _answers(client, here, one)
            together = time.perf_counter() - alone
        finally:
            here.stop()
            client.close()
    each = ", ".join(f"{boot:.1f}" for boot in boots)
    return [
        Result("RunInstances until Docker answers on the machine", median(boots), "s", 10, f"{each} s"),
        Result(f"the same, {_AT_ONCE} machines at once", together, "s", None, "until the last one answers"),
        Result(
            "a rule until packets follow it",
            max(rule),
            "s",
            1,
            f"median {median(rule):.2f} s, the slowest told",
        ),
        Result(
            "memory of an idle machine", memory, "MiB", None, f"{docker_too} processes, Docker's among them"
        ),
    ]


def _boot(here: Cloud, client: docker.DockerClient, switch: str, group: str) -> float:
    began = time.perf_counter()
    [made] = here.run(switch, group)
    _answers(client, here, made)
    taken = time.perf_counter() - began
    here.ecs.delete_instance(m.DeleteInstanceRequest(instance_id=made, force=True))
    return taken


def _answers(client: docker.DockerClient, here: Cloud, instance: str) -> None:
    """Waits until it is Running, as the API says it, and `docker version` works on it."""
    until = time.monotonic() + 300
    name = f"berth-cloud-{here.name}-{instance}"
    while (
        here.told(instance).status != "Running"
        or client.containers.get(name).exec_run(["docker", "version"]).exit_code
    ):
        if time.monotonic() > until:
            raise RuntimeError(f"{instance} does not get ready")
        time.sleep(0.1)


def _rule(here: Cloud, group: str, address: str, made: str) -> list[float]:
    """Seconds from a call's answer until a connection is taken, or is not any more."""
    here.client.containers.get(f"berth-cloud-{here.name}-{made}").exec_run(
        ["python3", "-m", "http.server", "8080"], detach=True
    )
    taken = []
    for _ in range(_ROUNDS):
        for call, request, wanted in (
            (here.ecs.authorize_security_group, m.AuthorizeSecurityGroupRequest, True),
            (here.ecs.revoke_security_group, m.RevokeSecurityGroupRequest, False),
        ):
            call(request(**R, security_group_id=group, **_ANYWHERE))
            began = time.perf_counter()
            while _opens(address) is not wanted:
                if time.perf_counter() - began > 30:
                    raise RuntimeError("packets do not follow the rule")
            taken.append(time.perf_counter() - began)
    return taken


def _opens(address: str) -> bool:
    try:
        socket.create_connection((address, 8080), 0.05).close()
    except OSError:
        return False
    return True


def _memory(client: docker.DockerClient, here: Cloud, instance: str) -> tuple[float, int]:
    """MiB that are not the page cache's, a while after the boot, and how many processes that is."""
    time.sleep(10)
    told = client.api.stats(f"berth-cloud-{here.name}-{instance}", stream=False, one_shot=True)
    memory = told["memory_stats"]
    return (memory["usage"] - memory["stats"].get("inactive_file", 0)) / 2**20, told["pids_stats"]["current"]
