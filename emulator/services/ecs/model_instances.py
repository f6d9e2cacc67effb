"""Instances and what only instances have."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Literal

from pydantic import Field

from emulator.tags import Tagged

Status = Literal["Pending", "Starting", "Running", "Stopping", "Stopped"]


class Instance(Tagged, kind="instance"):
    """A machine. `status` is what the API answers; whoever runs the machines moves it on.

    Pending (being made) -> Starting -> Running; Stopping -> Stopped; Starting again. With `reboot` a machine
    that has stopped starts at once.
    """

    status: Status
    reboot: bool = False
    force_stop: bool = False
    """Without asking what runs on it: as if the power was cut."""
    since: datetime
    """When the status was reached."""
    trouble: str = ""
    """Why it does not move on. Alibaba Cloud answers nothing like it; the page and `status` show it."""

    name: str
    description: str = ""
    host_name: str
    type: str
    image: str
    zone: str
    vpc: str
    vswitch: str
    groups: tuple[str, ...]
    eni: str
    mac: str
    address: IPv4Address
    ipv6: tuple[IPv6Address, ...] = ()
    key_pair: str = ""
    password: str = Field(default="", repr=False)
    """Until the machine has it; then it is forgotten here."""
    user_data: str = Field(default="", repr=False)
    """As it came: base64."""
    role: str = ""
    role_policy: str = ""
    resource_group: str
    system_disk: str
    bandwidth_in: int = 200
    bandwidth_out: int = 0
    """Mbit/s; above 0 it gets a public address of its own."""
    public: IPv4Address | None = None
    internet_charge: Literal["PayByTraffic", "PayByBandwidth"] = "PayByTraffic"
    protected: bool = False
    credit: str = ""
    stopped_mode: Literal["KeepCharging", "StopCharging", "Not-applicable"] = "Not-applicable"
    http_endpoint: Literal["enabled", "disabled"] = "enabled"
    http_tokens: Literal["optional", "required"] = "optional"
    hop_limit: int = 1
    maintenance_action: Literal["Stop", "AutoRecover", "AutoRedeploy"] = "AutoRecover"
    maintenance_notify: bool = False
    maintenance_windows: tuple[tuple[str, str], ...] = ()
    auto_release: str = ""
    enhanced: bool = False
    """The security agent was asked for. There is none here; it is only answered back."""
    started: datetime | None = None


class Disk(Tagged, kind="disk"):
    """A disk: a file that grows as it is written to, up to its size."""

    name: str = ""
    description: str = ""
    zone: str
    system: bool
    category: str
    size: int
    """GiB."""
    performance: str = ""
    encrypted: bool = False
    """Answered back; nothing is encrypted here."""
    kms_key: str = ""
    instance: str = ""
    device: str = ""
    """As the machine sees it: /dev/xvdb; empty while it is in none."""
    with_instance: bool = False
    """It goes when its instance goes."""
    auto_snapshots: bool = True
    delete_auto_snapshots: bool = False
    image: str = ""
    resource_group: str
    snapshot: str = ""
    """What it was made of."""
    resetting: str = ""
    """The snapshot that it is just being set back to."""
    """What it was made of, or was reset to."""
    status: Literal["Creating", "Available", "Attaching", "In_use", "Detaching", "ReIniting"]
    since: datetime
    attached: datetime | None = None
    detached: datetime | None = None
    trouble: str = ""
