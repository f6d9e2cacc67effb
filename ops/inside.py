"""What can only be asked inside containers: their system's own watch, its databases, and the host's disk."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ops import streams
from ops.condition import Finding, State, grade
from ops.errors import UserError
from ops.usage import Running

if TYPE_CHECKING:
    from docker import DockerClient

WATCH_SECONDS = 300
"""A watch asks some things twice before it calls them UNHEALTHY, and speech alone may take two minutes."""
_WATCH = f"exec timeout -k 5 {WATCH_SECONDS} care-health once --json"
_DISK = "exec timeout 10 df -P /"
# Of both kinds of cgroups. The engine itself knows it only of a container that has ended.
_KILLED = (
    "timeout 10 cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null; exit 0"
)
_KILLS = re.compile(rb"^oom_kill ([0-9]+)$", re.MULTILINE)
DISK_WARNING, DISK_CRITICAL = 85.0, 95.0  # percent in use; as components/care/checks.py:DiskCheck

# As the superuser, which the server lets in through its own socket alone, and without a password.
_POSTGRES = """exec timeout 30 psql -qAtX -F ' ' -U postgres -d postgres -c "
SELECT current_setting('data_checksums') = 'on',
    (SELECT coalesce(sum(checksum_failures), 0) FROM pg_stat_database),
    (SELECT coalesce(sum(size), 0)::bigint FROM pg_ls_waldir()),
    2 * pg_size_bytes(current_setting('max_wal_size'))
        + 1048576 * greatest(0, (SELECT setting::bigint FROM pg_settings
            WHERE name = 'max_slot_wal_keep_size'))
" """


class UnaskedError(Exception):
    """A container could not be asked. Its text: why. said: what came all the same."""

    def __init__(self, why: str, said: bytes = b"") -> None:
        super().__init__(why)
        self.said = said


def _ask(client: DockerClient, container: str, script: str, *, seconds: int = 60) -> bytes:
    """What the script says. seconds: how long it may be silent. Raises UnaskedError.

    That the engine itself does not answer is raised as it comes.
    """
    from docker.errors import APIError

    out, before = bytearray(), client.api.timeout
    client.api.timeout = seconds
    try:
        streams.run(client, container, script, sink=out.extend)
    except streams.ScriptError as error:
        raise UnaskedError(str(error), bytes(out)) from None
    except UserError as error:
        raise UnaskedError(error.cause) from None
    except APIError as error:  # it was replaced meanwhile
        raise UnaskedError(str(error.explanation or error)) from None
    except TimeoutError:
        raise UnaskedError(f"silent for {seconds} s") from None
    finally:
        client.api.timeout = before
    return bytes(out)


def watch(client: DockerClient, system: str, service: str, container: str) -> list[Finding]:
    """All that the system's watch finds when it is asked now; that it cannot be asked is a finding, too."""
    why = "its answer is none"
    try:
        out = _ask(client, container, _WATCH, seconds=WATCH_SECONDS + 30)
    except UnaskedError as error:  # what is not HEALTHY is an exit status, too
        why, out = str(error), error.said
    try:
        return told(system, service, json.loads(out))
    except (ValueError, KeyError, TypeError, AttributeError):
        late = why in ("exit status 124", f"silent for {WATCH_SECONDS + 30} s")
        return [
            Finding(
                system=system,
                check=service,
                # Many checks that each wait long are no proof that anything is broken.
                state=State.WARNING if late else State.UNHEALTHY,
                reason=f"it did not answer in {WATCH_SECONDS} s" if late else f"it cannot be asked: {why}",
                hint="./berth up puts its container right; ./berth logs says what it printed",
            )
        ]


def told(system: str, service: str, line: dict[str, Any]) -> list[Finding]:
    """The findings in a line of health.log. Raises KeyError and the like for what is none."""
    return [
        Finding(
            system=system,
            check=label,
            state=State[one["state"]],
            reason=str(one["text"]),
            hint="" if one["state"] == State.HEALTHY.name else f"./berth logs {service} tells since when",
        )
        for label, one in line["checks"].items()
    ] or [_none(system, service)]


