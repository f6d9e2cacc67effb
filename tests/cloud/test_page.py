"""The page: what stands on it, and what cannot."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx
import pytest
from alibabacloud_vpc20160428 import models as m
from alibabacloud_vpc20160428.client import Client as Vpc

from emulator import page
from emulator.access import AccessKey
from emulator.cloud import Cloud
from emulator.services.ecs.model_groups import SecurityGroup, SecurityGroupRule
from emulator.services.ecs.verdict import Policy
from tests.cloud.conftest import REGION
from tests.cloud.running import Clock, Listener
from tests.cloud.test_vpc import create, vswitch

TRIED_LAST_FIRST: list[tuple[Policy, int]] = [("accept", 5), ("accept", 1), ("drop", 1)]
EVIL = "<script>alert(1)</script>&\"'"


class Tables(HTMLParser):
    """The page's tables, by the heading above, and all its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._inside = ""
        self._heading = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "h2":
            self._heading = ""
        elif tag == "tr":
            self.tables.setdefault(self._heading.partition(" (")[0], []).append([])
        elif tag == "td":
            self.tables[self._heading.partition(" (")[0]][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "h2":
            self._heading += data
        elif self._inside == "td":
            self.tables[self._heading.partition(" (")[0]][-1][-1] += data


def read(server: Listener) -> tuple[httpx.Response, Tables]:
    answer = httpx.get(f"{server.url}/_berth/")
    assert answer.status_code == 200
    found = Tables()
    found.feed(answer.text)
    return answer, found


def test_it_shows_what_there_is(vpc: Vpc, clock: Clock, server: Listener, cloud: Cloud) -> None:
    net = create(vpc, clock, vpc_name="net")
    inside = vswitch(vpc, clock, net, v_switch_name="front")
    eip = vpc.allocate_eip_address(m.AllocateEipAddressRequest(region_id=REGION, name="door")).body
    cloud.store.put(SecurityGroup(id="sg-1", region=REGION, vpc=net, name="web", resource_group=""))
    for number, (policy, priority) in enumerate(TRIED_LAST_FIRST):
        rule = SecurityGroupRule(
            id=f"r{number}",
            region=REGION,
            group="sg-1",
            direction="ingress",
            protocol="tcp",
            ports=(80, 90),
            policy=policy,
            priority=priority,
            source="1.0.0.0/8",
        )
        cloud.store.put(rule)
    _, found = read(server)
    assert found.tables["VPCs"][1:] == [[net, "net", REGION, "10.0.0.0/16", "Available"]]
    assert found.tables["vSwitches"][1][0] == inside
    assert found.tables["EIPs"][1][:4] == [eip.allocation_id, "door", REGION, eip.eip_address]
    assert found.tables["Security groups"][1][:2] == ["sg-1", "web"]
    # As they are tried.
    assert [row[2:4] for row in found.tables["Rules"][1:]] == [
        ["1", "drop"],
        ["1", "accept"],
        ["5", "accept"],
    ]
    assert found.tables["Rules"][1][5:7] == ["80/90", "1.0.0.0/8"]
    calls = [row[1] for row in found.tables["API calls"][1:]]
    assert calls == ["AllocateEipAddress", "CreateVSwitch", "CreateVpc"]


def test_it_shows_the_last_calls_only(cloud: Cloud, vpc: Vpc, server: Listener) -> None:
    for _ in range(55):
        vpc.describe_vpcs(m.DescribeVpcsRequest(region_id=REGION))
    _, found = read(server)
    assert len(found.tables["API calls"]) == 1 + 50


def test_nothing_that_a_client_sent_is_markup(vpc: Vpc, clock: Clock, server: Listener) -> None:
    create(vpc, clock, vpc_name=EVIL)
    answer, found = read(server)
    assert found.tables["VPCs"][1][1] == EVIL
    assert EVIL not in answer.text
    assert not {tag for tag, _ in found.tags} & {"script", "img", "link", "iframe", "form", "object"}


def test_nothing_comes_from_elsewhere(server: Listener) -> None:
    answer, found = read(server)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    (nonce,) = re.findall(r"'nonce-([^']+)'", policy)
    assert [given.get("nonce") for tag, given in found.tags if tag == "style"] == [nonce]
    assert not [given for _, given in found.tags if {"src", "href", "style", "action"} & given.keys()]
    other, _ = read(server)
    assert nonce not in other.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_no_secret_stands_on_it(server: Listener, key: AccessKey, vpc: Vpc) -> None:
    vpc.describe_vpcs(m.DescribeVpcsRequest(region_id=REGION))
    answer, _ = read(server)
    assert key.secret not in answer.text
    assert key.id not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_only_under_loopbacks_names(server: Listener, host: str) -> None:
    answer = httpx.get(f"{server.url}/_berth/", headers={"host": host})
    assert answer.status_code in (400, 421)
    assert "VPCs" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_only_shows(server: Listener, method: str) -> None:
    assert httpx.request(method, f"{server.url}/_berth/").status_code == 405


def test_more_tables(cloud: Cloud, server: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "_SECTIONS", [*page._SECTIONS])
    page.shows(page.Section("Pears", ("Id", "Weight"), lambda cloud: [("p-1", 3)]))
    _, found = read(server)
    assert found.tables["Pears"][1:] == [["p-1", "3"]]
    assert list(found.tables)[-1] in ("Pears", "API calls")
