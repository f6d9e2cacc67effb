"""A plain `pulumi up` under load: no request is lost, whichever way the containers are replaced."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bench.traffic import Traffic, traffic
from offline.toolchain import Toolchain
from tests.docker.workloads import until
from tests.engine.rolling import Rolling, rolling

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.timeout(900)]

FIXED = {"stop_first": {"replicas": 3, "address": "172.29.78.20"}}
SUBNET = "172.29.78.0/24"


@pytest.fixture(scope="module")
def system(
    toolchain: Toolchain, pulumi_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rolling]:
    with rolling(toolchain, tmp_path_factory.mktemp("handover"), pulumi_home) as made:
        made.up(VERSION=1, subnet=SUBNET)
        yield made


def nothing_lost(seen: Traffic, *versions: str) -> None:
    assert seen.failures == [] and seen.cut == [], (seen.failures[:5], seen.cut[:5])
    assert seen.answered > 200 and set(seen.versions) == set(versions), seen.versions


def test_one_replica_start_first(system: Rolling) -> None:
    with traffic(system.url, rate=100, sockets=4) as seen:
        time.sleep(1)
        system.up(VERSION=2, subnet=SUBNET)
        time.sleep(1)
    nothing_lost(seen, "1", "2")
    assert seen.closed == 4, "each WebSocket is told to come back"
    system.project.unchanged()


def test_a_slow_request_outlasts_the_update_of_a_program_that_drops_everything(system: Rolling) -> None:
    system.up(VERSION=2, ABRUPT=1, SECONDS=12, subnet=SUBNET, drain="20s")
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(httpx.get(f"{system.url}/slow", timeout=40, trust_env=False))

    for _ in range(4):
        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.5)
    with traffic(system.url, rate=50, sockets=0) as seen:
        system.up(VERSION=3, ABRUPT=1, SECONDS=12, subnet=SUBNET, drain="20s")
    until("all slow answers", lambda: len(answers) == 4 or None, 40)
    assert [answer.status_code for answer in answers] == [200] * 4
    nothing_lost(seen, "2", "3")


def test_three_replicas_start_first(system: Rolling) -> None:
    system.up(VERSION=3, subnet=SUBNET, replicas=3)
    with traffic(system.url, rate=100, sockets=4) as seen:
        system.up(VERSION=4, subnet=SUBNET, replicas=3)
    nothing_lost(seen, "3", "4")
    assert len(system.replicas()) == 3


def test_an_update_that_never_becomes_healthy(system: Rolling) -> None:
    with traffic(system.url, rate=100, sockets=4) as seen:
        failed = system.up(VERSION=5, BROKEN=1, subnet=SUBNET, replicas=3, check=False)
    assert failed.code != 0
    assert "became unhealthy" in failed.text and "version 5 listens" in failed.text, failed.text[-2000:]
    nothing_lost(seen, "4")
    with traffic(system.url, rate=100, sockets=4) as seen:
        system.up(VERSION=6, subnet=SUBNET, replicas=3)
    nothing_lost(seen, "4", "6")


def test_a_killed_replica_is_left_out_and_taken_in_again(system: Rolling) -> None:
    victim = system.replicas()[0]
    victim.kill()
    time.sleep(3)
    with traffic(system.url, rate=100, sockets=2) as seen:
        time.sleep(2)
        victim.start()
        time.sleep(6)
    nothing_lost(seen, "6")
    hosts = {httpx.get(system.url, timeout=10, trust_env=False).json()["host"] for _ in range(30)}
    assert victim.short_id[:12] in hosts, hosts


def test_a_configuration_changes_in_place_and_a_bad_one_is_refused(system: Rolling) -> None:
    system.up(VERSION=6, subnet=SUBNET, replicas=3)
    edges = system.project.outputs()["edge"]
    with traffic(system.url, rate=50, sockets=2) as seen:
        system.up(VERSION=6, subnet=SUBNET, replicas=3, answer="two")
        assert httpx.get(f"{system.url}/fixed", trust_env=False).text == "two"
        failed = system.up(
            VERSION=6, subnet=SUBNET, replicas=3, answer="three", max_body="9999999999g", check=False
        )
        assert failed.code != 0
        assert '"client_max_body_size" directive invalid value' in failed.text, failed.text[-2000:]
        assert httpx.get(f"{system.url}/fixed", trust_env=False).text == "two"
        system.up(VERSION=6, subnet=SUBNET, replicas=3, answer="three")
        assert httpx.get(f"{system.url}/fixed", trust_env=False).text == "three"
    nothing_lost(seen, "6")
    assert system.project.outputs()["edge"] == edges, "a new configuration does not replace nginx"


def test_stop_first_with_a_fixed_address(system: Rolling) -> None:
    system.up(VERSION=6, subnet=SUBNET, **FIXED)
    with traffic(system.url, rate=100, sockets=4) as seen:
        system.up(VERSION=7, subnet=SUBNET, pause="2s", **FIXED)
    nothing_lost(seen, "6", "7")
    addresses = {
        network["IPAddress"]
        for replica in system.replicas()
        for network in replica.attrs["NetworkSettings"]["Networks"].values()
    }
    assert "172.29.78.20" in addresses and len(addresses) == 3
    system.project.unchanged()
