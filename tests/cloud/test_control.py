"""The control of a running emulator, and the process that it is."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from alibabacloud_vpc20160428 import models as m
from alibabacloud_vpc20160428.client import Client as Vpc

from emulator import control
from emulator.access import AccessKey
from emulator.cloud import Cloud, open_cloud
from emulator.server import application
from emulator.services.vpc.model import Vpc as KeptVpc
from emulator.store import kinds
from tests.cloud.conftest import REGION, Refused
from tests.cloud.raw import Raw
from tests.cloud.running import Listener

TOKEN = "t" * 43


@pytest.fixture
def http(cloud: Cloud, server: Listener) -> Iterator[httpx.Client]:
    """With the token, of an emulator that has the control API."""
    server.app = application(cloud, token=TOKEN)
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {TOKEN}"}) as made:
        yield made


def test_status(http: httpx.Client, cloud: Cloud, vpc: Vpc) -> None:
    vpc.create_vpc(m.CreateVpcRequest(region_id=REGION))
    found = http.get("/_berth/status").json()
    assert found["things"]["vpc"] == 1
    assert found["things"]["route-table"] == 1
    assert found["account"] == cloud.account
    assert found["calls"] == 1
    assert found["faults"] == []


def test_faults_are_ordered_and_lifted(http: httpx.Client, vpc: Vpc, refused: Refused) -> None:
    fault = {"action": "Describe*", "code": "SystemBusy", "status": 503}
    assert http.post("/_berth/faults", json=fault).json() == {"faults": [fault | {"seen": 0}]}
    with refused("SystemBusy", 503):
        vpc.describe_vpcs(m.DescribeVpcsRequest(region_id=REGION))
    assert http.get("/_berth/faults").json()["faults"][0]["seen"] == 1
    assert http.delete("/_berth/faults").json() == {"faults": []}
    vpc.describe_vpcs(m.DescribeVpcsRequest(region_id=REGION))


@pytest.mark.parametrize("body", ["", "{", "[]", '{"times": 0}', '{"unknown": 1}', "x" * 70000])
def test_a_fault_that_makes_no_sense(http: httpx.Client, body: str) -> None:
    answer = http.post("/_berth/faults", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert http.get("/_berth/faults").json() == {"faults": []}


def test_nobody_waits_for_a_status_that_waits_for_the_engine(
    http: httpx.Client, cloud: Cloud, vpc: Vpc
) -> None:
    asked, answers = threading.Event(), threading.Event()

    def engine() -> dict[str, object]:
        asked.set()
        assert answers.wait(20)
        return {"trouble": "late"}

    cloud.plane = engine
    with ThreadPoolExecutor(1) as beside:
        status = beside.submit(http.get, "/_berth/status", timeout=30)
        assert asked.wait(20)
        vpc.describe_vpcs(m.DescribeVpcsRequest(region_id=REGION))
        assert not status.done()
        answers.set()
        assert status.result().json()["machines"] == {"trouble": "late"}


def test_a_reset_leaves_no_bytes(http: httpx.Client, cloud: Cloud) -> None:
    # A machine's disks are gone on by the plane; the bytes of objects go at once.
    left = cloud.folder / "oss" / "bytes of an object"
    left.write_text("secret")
    http.post("/_berth/reset")
    assert not left.exists()


def test_a_reset_leaves_the_account(http: httpx.Client, cloud: Cloud, vpc: Vpc, key: AccessKey) -> None:
    before = vpc.create_vpc(m.CreateVpcRequest(region_id=REGION, client_token="t")).body.vpc_id
    cloud.store.put(key.but(id="LTAIuser", user="somebody"))
    http.post("/_berth/faults", json={"delay": 1})
    http.post("/_berth/reset")
    left = {kind for kind, cls in kinds().items() if cloud.store.all(cls)}
    assert left == {"access-key"}
    assert [one.id for one in cloud.store.all(AccessKey)] == [key.id]
    assert cloud.faults.listed() == []
    after = vpc.create_vpc(m.CreateVpcRequest(region_id=REGION, client_token="t")).body.vpc_id
    assert after != before


@pytest.mark.parametrize("path", ["status", "faults"])
@pytest.mark.parametrize("given", ["", "Bearer", "Bearer x", f"bearer {TOKEN}", TOKEN, "Bearer é"])
def test_without_the_token(http: httpx.Client, path: str, given: str) -> None:
    headers = [(b"authorization", given.encode())] if given else []
    answer = httpx.get(f"{http.base_url}/_berth/{path}", headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"error": "the token is wrong or missing"}


def test_without_the_token_nothing_is_reset(http: httpx.Client, cloud: Cloud, vpc: Vpc) -> None:
    vpc.create_vpc(m.CreateVpcRequest(region_id=REGION))
    assert httpx.post(f"{http.base_url}/_berth/reset").status_code == 401
    assert len(cloud.store.all(KeptVpc)) == 1


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1@x"])
def test_only_under_loopbacks_names(http: httpx.Client, host: str) -> None:
    """Another name that leads here is a name that somebody turned on this machine."""
    assert http.get("/_berth/status", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "[::1]", "[::1]:80"])
def test_under_loopbacks_names(http: httpx.Client, host: str) -> None:
    assert http.get("/_berth/status", headers={"host": host}).status_code == 200


def test_without_a_token_there_is_no_control(server: Listener) -> None:
    answer = httpx.post(f"{server.url}/_berth/reset", headers={"authorization": "Bearer"})
    assert answer.status_code >= 400


def test_the_token_is_for_its_owner(tmp_path: Path) -> None:
    token = control.token_of(tmp_path)
    assert len(token) >= 40
    assert control.token_of(tmp_path) == token
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


class Process:
    """`python -m emulator serve`."""

    def __init__(self, folder: Path, *more: str) -> None:
        command = [sys.executable, "-m", "emulator", "serve", "--folder", str(folder), *more]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=20)
        return self.process.returncode, said


@contextmanager
def serving(folder: Path, *more: str) -> Iterator[tuple[Process, dict[str, Any]]]:
    process = Process(folder, *more)
    try:
        yield process, process.line()
    finally:
        process.process.kill()
        process.process.communicate()


def test_a_process_that_ends_in_good_order_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "cloud"
    with serving(folder, "--seed", "3", "--pace", "0") as (process, line):
        assert line["pid"] == process.process.pid
        token = (folder / "token").read_text()
        headers = {"authorization": f"Bearer {token}"}
        status = httpx.get(f"{line['url']}/_berth/status", headers=headers).json()
        assert (status["pid"], status["pace"]) == (line["pid"], 0)
        assert status["account"] == str(10**15 + 3)
        again = Process(folder)
        assert again.process.wait(20) == 1
        assert "another emulator" in again.process.communicate()[1]
        raw = Raw(line["url"], *key_of(folder))
        made = raw.ask("vpc", "CreateVpc", RegionId=REGION).body["VpcId"]
        assert process.end() == (0, "")
    with serving(folder) as (process, line):
        raw = Raw(line["url"], *key_of(folder))
        assert raw.ask("vpc", "DescribeVpcs", RegionId=REGION).body["Vpcs"]["Vpc"][0]["VpcId"] == made
        assert process.end(signal.SIGINT) == (0, "")


def key_of(folder: Path) -> tuple[str, str]:
    """The account's, from the state: the file is there to be read while the emulator runs."""
    beside = open_cloud(folder)
    key = beside.store.all(AccessKey)[0]
    beside.store.close()
    return key.id, key.secret


def test_killed_it_leaves_a_state_that_can_be_gone_on_with(tmp_path: Path) -> None:
    with serving(tmp_path / "cloud") as (process, line):
        raw = Raw(line["url"], *key_of(tmp_path / "cloud"))
        made = raw.ask("vpc", "CreateVpc", RegionId=REGION).body["VpcId"]
        assert process.end(signal.SIGKILL)[0] == -signal.SIGKILL
    with serving(tmp_path / "cloud") as (_, line):
        raw = Raw(line["url"], *key_of(tmp_path / "cloud"))
        assert raw.ask("vpc", "DescribeVpcs", RegionId=REGION).body["Vpcs"]["Vpc"][0]["VpcId"] == made


def test_a_port_that_is_taken(tmp_path: Path, listener: Listener) -> None:
    process = Process(tmp_path / "cloud", "--port", str(listener.port))
    assert process.process.wait(20) == 1
    assert str(listener.port) in process.process.communicate()[1]
    assert not (tmp_path / "cloud").exists()
