"""The things of a VPC, as they are kept."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Literal

from emulator.store import Thing
from emulator.tags import Tagged


class Vpc(Tagged, kind="vpc"):
    cidr: IPv4Network
    secondary_cidrs: tuple[IPv4Network, ...] = ()
    user_cidrs: tuple[IPv4Network, ...] = ()
    ipv6_cidr: IPv6Network | None = None
    name: str = ""
    description: str = ""
    resource_group: str
    router: str
    dns_hostnames: bool = False
    settles: datetime
    """Until then it is Pending."""

    def status(self, now: datetime) -> str:
        return "Pending" if now < self.settles else "Available"


class VSwitch(Tagged, kind="vswitch"):
    vpc: str
    zone: str
    cidr: IPv4Network
    ipv6_cidr: IPv6Network | None = None
    name: str = ""
    description: str = ""
    resource_group: str
    route_table: str
    settles: datetime

    def status(self, now: datetime) -> str:
        return "Pending" if now < self.settles else "Available"


class Lease(Thing, kind="lease"):
    """An address of a vSwitch that a machine holds. Its id is `VPC/ADDRESS`."""

    vswitch: str
    address: IPv4Address
    holder: str
    """The id of who has it."""


class RouteTable(Tagged, kind="route-table"):
    vpc: str
    router: str
    system: bool
    """Made with its VPC, and removed with it."""
    name: str = ""
    description: str = ""
    propagates: bool = True
    """Routes that others announce are taken in. Answered back; nobody announces any here."""
    resource_group: str
    settles: datetime

    def status(self, now: datetime) -> str:
        return "Pending" if now < self.settles else "Available"


class RouteEntry(Thing, kind="route-entry"):
    """Its id is `rte-...`. What a VPC routes by itself (its vSwitches, the cloud's services) is not kept."""

    route_table: str
    destination: IPv4Network
    hop_type: str
    hop: str
    name: str = ""
    description: str = ""
    settles: datetime

    def status(self, now: datetime) -> str:
        return "Pending" if now < self.settles else "Available"


class Eip(Tagged, kind="eip"):
    """A public address that can be moved from machine to machine."""

    address: IPv4Address
    bandwidth: int
    """Mbit/s. Answered, not enforced."""
    internet_charge: Literal["PayByTraffic", "PayByBandwidth"]
    isp: str
    name: str = ""
    description: str = ""
    resource_group: str
    protected: bool = False
    """It cannot be released."""
    instance: str = ""
    """Who has it; empty for nobody. From the moment on that the API was asked, not from when it is InUse."""
    instance_type: str = ""
    private: IPv4Address | None = None
    """The holder's address in its VPC."""
    vpc: str = ""
    left: str = ""
    """Who had it last, while it is Unassociating."""
    settles: datetime

    def status(self, now: datetime) -> str:
        if now < self.settles:
            return "Associating" if self.instance else "Unassociating"
        return "InUse" if self.instance else "Available"
