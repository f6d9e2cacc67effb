"""What `up` must do beyond the stack's own changes, because the engine was changed behind its back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops import observed, recorded
from ops.engine import Engine
from ops.errors import UserError
from ops.progress import say

if TYPE_CHECKING:
    from docker import DockerClient


@dataclass(frozen=True, kw_only=True)
class Plan:
    """flags: for `pulumi up`. paused, cut_off: ids of the containers that must first go on, and stop."""

    flags: tuple[str, ...] = ()
    paused: tuple[str, ...] = ()
    cut_off: tuple[str, ...] = ()

    def prepare(self, engine: Engine | None) -> None:
        """Lets paused containers go on, and stops those that nobody reaches.

        They are replaced one after the other, and an edge that still ran would be waited for in vain: it
        never sees the replicas that come before its own replacement.
        """
        if engine is None or not (self.paused or self.cut_off):
            return
        client = engine.client()
        try:
            for id in self.paused:
                client.containers.get(id).unpause()
            with ThreadPoolExecutor(8) as together:
                list(together.map(lambda id: _stop(client, id), self.cut_off))
        finally:
            client.close()


def plan(name: str, exported: Mapping[str, Any], engine: Engine, *, accepted: Sequence[str] = ()) -> Plan:
    """What the state and the engine together ask for.

    accepted: the lost data volumes whose data the user gave up. Raises UserError for any other lost one.
    """
    client = engine.client()
    try:
        lost = observed.lost(client, recorded.data_volumes(exported))
        unlinked = observed.lost_networks(client, recorded.networks(exported))
        seen = observed.look(client, recorded.containers(exported))
    finally:
        client.close()
    _refuse(name, lost, accepted, engine.host)
    # Reading every object again at each run would double its time; this one look tells whether it is needed.
    # Containers go on without their network: what they miss is no sign that the state must forget it.
    refresh = bool(lost or unlinked)
    replaced: list[str] = []
    paused: list[str] = []
    cut_off: list[str] = []
    said = [f"network {network} (missing) is {MADE_AGAIN}" for network in unlinked]
    failed: list[str] = []
    for container, found in seen:
        remedy = remedy_for(found, stays=container.stays, starts=container.starts)
        if remedy is None:
            continue
        about = failed if remedy == RUN_AGAIN else said
        about.append(f"{container.service} ({', '.join(found.problems)}) is {remedy}")
        refresh = refresh or remedy == MADE_AGAIN
        if remedy in (REPLACED, RUN_AGAIN, RESUMED_AND_REPLACED):
            replaced += ["--replace", container.urn]
        if remedy in (RESUMED, RESUMED_AND_REPLACED):
            paused.append(container.id)
        if found.cut_off and container.stays:
            cut_off.append(container.id)
    if said:
        say(f"changed behind our back: {'; '.join(said)}")
    if failed:
        say(f"failed the last time: {'; '.join(failed)}")
    return Plan(
        flags=(*(["--refresh"] if refresh else []), *replaced), paused=tuple(paused), cut_off=tuple(cut_off)
    )


def _stop(client: DockerClient, id: str) -> None:
    from docker.errors import NotFound
    from requests.exceptions import Timeout

    try:
        client.containers.get(id).stop()
    except (NotFound, Timeout):
        return  # gone; or within its grace, after which the engine ends it


MADE_AGAIN = "made again"
REPLACED = "replaced"
RUN_AGAIN = "run again"  # a job that failed; the engine would only remember its failure
RESUMED = "resumed"
RESUMED_AND_REPLACED = "resumed and replaced"  # a paused process cannot be stopped in order


def remedy_for(found: observed.Observed, *, stays: bool, starts: bool) -> str | None:
    """What helps a container; None when it is well, or when waiting is all that can be done."""
    if found.ok:
        return None
    if found.state == "missing":
        return MADE_AGAIN
    if not starts:
        return None
    if not stays:
        return RUN_AGAIN if found.state.startswith("exited") else None
    if found.state == "paused":
        return RESUMED if {*found.problems} <= {"paused", "starting"} else RESUMED_AND_REPLACED
    if found.state == "running":
        return None if found.problems == ("starting",) else REPLACED
    return REPLACED if found.state == "restarting" else MADE_AGAIN


def _refuse(name: str, lost: Sequence[recorded.DataVolume], accepted: Sequence[str], host: str) -> None:
    names = [volume.name for volume in lost]
    if unknown := [given for given in accepted if given not in names]:
        raise UserError(
            f"stack {name} misses no data volume {', '.join(unknown)} "
            f"(missing: {', '.join(names) or 'none'})",
            fix="leave --accept-data-loss away, or give it the name of a missing volume",
        )
    missing = [volume for volume in lost if volume.name not in accepted]
    if missing:
        words = ", ".join(volume.name for volume in missing)
        flags = " ".join(f"--accept-data-loss {volume.name}" for volume in missing)
        restore = "; ".join(f"`{volume.command}`" for volume in missing)
        raise UserError(
            f"stack {name} keeps data in volume(s) that the Docker engine at {host} no longer has: {words}; "
            "nothing was changed",
            fix=f"restore from a backup ({restore}, then fill it), or choose the engine that has it; to "
            f"go on with an empty one: ./berth up -s {name} {flags}",
        )
    for volume in lost:
        say(f"the data of volume {volume.name} is given up, as you said; an empty one is made")
