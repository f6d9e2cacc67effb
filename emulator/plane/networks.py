"""Routers of VPCs, the plumber that connects machines to them, and the cloud's public network."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any, Final

from docker.errors import APIError, DockerException
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool

from emulator.plane.engine import Engine, remove
from emulator.plane.names import ROLE, VPC
from emulator.plane.wiring import Link, Public, plug, public_addresses

TESTING: Final = IPv4Network("198.18.0.0/15")
"""Reserved for tests of networks (RFC 2544): clouds share it, each has a part."""
ROUTERS_OWN: Final = 8
"""The share of the public network that routers have themselves is its last 1/2**8; the rest is for EIPs."""


@dataclass(frozen=True)
class Desired:
    """What a VPC's router must be like."""

    links: tuple[Link, ...]
    public: tuple[Public, ...]
    rules: str
    """The nftables table, whole."""
    metadata: Mapping[str, dict[str, Any]]
    """By private address."""


@dataclass
class Applied:
    """What a router was made like, and which container it was then."""

    router: str
    links: dict[str, tuple[Link, int]] = field(default_factory=dict)
    """By instance; with the process that the link ends in."""
    public: tuple[Public, ...] | None = None
    rules: str = ""
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)


class Networks:
    """Makes routers like what is desired, with as few commands as that needs."""

    def __init__(self, engine: Engine, image: str, public: IPv4Network) -> None:
        self._engine = engine
        self._image = image
        self._public = public
        self._applied: dict[str, Applied] = {}
        self._lock = threading.Lock()  # for what all VPCs share

    def prepare(self) -> IPv4Network:
        """The public network, made where it is not, and the plumber; which network it is.

        Raises DockerException where none of the networks for it is free on the engine.
        """
        names, client = self._engine.names, self._engine.client
        with self._lock:
            self.plumber()
            for found in client.networks.list(names=[names.network], filters={"label": _label(names.labels)}):
                return IPv4Network(found.attrs["IPAM"]["Config"][0]["Subnet"])
            for public in (self._public, *TESTING.subnets(new_prefix=self._public.prefixlen)):
                own = list(public.subnets(ROUTERS_OWN))[-1]
                pool = IPAMPool(subnet=str(public), iprange=str(own), gateway=str(public[1]))
                try:
                    client.networks.create(
                        names.network,
                        driver="bridge",
                        ipam=IPAMConfig(pool_configs=[pool]),
                        labels=names.labels,
                    )
                except APIError as failure:
                    if "overlap" not in str(failure):
                        raise
                else:
                    return public
        raise DockerException(f"every part of {TESTING} overlaps a network that is there")

    def plumber(self) -> Container:
        """The container that may enter the networks of the others, and holds the files of the disks."""
        names, client = self._engine.names, self._engine.client
        found = self._engine.find(names.plumber)
        if found is not None:
            if found.status != "running":
                found.start()
            return found
        client.volumes.create(names.disks, labels=names.labels)
        return client.containers.run(
            self._image,
            ["sleep", "infinity"],
            name=names.plumber,
            detach=True,
            init=True,
            labels=names.labels | {ROLE: "plumber"},
            network_mode="none",
            pid_mode="host",
            cap_drop=["ALL"],
            cap_add=["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "SYS_CHROOT", "MKNOD", "DAC_OVERRIDE", "FOWNER"],
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            device_cgroup_rules=["b 7:* rwm", "c 10:237 rwm"],  # loop devices, and what gives them out
            volumes={names.disks: {"bind": "/disks", "mode": "rw"}},
            stop_signal="SIGKILL",
        )

    def router(self, vpc: str) -> Container:
        """The VPC's router, running."""
        names, client = self._engine.names, self._engine.client
        found = self._engine.find(names.router(vpc))
        if found is not None:
            if found.status != "running":
                found.start()
                self._applied.pop(vpc, None)
            return found
        sysctls = {"net.ipv4.ip_forward": "1", "net.ipv4.conf.all.rp_filter": "0"}
        sysctls |= {"net.ipv6.conf.all.disable_ipv6": "0", "net.ipv6.conf.all.forwarding": "1"}
        return client.containers.run(
            self._image,
            ["python3", "/usr/local/lib/metadata.py"],
            name=names.router(vpc),
            detach=True,
            init=True,
            labels=names.labels | {ROLE: "router", VPC: vpc},
            network=names.network,
            cap_drop=["ALL"],
            cap_add=["NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE"],
            security_opt=["no-new-privileges"],
            sysctls=sysctls,
            tmpfs={"/run": "mode=755"},
            stop_signal="SIGKILL",
        )

    def apply(self, vpc: str, desired: Desired, processes: Mapping[str, int]) -> None:
        """Make the router so. processes: of the machines that run, by instance; the others have no link.

        Rules come first: no link is there before what filters it.
        """
        router = self.router(vpc)
        done = self._applied.get(vpc)
        if done is None or done.router != (router.id or ""):
            done = self._applied[vpc] = Applied(router.id or "")
        if desired.rules != done.rules:
            self._engine.run(router, ["nft", "-f", "-"], stdin=desired.rules.encode())
            done.rules = desired.rules
        if desired.public != done.public:
            self._engine.run(router, ["sh", "-c", public_addresses(desired.public)])
            done.public = desired.public
        for address, entry in desired.metadata.items():
            if done.metadata.get(address) != entry:
                self._engine.write(router, f"/run/metadata/{address}.json", json.dumps(entry).encode())
                done.metadata[address] = entry
        for address in [one for one in done.metadata if one not in desired.metadata]:
            self._engine.run(router, ["rm", "-f", f"/run/metadata/{address}.json"])
            del done.metadata[address]
        self._connect(router, done, desired.links, processes)

    def _connect(
        self, router: Container, done: Applied, links: Sequence[Link], processes: Mapping[str, int]
    ) -> None:
        own = self._engine.pid(router)
        for link in links:
            process = processes.get(link.instance, 0)
            if process and done.links.get(link.instance) != (link, process):
                self._engine.run(self.plumber(), ["sh", "-c", plug(link, own, process)])
                done.links[link.instance] = (link, process)
        wanted = {link.instance for link in links if processes.get(link.instance)}
        for gone in [instance for instance in done.links if instance not in wanted]:
            del done.links[gone]  # the link went with its machine's namespace

    def linked(self, vpc: str, instance: str) -> bool:
        done = self._applied.get(vpc)
        return done is not None and instance in done.links

    def remove(self, vpc: str) -> None:
        self._applied.pop(vpc, None)
        if found := self._engine.find(self._engine.names.router(vpc)):
            remove(found)

    def routers(self) -> set[str]:
        """The VPCs that have one."""
        return {one.attrs["Labels"][VPC] for one in self._engine.mine(**{ROLE: "router"})}

    def forget(self) -> None:
        """What was applied is not known any more: the engine was away."""
        self._applied.clear()


def _label(labels: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in labels.items()]
