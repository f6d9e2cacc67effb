"""Machines and disks without an engine: their states move by the clock alone, and nothing runs.

For clients that are tested against the API only. `emulator/plane` is the real thing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from emulator.cloud import Cloud
from emulator.services.ecs import automatic_snapshots
from emulator.services.ecs.model_instances import Disk, Instance
from emulator.services.ecs.model_snapshots import Snapshot

INSTANCE_STEPS: Final = {
    "Pending": ("Starting", 0.2),
    "Starting": ("Running", 0.5),
    "Stopping": ("Stopped", 0.5),
}
"""From a state to the next, and the seconds before."""
DISK_STEPS: Final = {
    "Creating": ("Available", 0.3),
    "Attaching": ("In_use", 0.3),
    "Detaching": ("Available", 0.3),
    "ReIniting": ("In_use", 0.3),
}
SNAPSHOT_SECONDS: Final = 0.5


def move(cloud: Cloud) -> None:
    """Everything to where it is by now; a step that was over long ago may be followed by the next."""
    for instance in cloud.store.all(Instance):
        while instance.status in INSTANCE_STEPS:
            following, seconds = INSTANCE_STEPS[instance.status]
            reached = instance.since + timedelta(seconds=seconds * cloud.pace)
            if reached > cloud.now():
                break
            if following == "Stopped" and instance.reboot:
                instance = instance.but(status="Starting", reboot=False, force_stop=False, since=reached)
            elif following == "Running":
                instance = instance.but(
                    status="Running",
                    since=reached,
                    started=reached,
                    password="",
                    stopped_mode="Not-applicable",
                )
            else:
                instance = instance.but(status=following, force_stop=False, since=reached)
            cloud.store.put(instance)
    for disk in cloud.store.all(Disk):
        if disk.status not in DISK_STEPS:
            continue
        following, seconds = DISK_STEPS[disk.status]
        reached = disk.since + timedelta(seconds=seconds * cloud.pace)
        if reached > cloud.now():
            continue
        changes: dict[str, object] = {"status": following, "since": reached}
        if disk.status == "Attaching":
            changes["attached"] = reached
        if disk.status == "Detaching":
            changes |= {"instance": "", "device": "", "with_instance": False, "detached": reached}
        if disk.status == "ReIniting":
            changes |= {"resetting": "", "status": following if disk.instance else "Available"}
        cloud.store.put(disk.but(**changes))
    for snapshot in cloud.store.all(Snapshot):
        reached = snapshot.since + timedelta(seconds=SNAPSHOT_SECONDS * cloud.pace)
        if snapshot.status == "progressing" and reached <= cloud.now():
            cloud.store.put(snapshot.but(status="accomplished", since=reached))
    automatic_snapshots.run(cloud)
