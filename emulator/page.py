"""A page that shows what there is: read-only, no scripts, nothing from elsewhere, no secrets."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from emulator.cloud import Cloud
from emulator.control import PREFIX, is_local
from emulator.services.ecs import reach, security_groups
from emulator.services.ecs.model_groups import SecurityGroup, SecurityGroupRule
from emulator.services.ecs.model_instances import Disk, Instance
from emulator.services.ecs.model_snapshots import Snapshot
from emulator.services.ecs.rule_text import port_text
from emulator.services.vpc.model import Eip, Vpc, VSwitch
from emulator.times import seconds_utc

Row = Sequence[object]
_CALLS_SHOWN: Final = 50


@dataclass(frozen=True)
class Section:
    """A table of the page: its heading, its columns, and where its rows come from."""

    title: str
    columns: tuple[str, ...]
    rows: Callable[[Cloud], Iterable[Row]]


_SECTIONS: Final[list[Section]] = []


def shows(section: Section) -> None:
    """From now on the page has this table, too: before the API calls, which come last."""
    _SECTIONS.append(section)


def _vpcs(cloud: Cloud) -> Iterator[Row]:
    for vpc in cloud.store.all(Vpc):
        yield vpc.id, vpc.name, vpc.region, vpc.cidr, vpc.status(cloud.now())


def _vswitches(cloud: Cloud) -> Iterator[Row]:
    for one in cloud.store.all(VSwitch):
        yield one.id, one.name, one.zone, one.vpc, one.cidr, one.status(cloud.now())


def _eips(cloud: Cloud) -> Iterator[Row]:
    for eip in cloud.store.all(Eip):
        yield (
            eip.id,
            eip.name,
            eip.region,
            eip.address,
            eip.status(cloud.now()),
            eip.instance,
            eip.private or "",
        )


def _instances(cloud: Cloud) -> Iterator[Row]:
    for one in cloud.store.all(Instance):
        yield (
            one.id, one.name, one.zone, one.type, one.status, one.address, _public(cloud, one) or "",
            ", ".join(one.groups), seconds_utc(one.since), one.trouble,
        )  # fmt: skip


def _disks(cloud: Cloud) -> Iterator[Row]:
    for one in cloud.store.all(Disk):
        kind = "system" if one.system else "data"
        yield one.id, one.name, kind, f"{one.size} GiB", one.status, one.instance, one.device, one.trouble


def _snapshots(cloud: Cloud) -> Iterator[Row]:
    for one in cloud.store.all(Snapshot):
        yield one.id, one.name, one.disk, f"{one.size} GiB", one.status, one.trouble


def _public(cloud: Cloud, instance: Instance) -> object:
    held = (eip.address for eip in cloud.store.all(Eip) if eip.instance == instance.id)
    return instance.public or next(held, None)


def _reaches(cloud: Cloud) -> Iterator[Row]:
    """By rules alone, whether something listens there or not."""
    for vpc in cloud.store.all(Vpc):
        machines = [
            reach.Machine(
                one.id, one.address, security_groups.decisive(cloud, one.groups), bool(_public(cloud, one))
            )
            for one in cloud.store.all(Instance)
            if one.vpc == vpc.id
        ]
        for one in reach.everyone(machines):
            yield one.receiver, one.sender, _ports(one.tcp), _ports(one.udp), "yes" if one.icmp else ""


def _ports(ranges: Iterable[tuple[int, int]]) -> str:
    found = [str(first) if first == last else f"{first}-{last}" for first, last in ranges]
    return "all" if found == ["1-65535"] else ", ".join(found)


def _groups(cloud: Cloud) -> Iterator[Row]:
    for group in cloud.store.all(SecurityGroup):
        yield group.id, group.name, group.region, group.vpc, group.type, group.inner_access


def _rules(cloud: Cloud) -> Iterator[Row]:
    """By group, then as they are tried: the lowest number first, and a drop before an accept."""
    places = {group.id: place for place, group in enumerate(cloud.store.all(SecurityGroup))}
    rules = [rule for rule in cloud.store.all(SecurityGroupRule) if rule.group in places]
    rules.sort(key=lambda one: (places[one.group], one.direction, one.priority, one.policy == "accept"))
    for rule in rules:
        yield (
            rule.group,
            rule.direction,
            rule.priority,
            rule.policy,
            rule.protocol,
            port_text(rule.ports),
            rule.source if rule.direction == "egress" else rule.peer_group or rule.source,
            rule.destination if rule.direction == "ingress" else rule.peer_group or rule.destination,
            rule.description,
        )


def _calls(cloud: Cloud) -> Iterator[Row]:
    """The latest first."""
    for call in list(cloud.calls)[: -_CALLS_SHOWN - 1 : -1]:
        took = f"{call.seconds * 1000:.0f} ms"
        yield (
            seconds_utc(call.at), call.action, call.region, call.caller, call.status, call.code, took,
            call.request_id,
        )  # fmt: skip


for _section in (
    Section("VPCs", ("Id", "Name", "Region", "CIDR", "Status"), _vpcs),
    Section("vSwitches", ("Id", "Name", "Zone", "VPC", "CIDR", "Status"), _vswitches),
    Section(
        "Instances",
        ("Id", "Name", "Zone", "Type", "Status", "Private", "Public", "Groups", "Since", "Trouble"),
        _instances,
    ),
    Section("Disks", ("Id", "Name", "Kind", "Size", "Status", "In", "As", "Trouble"), _disks),
    Section("Snapshots", ("Id", "Name", "Of", "Size", "Status", "Trouble"), _snapshots),
    Section("EIPs", ("Id", "Name", "Region", "Address", "Status", "Held by", "Private"), _eips),
    Section("Security groups", ("Id", "Name", "Region", "VPC", "Type", "Among themselves"), _groups),
    Section(
        "Rules",
        ("Group", "Direction", "Priority", "Policy", "Protocol", "Ports", "From", "To", "Description"),
        _rules,
    ),
    Section("Who can reach what", ("Instance", "From", "TCP ports", "UDP ports", "ICMP"), _reaches),
):
    shows(_section)

_LAST: Final = Section(
    "API calls", ("Time", "Action", "Region", "Caller", "Status", "Code", "Took", "Request id"), _calls
)


@dataclass(frozen=True)
class _Filled:
    title: str
    columns: tuple[str, ...]
    rows: list[Row]


_templates: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)


def rendered(cloud: Cloud, nonce: str) -> str:
    """nonce: what allows the page's own style, and no other."""
    sections = [_Filled(one.title, one.columns, list(one.rows(cloud))) for one in (*_SECTIONS, _LAST)]
    return _templates.get_template("page.html").render(
        account=cloud.account, now=seconds_utc(cloud.now()), sections=sections, nonce=nonce
    )


def routes(cloud: Cloud) -> list[Route]:
    async def show(request: Request) -> Response:
        if not is_local(request):
            return PlainTextResponse("Host is none of loopback's", 421)
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        headers = {
            "content-security-policy": policy,
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cache-control": "no-store",
        }
        return HTMLResponse(rendered(cloud, nonce), headers=headers)

    return [Route(f"{PREFIX}/", show, methods=["GET"])]
