"""What containers use of what they may, and how often they came back: by what the engine tells of them."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ops.condition import Finding, State, grade

if TYPE_CHECKING:
    from docker import DockerClient

WINDOW = 5.0
"""Seconds between two looks at processor times: a health check that starts is no load."""
MEMORY_WARNING, MEMORY_CRITICAL = 90.0, 98.0  # percent of the limit
LATELY = 3600.0  # seconds that a restart is worth a warning
LOOP, LOOPING = 5, 300.0  # so many restarts, and the last one so many seconds ago: it does not stay up


@dataclass(frozen=True, kw_only=True, eq=False)
class Running:
    """A container that is there. name: as people call it; attributes: what `docker inspect` says."""

    system: str | None
    name: str
    attributes: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.attributes["Id"])

    @property
    def runs(self) -> bool:
        """Whether it can be asked: it runs, and is not paused."""
        return str(self.attributes["State"]["Status"]) == "running"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One look. at: seconds. cpu: seconds of processors since its start. memory, limit: bytes."""

    at: float
    cpu: float
    memory: int
    limit: int
    processors: int


def sample(stats: Mapping[str, Any]) -> Sample | None:
    """Of what the engine tells at once; None for a container that has ended meanwhile."""
    memory, cpu = stats.get("memory_stats") or {}, stats.get("cpu_stats") or {}
    if not memory.get("usage") or not memory.get("limit"):
        return None
    kept = memory.get("stats") or {}
    # What files and the kernel's caches take is given back when it is needed; in cgroup 1 the totals have the
    # children, too, and the kernel's caches are not told.
    given_back = sum(
        kept.get(f"total_{name}", kept.get(name, 0)) or 0
        for name in ("inactive_file", "active_file", "slab_reclaimable")
    )
    return Sample(
        at=_seconds(str(stats["read"])),
        cpu=float((cpu.get("cpu_usage") or {}).get("total_usage") or 0) / 1e9,
        memory=max(0, int(memory["usage"]) - given_back),
        limit=int(memory["limit"]),
        processors=int(cpu.get("online_cpus") or 1),
    )


def cpu_percent(first: Sample, second: Sample, processors: float) -> float:
    """Of the processors that it may use, between two looks; 0 where no time has passed."""
    passed = second.at - first.at
    return max(0.0, 100 * (second.cpu - first.cpu) / (passed * processors)) if passed > 0 else 0.0


def memory_percent(seen: Sample) -> float:
    """Of the memory that it may use."""
    return 100 * seen.memory / seen.limit


def processors(host: Mapping[str, Any], of_host: int) -> float:
    """How many a container may use, by its HostConfig. of_host: what there are."""
    if host.get("NanoCpus"):
        return float(host["NanoCpus"]) / 1e9
    if (host.get("CpuQuota") or 0) > 0:
        return float(host["CpuQuota"]) / float(host.get("CpuPeriod") or 100_000)
    return float(of_host)


def look(client: DockerClient, containers: Sequence[Running]) -> dict[str, Sample]:
    """One look at each that runs, by id."""
    from docker.errors import APIError
    from docker.utils import version_gte

    # Before Docker 20.10 each look takes the engine two seconds.
    at_once = {"one_shot": True} if version_gte(client.api.api_version, "1.41") else {}
    found = {}
    for one in containers:
        if not one.runs:
            continue
        try:
            seen = sample(client.api.stats(one.id, stream=False, **at_once))
        except APIError:  # gone meanwhile: its absence is told by another check
            continue
        if seen is not None:
            found[one.id] = seen
    return found


def wait(began: float) -> None:
    """Until the window since `began` (of time.monotonic) is over."""
    time.sleep(max(0.0, WINDOW - (time.monotonic() - began)))


def judge(
    system: str | None,
    containers: Sequence[Running],
    first: Mapping[str, Sample],
    second: Mapping[str, Sample],
) -> list[Finding]:
    """Processors and memory of a system: each container whose memory is near its limit, or that none is.

    All processors that it may use for some seconds are what a container that works takes: they are only told.
    """
    both = [one for one in containers if one.id in first and one.id in second]
    if not both:
        return []
    cpu = {
        one: cpu_percent(
            first[one.id],
            second[one.id],
            processors(one.attributes.get("HostConfig") or {}, second[one.id].processors),
        )
        for one in both
    }
    memory = {one: memory_percent(second[one.id]) for one in both}
    return [
        *_shares(system, "container-cpu", "processors", cpu),
        *_shares(
            system, "container-memory", "memory", memory, warning=MEMORY_WARNING, critical=MEMORY_CRITICAL
        ),
    ]


def _shares(
    system: str | None,
    check: str,
    what: str,
    used: Mapping[Running, float],
    *,
    warning: float = math.inf,
    critical: float | None = None,
) -> list[Finding]:
    high = [
        Finding(
            system=system,
            check=check,
            state=state,
            reason=f"{one.name} uses {percent:.0f} % of the {what} that it may use",
            hint="give it more in the stack file, or more replicas, then ./berth up",
        )
        for one, percent in used.items()
        if (state := grade(percent, warning=warning, critical=critical)) > State.HEALTHY
    ]
    if high:
        return high
    most = max(used, key=lambda one: used[one])
    reason = f"at most {used[most]:.0f} % of what a container may use ({most.name})"
    return [Finding(system=system, check=check, state=State.HEALTHY, reason=reason)]


def restarts(
    system: str | None, containers: Sequence[Running], *, killed: Collection[str] = (), now: datetime
) -> list[Finding]:
    """Containers that came back by themselves lately, or met the end of their memory; or that none did.

    killed: the ids of those in which the kernel ended a process since they started.
    """
    found = [finding for one in containers for finding in _restarts(system, one, one.id in killed, now)]
    well = Finding(system=system, check="restarts", state=State.HEALTHY, reason="none lately")
    return found or [well]


def _restarts(system: str | None, one: Running, killed: bool, now: datetime) -> list[Finding]:
    state, count = one.attributes["State"], int(one.attributes.get("RestartCount") or 0)
    hint = f"./berth logs {one.name} shows what it said before it ended"
    found = []
    if killed or state.get("OOMKilled"):
        limit = int((one.attributes.get("HostConfig") or {}).get("Memory") or 0) >> 20
        found.append(
            Finding(
                system=system,
                check="restarts",
                state=State.WARNING,
                reason=f"{one.name} had no more memory ({limit} MiB), and the kernel ended a process of it "
                "since it started",
                hint="give it more memory in the stack file, then ./berth up; told until it is started again",
            )
        )
    ago = now.timestamp() - _seconds(str(state.get("StartedAt") or "0001-01-01T00:00:00Z"))
    if count and ago < LATELY:
        loops = count >= LOOP and ago < LOOPING
        found.append(
            Finding(
                system=system,
                check="restarts",
                state=State.UNHEALTHY if loops else State.WARNING,
                reason=f"{one.name} ended, started again {count} times, last {ago / 60:.0f} minutes ago",
                hint=hint,
            )
        )
    return found


def _seconds(text: str) -> float:
    """Docker's time, whose fraction has more digits than Python's."""
    whole, _, rest = text.rstrip("Z").partition(".")
    moment = datetime.strptime(whole[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    digits = "".join(character for character in rest[:9] if character.isdigit())
    return moment.timestamp() + (float(f"0.{digits}") if digits else 0.0)
