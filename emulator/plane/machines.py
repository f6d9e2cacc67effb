"""A machine: the container that boots systemd, and what it is given from outside."""

from __future__ import annotations

import contextlib
import os
from typing import Any, Final

from docker.errors import NotFound
from docker.models.containers import Container
from docker.types import LogConfig

from emulator.plane.engine import GONE, MACHINE_CAPABILITIES, Engine, remove
from emulator.plane.names import INSTANCE, ROLE
from emulator.services.ecs.model_instances import Instance

_PERIOD: Final = 100_000  # microseconds in which the share of the processors is counted: Docker's own
CONSOLE_LINES: Final = 500
STOPS_WITHIN: Final = 30
"""Seconds that a machine has to shut down before its power is cut."""


class Machines:
    """The containers of the instances."""

    def __init__(self, engine: Engine, image: str) -> None:
        self._engine = engine
        self._image = image

    def find(self, instance: str) -> Container | None:
        return self._engine.find(self._engine.names.machine(instance))

    def create(self, instance: Instance, *, cpus: int, memory: int) -> Container:
        """The machine, not started; the one that is there already where a try before this one made it.

        cpus: of the instance type; what the host lacks cannot be given. memory: bytes.
        """
        if found := self.find(instance.id):
            return found
        names = self._engine.names
        labels = names.labels | {INSTANCE: instance.id, ROLE: "machine"}
        self._engine.client.volumes.create(names.root(instance.id), labels=labels)
        api = self._engine.client.api
        host = api.create_host_config(
            network_mode="none",
            cap_drop=["ALL"],
            cap_add=list(MACHINE_CAPABILITIES),
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            device_cgroup_rules=["b 7:* rwm"],  # loop devices: the disks
            tmpfs={"/run": "exec,mode=755", "/tmp": "exec,mode=1777"},  # noqa: S108 - the machine's own
            binds={names.root(instance.id): {"bind": "/var/lib/docker", "mode": "rw"}},
            log_config=LogConfig(type="json-file", config={"max-size": "1m", "max-file": "1"}),
            sysctls={"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.disable_ipv6": "0"},
            **_limits(cpus, memory),
        )
        host |= {
            "CgroupnsMode": "private",
            "MaskedPaths": [],  # `systempaths=unconfined`: the machine's Docker mounts a /proc of its own
            "ReadonlyPaths": [],
        }
        made = api.create_container(
            self._image,
            name=names.machine(instance.id),
            hostname=instance.host_name[:63],
            labels=labels,
            host_config=host,
            tty=True,
        )
        return self._engine.client.containers.get(made["Id"])

    def start(self, instance: Instance, *, cpus: int, memory: int) -> tuple[Container, int]:
        """Power on, with what the type has by now; the container and its first process.

        The machine waits for its network then.
        """
        container = self.find(instance.id)
        if container is None:
            raise NotFound(f"the machine of {instance.id} is gone")
        if container.status != "running":
            container.update(**_limits(cpus, memory))
            container.start()
        return container, self._engine.pid(container)

    def stop(self, instance: Instance, *, force: bool) -> None:
        container = self.find(instance.id)
        if container is None or container.status not in ("running", "restarting"):
            return
        if force:
            container.kill()
            container.wait(timeout=STOPS_WITHIN)
        else:
            container.stop(timeout=STOPS_WITHIN)

    def console(self, instance: str) -> bytes:
        """The last of what it printed while it booted and since; nothing where it is not there yet.

        Raises ConnectionError within seconds where the engine does not answer.
        """
        try:
            container = self._engine.quick.containers.get(self._engine.names.machine(instance))
            return bytes(container.logs(tail=CONSOLE_LINES))
        except NotFound:
            return b""
        except GONE as failure:
            raise ConnectionError(f"the Docker engine does not answer: {failure}"[:300]) from None

    def set_password(self, container: Container, password: str) -> None:
        """root's, and let sshd ask for it."""
        allowed = b"PasswordAuthentication yes\nPermitRootLogin yes\n"
        self._engine.write(container, "/etc/ssh/sshd_config.d/50-password.conf", allowed)
        self._engine.run(container, ["chpasswd"], stdin=f"root:{password}\n".encode())

    def destroy(self, instance: str) -> None:
        """The machine and its volume."""
        if container := self.find(instance):
            remove(container)
        with contextlib.suppress(NotFound):
            self._engine.client.volumes.get(self._engine.names.root(instance)).remove(force=True)

    def states(self) -> dict[str, str]:
        """The state of each machine's container, by instance id, in one question."""
        return {one.attrs["Labels"][INSTANCE]: one.status for one in self._engine.mine(**{ROLE: "machine"})}


def _limits(cpus: int, memory: int) -> dict[str, Any]:
    """What a type of so many vCPUs and bytes may use, without swap. No host gives more than it has."""
    given = min(cpus, os.cpu_count() or 1) * _PERIOD
    return {"cpu_period": _PERIOD, "cpu_quota": given, "mem_limit": memory, "memswap_limit": memory}