def _none(system: str, service: str) -> Finding:
    return Finding(
        system=system,
        check=service,
        state=State.WARNING,
        reason="it looks at nothing",
        hint="give it checks (components/care/checks.py), then ./berth up",
    )


def postgres(client: DockerClient, system: str, service: str, container: str) -> list[Finding]:
    """Whether PostgreSQL has met damaged pages, and how much its write-ahead log takes."""
    try:
        checked, failures, wal, most = _ask(client, container, _POSTGRES).decode().split()
        return measured(
            system, service, checked=checked == "t", failures=int(failures), wal=int(wal), most=int(most)
        )
    except UnaskedError as error:
        reason = str(error).splitlines()[-1]
    except ValueError:
        reason = "its answer is none"
    return [
        Finding(
            system=system,
            check=f"{service}-integrity",
            state=State.UNHEALTHY,
            reason=f"it cannot be asked: {reason}",
            hint=f"./berth logs {service} has the server's side",
        )
    ]


def measured(
    system: str, service: str, *, checked: bool, failures: int, wal: int, most: int
) -> list[Finding]:
    """failures: pages whose checksum was wrong, where any is kept. wal, most: bytes that are, and may be."""
    damaged = f"{failures} pages were read whose checksum is wrong"
    whole = (
        "no damaged page was read"
        if checked
        else "it answers; damage is not looked for, for it keeps no checksums of its pages"
    )
    size = f"its write-ahead log takes {wal >> 20} MiB of {most >> 20}"
    state = grade(wal, warning=most + 1)
    return [
        Finding(
            system=system,
            check=f"{service}-integrity",
            state=State.UNHEALTHY if failures else State.HEALTHY,
            reason=damaged if failures else whole,
            hint="./berth backup, look at the disk, then ./berth restore a good one" if failures else "",
        ),
        Finding(
            system=system,
            check=f"{service}-wal",
            state=state,
            reason=size,
            hint="a replica or a long transaction holds it: end that one" if state else "",
        ),
    ]


def killed(client: DockerClient, containers: Sequence[Running]) -> set[str]:
    """The ids of those in which the kernel has ended a process for want of memory since they started."""
    found = set()
    for one in containers:
        if not one.runs:
            continue
        try:
            said = _ask(client, one.id, _KILLED)
        except UnaskedError:  # it has no shell, or ends just now
            continue
        if kills(said):
            found.add(one.id)
    return found


def kills(said: bytes) -> int:
    """How many the kernel tells of; 0 where it tells nothing."""
    return sum(int(number) for number in _KILLS.findall(said))


def disk(client: DockerClient, containers: Sequence[Running]) -> Finding:
    """The disk that Docker keeps containers and volumes on, as any container sees it below its own root.

    The engine itself tells of none, and on another machine nothing else can be asked.
    """
    for one in containers:
        try:
            return full(_ask(client, one.id, _DISK).decode())
        except (UnaskedError, ValueError, IndexError):
            continue  # it may have no `df`, or end just now
    return Finding(
        system=None,
        check="disk",
        state=State.WARNING,
        reason="no running container can tell how full Docker's disk is",
        hint="look on the host: df $(docker info -f '{{.DockerRootDir}}')",
    )


def full(said: str) -> Finding:
    """Of what `df -P` says. Raises ValueError or IndexError when it says something else."""
    _, _, used, free, *_ = said.splitlines()[-1].split()
    taken, left = int(used), int(free)
    percent = 100 * taken / (taken + left) if taken + left else 0.0
    state = grade(percent, warning=DISK_WARNING, critical=DISK_CRITICAL)
    return Finding(
        system=None,
        check="disk",
        state=state,
        reason=f"{percent:.0f} % of Docker's disk is in use, {left >> 20} GiB are free",
        hint="`docker system df` shows what Docker takes of it" if state else "",
    )
