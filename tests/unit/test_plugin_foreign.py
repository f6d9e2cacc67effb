"""A preview tells what is in the way of a creation, and only what is certainly somebody else's."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from offline.docker import foreign
from offline.docker.container import Container
from offline.docker.network import Network
from offline.provider.resource import UNKNOWN, Context

OURS = [{"label": "berth.stack", "value": "dev"}]
NETWORKS = [
    {"Name": "mine", "Labels": {"berth.stack": "dev"}},
    {"Name": "others", "Labels": {"berth.stack": "prod"}},
    {"Name": "bare", "Labels": None, "IPAM": {"Config": [{"Subnet": "172.20.0.0/16"}]}},
    {"Name": "ours", "Labels": {"berth.stack": "dev"}, "IPAM": {"Config": [{"Subnet": "172.21.0.0/16"}]}},
    {"Name": "six", "Labels": {}, "IPAM": {"Config": [{"Subnet": "fd00::/64"}, {}]}},
]
CONTAINERS = [
    {"Names": ["/mine"], "Labels": {"berth.stack": "dev"}, "Ports": [{"PublicPort": 80, "IP": "0.0.0.0"}]},
    {
        "Names": ["/bare"],
        "Labels": {},
        "Ports": [{"PublicPort": 8010, "IP": "127.0.0.1", "Type": "tcp"}, {"PrivatePort": 9}],
        "NetworkSettings": {"Networks": {"net": {"NetworkID": "n1", "IPAddress": "172.20.0.30"}}},
    },
]


class _Engine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"/networks": NETWORKS, "/containers/json": CONTAINERS}[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def address_string(self) -> str:
        return "unix"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    foreign._kept.clear()
    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "engine"), _Engine) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"unix://{tmp_path / 'engine'}"
        server.shutdown()


def told(host: str, resource: Network | Container, inputs: dict[str, Any]) -> list[str]:
    said: list[str] = []
    ctx = Context(
        engine=SimpleNamespace(host=host),
        urn="urn:pulumi:dev::p::t::n",
        log=said.append,
        warn=said.append,
        cancelled=threading.Event(),
    )
    resource.foresee(ctx, inputs)
    return said


def test_a_name_of_another_is_told(host: str) -> None:
    (line,) = told(host, Network(), {"name": "others", "labels": OURS})
    assert line == (
        "the update will fail: network 'others' belongs to stack prod of berth; choose another name"
    )
    (line,) = told(host, Network(), {"name": "bare", "labels": OURS})
    assert "network 'bare' is not of berth" in line


@pytest.mark.parametrize(
    "inputs",
    [
        {"name": "mine", "labels": OURS},
        {"name": "free", "labels": OURS},
        {"name": "others"},
        {"name": UNKNOWN, "labels": OURS},
        {"name": "others", "labels": UNKNOWN},
        {"name": "others", "labels": [{"label": "berth.stack", "value": UNKNOWN}]},
    ],
)
def test_no_false_alarm_about_names(host: str, inputs: dict[str, Any]) -> None:
    assert told(host, Network(), inputs) == []


def publishing(external: object, ip: str = "0.0.0.0", **more: Any) -> dict[str, Any]:
    return {"labels": OURS, "ports": [{"internal": 1, "external": external, "ip": ip}], **more}


@pytest.mark.parametrize("ip", ["0.0.0.0", "127.0.0.1", "::"])
def test_a_port_of_another_is_told(host: str, ip: str) -> None:
    (line,) = told(host, Container(), publishing(8010, ip))
    assert "container 'bare' is not of berth and publishes host port 8010" in line


@pytest.mark.parametrize(
    "inputs",
    [
        publishing(80),
        publishing(8010, "10.0.0.5"),
        publishing(8011),
        publishing(0),
        publishing(UNKNOWN),
        publishing(8010, start=False),
        {**publishing(8010), "labels": None},
        {"labels": OURS, "ports": UNKNOWN},
        {"labels": OURS, "ports": [{"internal": 1, "external": 8010, "protocol": "udp"}]},
    ],
)
def test_no_false_alarm_about_ports(host: str, inputs: dict[str, Any]) -> None:
    assert told(host, Container(), inputs) == []


def ranges(*subnets: object) -> dict[str, Any]:
    return {"name": "free", "labels": OURS, "ipamConfigs": [{"subnet": subnet} for subnet in subnets]}


def test_a_range_of_another_is_told(host: str) -> None:
    (line,) = told(host, Network(), ranges("172.20.128.0/24"))
    assert line == (
        "the update will fail: network 'bare' is not of berth and has 172.20.0.0/16, which 172.20.128.0/24 "
        "overlaps; choose another"
    )


@pytest.mark.parametrize("subnets", [["172.22.0.0/16"], ["172.21.0.0/16"], [UNKNOWN], [None], []])
def test_no_false_alarm_about_ranges(host: str, subnets: list[object]) -> None:
    assert told(host, Network(), ranges(*subnets)) == []


def joining(address: object, network: object = "net") -> dict[str, Any]:
    return {"labels": OURS, "networksAdvanced": [{"name": network, "ipv4Address": address}]}


@pytest.mark.parametrize("network", ["net", "n1"])
def test_an_address_of_another_is_told(host: str, network: str) -> None:
    (line,) = told(host, Container(), joining("172.20.0.30", network))
    assert "container 'bare' is not of berth and has the address 172.20.0.30" in line


@pytest.mark.parametrize(
    "inputs", [joining("172.20.0.31"), joining("172.20.0.30", "other"), joining(UNKNOWN), joining(None)]
)
def test_no_false_alarm_about_addresses(host: str, inputs: dict[str, Any]) -> None:
    assert told(host, Container(), inputs) == []


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "ssh://nowhere", "tcp://127.0.0.1:1"])
def test_an_engine_that_is_not_at_hand_is_not_waited_for(host: str) -> None:
    assert told(host, Network(), {"name": "others", "labels": OURS}) == []
    assert told(host, Container(), publishing(8010)) == []
