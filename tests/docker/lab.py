"""A VPC's router and its machines as bare networks in one container: for tests of the packet filter alone.

The links are made by the emulator's own scripts, the filter is the emulator's own text. Only what runs in
the machines is left out, which no packet filter looks at.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from pathlib import Path

import docker

from emulator.plane.engine import Engine
from emulator.plane.names import Names
from emulator.plane.wiring import Link, Public, plug, public_addresses
from tests.docker.workloads import until

PROBE = Path(__file__).with_name("probe.py")
WORLD = "world"
WORLDS = (IPv4Address("198.18.0.1"), IPv4Address("198.18.9.9"))
"""The addresses of everybody outside."""


@dataclass(frozen=True)
class Probe:
    """One packet. number: of its own in a lab; the source port where the protocol has one."""

    sender: str
    source: str
    to: str
    protocol: str
    number: int
    port: int = 0


class Lab:
    """A router with these machines behind it, and the world before it."""

    def __init__(self, client: docker.DockerClient, name: str, image: str) -> None:
        self._engine = Engine(Names(name), client)
        self.container = client.containers.run(
            image,
            ["sleep", "infinity"],
            name=f"berth-cloud-{name}-lab",
            labels=Names(name).labels,
            detach=True,
            init=True,
            network_mode="none",
            cap_drop=["ALL"],
            cap_add=["NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE", "DAC_OVERRIDE"],
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            sysctls={
                "net.ipv4.ip_forward": "1",
                "net.ipv4.conf.all.rp_filter": "0",
                "net.ipv6.conf.all.disable_ipv6": "0",
                "net.ipv6.conf.all.forwarding": "1",
            },
            stop_signal="SIGKILL",
        )
        self.places: dict[str, int] = {}

    def build(self, links: Mapping[str, Link], public: Sequence[Public]) -> None:
        """links: by the name of the machine."""
        self._sh(f"ip link add eth0 type veth peer name eth0 netns {self._place(WORLD)}")
        self._sh("ip addr add 198.18.0.2/16 dev eth0; ip link set eth0 up")
        inside = [f"ip addr add {one}/16 dev eth0" for one in WORLDS]
        self._sh(f"nsenter -t {self.places[WORLD]} -n sh -ec '{'; '.join(inside)}; ip link set eth0 up'")
        for name, link in links.items():
            self._sh(plug(link, 1, self._place(name)))
        self._sh(public_addresses(public))

    def _place(self, name: str) -> int:
        """A network of its own; its process."""
        script = f"echo $$ > /run/{name}; exec sleep infinity"
        made = self._engine.client.api.exec_create(self.container.id, ["unshare", "-n", "sh", "-c", script])
        self._engine.client.api.exec_start(made["Id"], detach=True)
        # On a busy host the engine may also lose what a command wrote: asked until there is an answer.
        written = f"cat /run/{name} 2>/dev/null || true"
        self.places[name] = until(f"the network of {name}", lambda: int(self._sh(written) or 0) or None)
        return self.places[name]

    def seen(self, rules: str, probes: Iterable[Probe]) -> set[tuple[str, str, int, int]]:
        """Load the filter and send the packets: place, protocol, number and port of each that arrived."""
        order = {
            "filter": rules,
            "places": self.places,
            "probes": [
                {("from" if name == "sender" else name): value for name, value in asdict(probe).items()}
                for probe in probes
            ],
        }
        said = self._engine.run(
            self.container, ["python3", "-c", PROBE.read_text()], stdin=json.dumps(order).encode()
        )
        return {
            (str(place), str(protocol), int(number), int(port))
            for place, protocol, number, port in json.loads(said)["seen"]
        }

    def remove(self) -> None:
        self.container.remove(force=True)

    def _sh(self, script: str) -> str:
        return self._engine.run(self.container, ["sh", "-ec", script])
