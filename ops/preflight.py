"""`./berth preflight`: whether the host that is to run a stack can, before anything changes there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ops import claimed, doctor, engine, gpu_checks, host_facts, one_shot, passphrase, room, sealed, settings
from ops.errors import UserError
from ops.findings import Finding, Grade, gather
from ops.host_facts import HostFacts
from ops.project import StackFile

if TYPE_CHECKING:
    from docker import DockerClient

    from stacks.settings import StackSettings

_HOST = "host"


@dataclass(frozen=True, kw_only=True)
class _Place:
    """The stack and its host. client: None where the first `up` installs the engine."""

    name: str
    stack: StackSettings
    facts: HostFacts
    client: DockerClient | None
    images: tuple[str, ...]


def examine(stack_name: str) -> list[Finding]:
    """Looks at the stack file, the engine, and all that the stack wants of the engine's host."""
    file = StackFile(stack_name)
    findings = gather([("settings", lambda: required(file))])
    try:
        stack: StackSettings | None = settings.check(file, secrets=False)
    except UserError:
        stack = None
    found = gather([("Docker engine", lambda: [doctor.docker_engine(file)])])
    findings += found
    if any(finding.grade == "missing" for finding in found):
        return [*findings, _unseen("no Docker engine answers")]
    if stack is None:
        return [*findings, _unseen("the stack file is wrong")]
    installed = all(finding.grade == "ok" for finding in found)

    def host() -> list[Finding]:
        return _with_engine(file, stack) if installed else _looked(file.name, stack, None)

    return findings + gather([(_HOST, _told(_HOST, host))])


def required(file: StackFile) -> list[Finding]:
    """The whole stack file, with what its secrets really are: placeholders of examples are refused.

    Raises UserError for a file that cannot be read at all.
    """
    given = file.config.get("secrets")
    findings: list[Finding] = []
    values: dict[str, str] | None = None
    try:
        if (known := passphrase.known(file)) is not None:
            values = sealed.opened(file, known)
    except UserError as error:
        findings.append(Finding("passphrase", "missing", error.cause, error.fix))
    try:
        settings.check(file, hosts=False, opened=values or {})
    except UserError as error:
        return [*findings, Finding("settings", "missing", error.cause, error.fix)]
    notes = []
    if made := settings.missing_secrets(file):
        names = ", ".join(request.config_path for request in made)
        notes.append(f"the first up makes and encrypts {names}")
    if values is None and given:
        notes.append("what its secrets are is not known here: nothing on this machine opens them")
    grade: Grade = "unknown" if values is None and given else "later" if notes else "ok"
    found = "; ".join([f"{file.path.name} is complete", *notes])
    return [*findings, Finding("settings", grade, found)]


def _with_engine(file: StackFile, stack: StackSettings) -> list[Finding]:
    found = engine.reachable(file.host)
    with closing(found.client()) as client:
        return _looked(file.name, stack, (found, client))


def _looked(
    name: str, stack: StackSettings, reached: tuple[engine.Engine, DockerClient] | None
) -> list[Finding]:
    from stacks.releases import names_on_engine

    images = tuple(dict.fromkeys(names_on_engine(stack)))
    if reached is None:
        facts, client = host_facts.without_engine(), None
    else:
        facts, client = host_facts.measure(*reached, images, stack=name), reached[1]
    place = _Place(name=name, stack=stack, facts=facts, client=client, images=images)
    return gather([(what, _told(what, partial(look, place))) for what, look in _LOOKS])


def _told(what: str, look: Callable[[], list[Finding]]) -> Callable[[], list[Finding]]:
    """The look; what keeps it from its end is its finding, and takes no other's."""

    def told() -> list[Finding]:
        try:
            return look()
        except one_shot.LeftBehindError as left:
            return [*_before(what, left), Finding(what, "missing", left.cause, left.fix)]
        except engine.failures() as error:
            return [Finding(what, "missing", engine.in_words(error), "see that it runs, and look again")]

    return told


def _before(what: str, left: BaseException) -> list[Finding]:
    """What was found before something was left behind."""
    error = left.__context__
    while error is not None:
        if isinstance(error, UserError):
            return [Finding(what, "missing", error.cause, error.fix)]
        error = error.__context__
    return []


def _room(place: _Place) -> list[Finding]:
    from stacks.host_needs import together

    chosen, facts = place.stack.chosen().values(), place.facts
    need = together(system.host_needs() for system in chosen)
    limits = sum(system.memory_limits() for system in chosen)
    on_disk = (
        room.disk_untold(need.disk, facts.root, facts.untold)
        if facts.untold
        else room.disk(facts.disk, need.disk, facts.root, up=facts.up)
    )
    return [on_disk, room.memory(facts.memory, need.memory, limits)]


def _ports(place: _Place) -> list[Finding]:
    claims = [claim for system in place.stack.chosen().values() for claim in system.port_claims()]
    return claimed.ports(claims, place.facts, place.name)


def _networks(place: _Place) -> list[Finding]:
    systems = place.stack.chosen().values()
    names = [claim for system in systems for claim in system.network_claims()]
    ranges = [claim for system in systems for claim in system.subnet_claims()]
    return claimed.networks(names, ranges, place.facts, place.name)


def _gpus(place: _Place) -> list[Finding]:
    from stacks.host_needs import together

    need = together(system.host_needs() for system in place.stack.chosen().values()).gpu
    if need is None:
        return [Finding("GPU", "ok", "not needed: no container of this stack asks for one")]
    driver, toolkit = gpu_checks.driver(place.stack, place.facts), gpu_checks.toolkit(need, place.facts)
    if toolkit.grade == "missing":
        why = "not tried: the container toolkit is missing"
        return [*driver, toolkit, Finding(gpu_checks.INSIDE, "missing", why, toolkit.fix)]
    if place.client is None:
        why, fix = (
            "not tried: there is no engine yet",
            f"look again after the first ./berth up -s {place.name}",
        )
        return [*driver, toolkit, Finding(gpu_checks.INSIDE, "unknown", why, fix)]
    return [*driver, toolkit, gpu_checks.inside(place.client, need, place.images, stack=place.name)]


_LOOKS: tuple[tuple[str, Callable[[_Place], list[Finding]]], ...] = (
    ("room", _room),
    ("ports", _ports),
    ("networks", _networks),
    ("GPU", _gpus),
)


def _unseen(why: str) -> Finding:
    what = "room, ports, networks and GPUs are not looked at"
    return Finding(_HOST, "unknown", f"{what}: {why}", "correct what is named above, and look again")
