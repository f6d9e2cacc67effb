"""Brings the machines to what the API says: looks at what should be, compares, acts; after every change.

Nothing is remembered that could not be found again: what exists on the engine is known by its labels, what
should exist by the store. So a plane that was killed goes on where it stopped, and an engine that was away is
only late.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Final

from emulator.cloud import Cloud
from emulator.plane import metadata, translate
from emulator.plane.assistant import Assistant
from emulator.plane.disks import Disks
from emulator.plane.engine import GONE, Engine, ScriptError
from emulator.plane.machines import Machines
from emulator.plane.networks import Desired, Networks
from emulator.plane.steps import Steps
from emulator.plane.wiring import Link
from emulator.services.ecs import automatic_snapshots
from emulator.services.ecs.model_instances import Disk, Instance
from emulator.services.ecs.model_snapshots import Snapshot
from emulator.services.vpc.model import Vpc, VSwitch

_AT_ONCE: Final = 6  # machines and disks; networks and commands must not wait for them
_LOOK: Final = 2.0  # seconds between two looks at the engine where nothing changed
_AGAIN: Final = 1.0  # seconds before an engine that does not answer is asked again
_SHUT_DOWN: Final = (0, 130)  # how systemd ends when the machine was told to power off

log = logging.getLogger("emulator.plane")


class Plane:
    """The machines of a cloud, on an engine."""

    def __init__(self, cloud: Cloud, engine: Engine, image: str) -> None:
        """image: of emulator/guest. Raises DockerException where no engine answers."""
        self.cloud = cloud
        self._engine = engine
        self._machines = Machines(engine, image)
        self._networks = Networks(engine, image, cloud.public)
        self._disks = Disks(engine, self._networks)
        self._assistant = Assistant(cloud, engine, self._machines)
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._steps = Steps(_AT_ONCE, self._wake.set, self._tell)
        self._quick = Steps(_AT_ONCE, self._wake.set, self._tell)
        self._processes: dict[str, int] = {}
        # What may have a file; it stays here until that is known to be gone.
        self._files: set[str] = set()  # of disks
        self._copies: set[str] = set()  # of snapshots
        self._sizes: dict[str, int] = {}  # of those, in GiB, as they were made here
        self._lock = threading.Lock()
        self._vpc_locks: dict[str, threading.Lock] = {}
        self._thread = threading.Thread(target=self._run, name="plane", daemon=True)
        self.trouble = ""
        """Why nothing can be done at all; empty where all is well."""

    def start(self) -> None:
        self.cloud.public = self._networks.prepare()
        self.cloud.machines = True
        self.cloud.plane = self.told
        self.cloud.console = self._machines.console
        self._files = self._disks.present()
        self._copies = self._disks.snapshots()
        self.cloud.store.watch(lambda _: self._wake.set())
        self._thread.start()

    def stop(self) -> None:
        """Let go. The machines stay as they are, for the next plane."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout=30)
        for steps in (self._quick, self._steps):
            steps.stop()

    def destroy(self) -> None:
        """Remove every machine, network and volume of the cloud. Call it when the plane is stopped."""
        try:
            self._disks.release()
        except ScriptError as failure:
            log.warning("devices could not be given back: %s", failure)
        self._engine.remove_everything()

    def told(self) -> dict[str, object]:
        """How the machines are: what is on the engine for them, and why something does not go on."""
        try:
            there = self._engine.there()
        except GONE as failure:
            return {"trouble": f"the Docker engine does not answer: {failure}"[:300]}
        store = self.cloud.store
        waits = {one.id: one.trouble for one in store.all(Instance) if one.trouble}
        waits |= {one.id: one.trouble for one in store.all(Disk) if one.trouble}
        waits |= {one.id: one.trouble for one in store.all(Snapshot) if one.trouble}
        return {"trouble": self.trouble, "containers": there, "waits": waits}

    # --- looking

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(_LOOK)
            self._wake.clear()
            if self._stop.is_set():
                return
            try:
                self._look()
                self.trouble = ""
            except GONE as failure:
                if not self.trouble:
                    log.warning("the Docker engine does not answer: %s", failure)
                self.trouble = f"the Docker engine does not answer: {failure}"[:300]
                self._networks.forget()
                self._stop.wait(_AGAIN)
                self._wake.set()
            except Exception as failure:  # what is wrong with one look is not the end of all
                log.exception("looking failed")
                self.trouble = f"{type(failure).__name__}: {failure}"[:300]
                self._stop.wait(_AGAIN)

    def _look(self) -> None:
        store = self.cloud.store
        instances = {one.id: one for one in store.all(Instance)}
        for vpc in {one.vpc for one in instances.values()} | self._networks.routers():
            self._quick.take(vpc, self._wire)
        states = self._machines.states()
        for instance in instances.values():
            runs = states.get(instance.id) == "running"
            if instance.status not in ("Stopped", "Running") or (instance.status == "Running" and not runs):
                self._steps.take(instance.id, self._move)
        for gone in states.keys() - instances.keys():
            self._steps.take(gone, self._destroy)
        known = {disk.id for disk in store.all(Disk)}
        for disk in store.all(Disk):
            if disk.status in ("Creating", "Attaching", "Detaching", "ReIniting"):
                self._steps.take(disk.id, self._move_disk)
            elif not disk.system and self._sizes.get(disk.id) != disk.size:
                self._steps.take(disk.id, self._grow_disk)
        for gone in self._files - known:
            self._steps.take(gone, self._delete_disk)
        automatic_snapshots.run(self.cloud)
        snapshots = {one.id: one for one in store.all(Snapshot)}
        for snapshot in snapshots.values():
            if snapshot.status == "progressing":
                self._steps.take(snapshot.id, self._copy)
        for gone in self._copies - snapshots.keys():
            self._steps.take(gone, self._forget_copy)
        for run in self._assistant.due():
            self._quick.take(run, self._assistant.move)

    def _tell(self, name: str, why: str) -> None:
        """Keep why a thing does not move on, where it is shown."""
        with self.cloud.store.transaction():
            for cls in (Instance, Disk, Snapshot):
                thing = self.cloud.store.get(cls, name)
                if isinstance(thing, Instance | Disk | Snapshot) and thing.trouble != why[:500]:
                    log.warning("%s: %s", name, why)
                    self.cloud.store.put(thing.but(trouble=why[:500]))

    # --- machines

    def _set(self, instance_id: str, expected: str, **changed: object) -> Instance | None:
        """Another state of an instance, unless the API has changed its mind meanwhile."""
        with self.cloud.store.transaction():
            now = self.cloud.store.get(Instance, instance_id)
            if now is None or now.status != expected:
                return None
            return self.cloud.store.put(now.but(since=self.cloud.now(), trouble="", **changed))

    def _move(self, instance_id: str) -> None:
        instance = self.cloud.store.get(Instance, instance_id)
        if instance is None:
            return
        if instance.status == "Pending":
            self._create(instance)
        elif instance.status == "Starting":
            self._start(instance)
        elif instance.status == "Stopping":
            self._machines.stop(instance, force=instance.force_stop)
            self._processes.pop(instance.id, None)
            after = "Starting" if instance.reboot else "Stopped"
            self._set(instance.id, "Stopping", status=after, reboot=False, force_stop=False)
        elif instance.status == "Running":
            self._fell(instance)

    def _create(self, instance: Instance) -> None:
        cpus, memory = translate.size(instance)
        self._machines.create(instance, cpus=cpus, memory=memory)
        for disk in self._disks_of(instance):
            if not disk.system:
                self._make_disk(disk)
        if moved := self._set(instance.id, "Pending", status="Starting"):
            self._start(moved)

    def _start(self, instance: Instance) -> None:
        cpus, memory = translate.size(instance)
        container, process = self._machines.start(instance, cpus=cpus, memory=memory)
        self._wire(instance.vpc, {instance.id: process})
        for disk in self._disks_of(instance):
            if not disk.system and disk.status == "In_use":
                self._disks.attach(disk, process)
        if instance.password:
            self._machines.set_password(container, instance.password)
        self._set(
            instance.id,
            "Starting",
            status="Running",
            password="",
            stopped_mode="Not-applicable",
            started=self.cloud.now(),
        )

    def _fell(self, instance: Instance) -> None:
        """The machine does not run though it should: it was shut down from within, or the host fell."""
        container = self._machines.find(instance.id)
        self._processes.pop(instance.id, None)
        if container is None:
            self._set(instance.id, "Running", status="Pending")
        elif container.status != "running":
            code = container.attrs["State"]["ExitCode"]
            after = "Stopped" if code in _SHUT_DOWN else "Starting"
            self._set(instance.id, "Running", status=after)

    def _destroy(self, instance_id: str) -> None:
        self._machines.destroy(instance_id)
        self._processes.pop(instance_id, None)

    # --- networks

    def _wire(self, vpc_id: str, starting: Mapping[str, int] | None = None) -> None:
        """Bring the VPC's router to what it should be. starting: machines that are being started just now."""
        with self._vpc_lock(vpc_id):
            self._processes.update(starting or {})
            store = self.cloud.store
            vpc = store.get(Vpc, vpc_id)
            instances = [one for one in store.all(Instance) if one.vpc == vpc_id]
            if vpc is None or not instances:
                self._networks.remove(vpc_id)
                return
            processes = {
                one.id: self._process(one.id)
                for one in instances
                if one.status == "Running" or one.id in (starting or {})
            }
            self._networks.apply(vpc_id, self._desired(vpc, instances), processes)

    def _process(self, instance_id: str) -> int:
        """The first process of a machine; asked of the engine once for each time that it starts."""
        if not self._processes.get(instance_id) and (container := self._machines.find(instance_id)):
            self._processes[instance_id] = self._engine.pid(container)
        return self._processes.get(instance_id, 0)

    def _vpc_lock(self, vpc_id: str) -> threading.Lock:
        with self._lock:
            return self._vpc_locks.setdefault(vpc_id, threading.Lock())

    def _desired(self, vpc: Vpc, instances: list[Instance]) -> Desired:
        store = self.cloud.store
        networks = {one.id: one for one in store.all(VSwitch, vpc.region)}
        public = translate.public(self.cloud, instances)
        by_private = {one.private: str(one.address) for one in public}
        return Desired(
            links=tuple(
                Link(one.id, one.mac, one.address, networks[one.vswitch].cidr, one.ipv6) for one in instances
            ),
            public=public,
            rules=translate.rules(self.cloud, instances, public),
            metadata={
                str(one.address): metadata.entry(
                    one,
                    metadata.documents(
                        one,
                        networks[one.vswitch],
                        vpc,
                        account=self.cloud.account,
                        public=by_private.get(one.address, ""),
                        public_key=translate.public_key(self.cloud, one),
                    ),
                )
                for one in instances
            },
        )

    # --- disks

    def _disks_of(self, instance: Instance) -> list[Disk]:
        return [disk for disk in self.cloud.store.all(Disk, instance.region) if disk.instance == instance.id]

    def _move_disk(self, disk_id: str) -> None:
        disk = self.cloud.store.get(Disk, disk_id)
        if disk is None:
            return
        process = self._process(disk.instance) if disk.instance else 0
        if disk.status == "Creating":
            self._make_disk(disk)
            self._set_disk(disk, status="Available")
        elif disk.status == "ReIniting":
            self._disks.restore(disk, disk.resetting)
            self._set_disk(disk, status="In_use" if disk.instance else "Available", resetting="")
        elif disk.status == "Attaching":
            if process:
                self._disks.attach(disk, process)
            self._set_disk(disk, status="In_use", attached=self.cloud.now())
        elif disk.status == "Detaching":
            self._disks.detach(disk, disk.device, process)
            self._set_disk(disk, status="Available", instance="", device="", detached=self.cloud.now())

    def _make_disk(self, disk: Disk) -> None:
        self._files.add(disk.id)
        self._disks.create(disk)
        self._sizes[disk.id] = disk.size

    def _grow_disk(self, disk_id: str) -> None:
        """To its size, with what is on it. Once after each start of the plane, too."""
        disk = self.cloud.store.get(Disk, disk_id)
        if disk is not None and disk.id in self._files:
            self._disks.grow(disk)
            self._sizes[disk.id] = disk.size

    def _copy(self, snapshot_id: str) -> None:
        snapshot = self.cloud.store.get(Snapshot, snapshot_id)
        disk = self.cloud.store.get(Disk, snapshot.disk) if snapshot else None
        if snapshot is None or disk is None:
            return
        self._copies.add(snapshot.id)
        self._disks.snapshot(disk, snapshot.id, self._process(disk.instance) if disk.instance else 0)
        with self.cloud.store.transaction():
            if now := self.cloud.store.get(Snapshot, snapshot_id):
                at = self.cloud.now()
                self.cloud.store.put(now.but(status="accomplished", since=at, changed=at, trouble=""))

    def _forget_copy(self, snapshot_id: str) -> None:
        self._disks.forget(snapshot_id)
        self._copies.discard(snapshot_id)

    def _set_disk(self, disk: Disk, **changed: object) -> None:
        with self.cloud.store.transaction():
            now = self.cloud.store.get(Disk, disk.id)
            if now is not None and now.status == disk.status:
                self.cloud.store.put(now.but(since=self.cloud.now(), trouble="", **changed))

    def _delete_disk(self, disk_id: str) -> None:
        self._sizes.pop(disk_id, None)
        self._disks.delete(disk_id)
        self._files.discard(disk_id)
