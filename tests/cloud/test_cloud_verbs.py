"""`./berth cloud` around an emulator in a process of its own; machines are in tests/engine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models as v
from alibabacloud_vpc20160428.client import Client as Vpc

from ops.places import ROOT
from tests.ports import free_port

API = "--no-machines"


class Verbs:
    """`./berth cloud`, with data of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.environment = os.environ | {"XDG_DATA_HOME": str(data), "BERTH_ROOT": str(ROOT)}
        self.environment["http_proxy"] = "http://127.0.0.1:9"  # loopback is asked without it

    def run(self, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ops", "cloud", *args],
            env=self.environment | more,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def told(self, *args: str, code: int = 0) -> dict[str, Any]:
        done = self.run(*args, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def fails(self, *args: str, **more: str) -> str:
        done = self.run(*args, **more)
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
        return done.stderr

    def folder(self, name: str = "local") -> Path:
        return self.data / "berth/cloud" / name


@pytest.fixture
def verbs(tmp_path: Path) -> Iterator[Verbs]:
    found = Verbs(tmp_path)
    yield found
    for name in ("local", "other"):
        found.run("stop", "--name", name)
        assert not found.folder(name).exists()


def vpcs(told: dict[str, Any]) -> Vpc:
    """The official SDK, by what a start says."""
    file = Path(told["config"]["alicloud:sharedCredentialsFile"])
    assert file.stat().st_mode & 0o777 == 0o600
    [profile] = json.loads(file.read_text())["profiles"]
    assert profile["name"] == told["config"]["alicloud:profile"]
    [endpoints] = json.loads(told["config"]["alicloud:endpoints"])
    return Vpc(
        Config(
            access_key_id=profile["access_key_id"],
            access_key_secret=profile["access_key_secret"],
            endpoint=endpoints["vpc"],
            protocol=told["config"]["alicloud:protocol"],
            region_id=told["config"]["alicloud:region"],
        )
    )


def made(client: Vpc) -> str:
    asked = v.CreateVpcRequest(region_id="cn-hangzhou", cidr_block="10.0.0.0/16")
    name: str = client.create_vpc(asked).body.vpc_id
    return name


def there(client: Vpc) -> list[str]:
    found = client.describe_vpcs(v.DescribeVpcsRequest(region_id="cn-hangzhou")).body.vpcs.vpc
    return [one.vpc_id for one in found]


def ended(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_starts_serves_and_leaves_nothing(verbs: Verbs) -> None:
    assert verbs.told("status", code=1) == {"name": "local", "state": "stopped"}
    told = verbs.told("start", API)
    folder, port = verbs.folder(), told["url"].rpartition(":")[2]
    assert told == {
        "name": "local",
        "state": "runs",
        "folder": str(folder),
        "log": str(folder / "log"),
        "pid": told["pid"],
        "url": f"http://127.0.0.1:{port}",
        "page": f"http://127.0.0.1:{port}/_berth/",
        "account": told["account"],
        "config": {
            "alicloud:region": "cn-hangzhou",
            "alicloud:protocol": "HTTP",
            "alicloud:endpoints": json.dumps(
                [dict.fromkeys(("ecs", "oss", "ram", "sts", "vpc"), f"127.0.0.1:{port}")]
            ),
            "alicloud:profile": "berth-cloud",
            "alicloud:sharedCredentialsFile": str(folder / "state/credentials.json"),
        },
        "inside": {
            "pid": told["pid"],
            "account": told["account"],
            "pace": 1.0,
            "public": "198.18.64.0/20",
            "things": told["inside"]["things"],
            "faults": [],
            "calls": 0,
            "machines": {},
        },
    }
    network = made(vpcs(told))
    again = verbs.run("start", API)
    assert "cloud local runs already" in again.stderr and f"127.0.0.1:{port}" in again.stdout
    status = verbs.run("status")
    assert status.returncode == 0 and "1 vpc" in status.stderr and "only the API is served" in status.stderr
    assert there(vpcs(told)) == [network]
    secret = json.loads(Path(told["config"]["alicloud:sharedCredentialsFile"]).read_text())["profiles"][0]
    assert secret["access_key_secret"] not in (folder / "log").read_text() + again.stdout + status.stdout
    assert verbs.told("stop") == {"name": "local", "existed": True, "kept": False, "removed": []}
    ended(told["pid"])
    assert not folder.exists()
    assert verbs.told("stop") == {"name": "local", "existed": False, "kept": False, "removed": []}
    assert "there is no cloud local: nothing was changed" in verbs.run("stop").stderr


def test_two_are_apart(verbs: Verbs) -> None:
    one, other = verbs.told("start", API), verbs.told("start", API, "--name", "other")
    assert one["url"] != other["url"] and one["account"] != other["account"]
    network = made(vpcs(one))
    assert there(vpcs(other)) == []
    verbs.told("stop", "--name", "other")
    assert there(vpcs(one)) == [network]
    assert "there are: local (runs)" in verbs.fails("status", "--name", "other")


def test_one_that_died_is_found_and_gone_on_with(verbs: Verbs) -> None:
    told = verbs.told("start", API)
    network = made(vpcs(told))
    os.kill(told["pid"], signal.SIGKILL)
    ended(told["pid"])
    assert verbs.told("status", code=1)["state"] == "died"
    assert "the emulator of cloud local died" in verbs.fails("status")
    back = verbs.told("start", API)
    assert (back["url"], back["account"]) == (told["url"], told["account"]) and back["pid"] != told["pid"]
    assert there(vpcs(back)) == [network]
    os.kill(back["pid"], signal.SIGKILL)
    ended(back["pid"])
    assert verbs.told("stop")["existed"] and not verbs.folder().exists()


def test_one_that_hangs_is_told_and_ended(verbs: Verbs) -> None:
    told = verbs.told("start", API)
    os.kill(told["pid"], signal.SIGSTOP)
    silent = verbs.told("status", code=1)
    assert silent["state"] == "silent" and "timed out" in silent["trouble"]
    assert "./berth cloud stop --keep --name local" in verbs.fails("status")
    assert "lives, but does not answer" in verbs.fails("start", API)
    verbs.told("stop")
    ended(told["pid"])


def test_one_that_does_not_listen_yet_is_told(verbs: Verbs) -> None:
    told = verbs.told("start", API)
    serving = verbs.folder() / "state" / "serving.json"
    text = serving.read_text()
    serving.unlink()  # as while it is being started, or ended
    assert "cloud local lives, but does not answer: it does not listen yet" in verbs.fails("status")
    assert "does not listen yet" in verbs.fails("start", API)
    serving.write_text(text)
    verbs.told("stop")
    ended(told["pid"])


def test_it_is_kept_when_asked(verbs: Verbs) -> None:
    told = verbs.told("start", API, "--seed", "7")
    network = made(vpcs(told))
    assert verbs.told("stop", "--keep") == {"name": "local", "existed": True, "kept": True, "removed": []}
    ended(told["pid"])
    assert verbs.told("status", code=1)["state"] == "kept"
    assert "its ids go on as they began" in verbs.fails("start", API, "--seed", "8")
    back = verbs.told("start", API)
    assert there(vpcs(back)) == [network] and back["url"] == told["url"]


def test_reset_empties_it(verbs: Verbs) -> None:
    assert "cloud local does not run" in verbs.fails("reset")
    told = verbs.told("start", API)
    made(vpcs(told))
    assert verbs.told("reset")["account"] == told["account"]
    assert there(vpcs(told)) == []


def test_what_cannot_be_is_refused_by_name(verbs: Verbs) -> None:
    assert "'No_Name' is no name for a cloud" in verbs.fails("start", "--name", "No_Name")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = verbs.fails("start", API, "--port", str(port))
        assert f"port {port} of 127.0.0.1" in said and "Address already in use" in said
    wanted = free_port()
    assert verbs.told("start", API, "--port", str(wanted))["url"] == f"http://127.0.0.1:{wanted}"
    verbs.told("stop", "--keep")
    assert "cloud local was made without machines" in verbs.fails("start")
    verbs.told("stop")
    elsewhere = verbs.fails("start", DOCKER_HOST="tcp://127.0.0.1:9")
    assert "127.0.0.1:9" in elsewhere and not verbs.folder().exists()
