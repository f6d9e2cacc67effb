"""How each input of a container behaves, after the official provider.

docs/docker-plugin.md lists every difference with its reason, and tests/unit/test_plugin_official.py holds
us to that list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from offline.docker.container_units import capability, parse_cpus, same_duration
from offline.provider.resource import Field


def _kept_when_empty(old: Any, new: Any) -> bool:
    """An empty value leaves the choice to the image."""
    return new in (None, "") or old == new


def _same_capabilities(old: Any, new: Any) -> bool:
    return {capability(name) for name in old or ()} == {capability(name) for name in new or ()}


def _same_cpus(old: Any, new: Any) -> bool:
    """`1.5` and `1.50` are one number."""
    try:
        return bool(old and new and parse_cpus(old) == parse_cpus(new))
    except ValueError:
        return False


def same_ports(old: Any, new: Any) -> bool:
    """Equal but for order; a wanted port without `external` accepts whichever the engine chose."""
    rest = [_port(port) for port in old or ()]
    for wanted in sorted((_port(port) for port in new or ()), key=lambda port: not port[3]):
        match = next((p for p in rest if p[:3] == wanted[:3] and wanted[3] in (0, p[3])), None)
        if match is None:
            return False
        rest.remove(match)
    return not rest


def _port(port: Mapping[str, Any]) -> tuple[int, str, str, int]:
    return (
        int(port["internal"]),
        port.get("protocol") or "tcp",
        port.get("ip") or "0.0.0.0",  # noqa: S104 - the schema's default: every IPv4 address
        int(port.get("external") or 0),
    )


_REPLACE: Final = Field(replace=True)
_REPLACE_COMPUTED: Final = Field(replace=True, computed=True)
_REPLACE_SET: Final = Field(replace=True, unordered=True)
_REPLACE_OFF: Final = Field(replace=True, default=False)
_DURATION: Final = Field(replace=True, default="0s", same=same_duration)
_LABEL: Final = {"label": _REPLACE, "value": _REPLACE}
_THROTTLE: Final = Field(unordered=True, nested={"path": Field(), "rate": Field()})

_MOUNT: Final = {
    "target": _REPLACE,
    "source": _REPLACE,
    "type": _REPLACE,
    "readOnly": _REPLACE,
    "bindOptions": Field(replace=True, nested={"propagation": _REPLACE}),
    "volumeOptions": Field(
        replace=True,
        nested={
            "noCopy": _REPLACE,
            "labels": Field(replace=True, unordered=True, nested=_LABEL),
            "driverName": _REPLACE,
            "driverOptions": _REPLACE,
            "subpath": _REPLACE,
        },
    ),
    "tmpfsOptions": Field(replace=True, nested={"sizeBytes": _REPLACE, "mode": _REPLACE}),
}

_NETWORK: Final = {
    "name": _REPLACE,
    "aliases": _REPLACE_SET,
    "ipv4Address": _REPLACE,
    "ipv6Address": _REPLACE,
    "linkLocalIps": _REPLACE_SET,
    "macAddress": _REPLACE,
    "driverOpts": _REPLACE_SET,
    "gwPriority": _REPLACE,
}

_VOLUME: Final = {
    "containerPath": _REPLACE,
    "fromContainer": _REPLACE,
    "hostPath": _REPLACE,
    "readOnly": _REPLACE,
    "selinuxRelabel": _REPLACE,
    "volumeName": _REPLACE,
}

_UPLOAD: Final = {
    "content": _REPLACE,
    "contentBase64": _REPLACE,
    "executable": _REPLACE_OFF,
    "file": _REPLACE,
    "permissions": _REPLACE,
    "source": _REPLACE,
    "sourceHash": _REPLACE,
}

_HEALTHCHECK: Final = {
    "tests": Field(replace=True),
    "interval": _DURATION,
    "timeout": _DURATION,
    "startPeriod": _DURATION,
    "startInterval": _DURATION,
    "retries": Field(replace=True, default=0),
}

FIELDS: Final[Mapping[str, Field]] = {
    # Settings of the provider, not of the container: a change is only recorded.
    "attach": Field(default=False),
    "containerReadRefreshTimeoutMilliseconds": Field(default=15000),
    "destroyGraceSeconds": Field(),
    "logs": Field(default=False),
    "mustRun": Field(default=True),
    "removeVolumes": Field(default=True),
    "rm": Field(default=False),
    "start": Field(default=True),
    "wait": Field(default=False),
    "waitTimeout": Field(default=60),
    # What `docker update` changes.
    "cpuPeriod": Field(),
    "cpuQuota": Field(),
    "cpuSet": Field(),
    "cpuShares": Field(),
    "deviceReadBps": _THROTTLE,
    "deviceReadIops": _THROTTLE,
    "deviceWriteBps": _THROTTLE,
    "deviceWriteIops": _THROTTLE,
    "maxRetryCount": Field(),
    "memory": Field(),
    "memoryReservation": Field(default=0),
    "memorySwap": Field(),
    "restart": Field(default="no"),
    # What needs a new container.
    "capabilities": Field(
        replace=True,
        nested={
            "adds": Field(replace=True, unordered=True, same=_same_capabilities),
            "drops": Field(replace=True, unordered=True, same=_same_capabilities),
        },
    ),
    "cgroupParent": _REPLACE,
    "cgroupnsMode": _REPLACE,
    "command": _REPLACE_COMPUTED,
    "cpus": Field(replace=True, same=_same_cpus),
    "deviceRequests": Field(
        replace=True,
        unordered=True,
        nested={
            "capabilities": _REPLACE_SET,
            "count": Field(replace=True, default=0),
            "deviceIds": _REPLACE_SET,
            "driver": Field(replace=True, default="cdi"),
            "options": _REPLACE,
        },
    ),
    "devices": Field(
        replace=True,
        unordered=True,
        nested={
            "containerPath": _REPLACE,
            "hostPath": _REPLACE,
            "permissions": Field(replace=True, default="rwm"),
        },
    ),
    "dns": _REPLACE_SET,
    "dnsOpts": _REPLACE_SET,
    "dnsSearches": _REPLACE_SET,
    "domainname": _REPLACE,
    "entrypoints": _REPLACE_COMPUTED,
    "envs": Field(replace=True, computed=True, unordered=True),
    "gpus": _REPLACE,
    "groupAdds": _REPLACE_SET,
    "healthcheck": Field(replace=True, computed=True, nested=_HEALTHCHECK),
    "hostname": _REPLACE_COMPUTED,
    "hosts": Field(replace=True, unordered=True, nested={"host": _REPLACE, "ip": _REPLACE}),
    "image": _REPLACE,
    "init": _REPLACE_COMPUTED,
    "ipcMode": _REPLACE_COMPUTED,
    "labels": Field(replace=True, computed=True, unordered=True, nested=_LABEL),
    "logDriver": _REPLACE_COMPUTED,
    "logOpts": _REPLACE,
    "mounts": Field(replace=True, unordered=True, nested=_MOUNT),
    "name": _REPLACE,
    "networkMode": Field(replace=True, default="bridge"),
    "networksAdvanced": Field(replace=True, unordered=True, nested=_NETWORK),
    "pidMode": _REPLACE,
    "platform": _REPLACE_COMPUTED,
    "ports": Field(
        replace=True,
        same=same_ports,
        nested={
            "external": _REPLACE_COMPUTED,
            "internal": _REPLACE,
            "ip": Field(replace=True, default="0.0.0.0"),  # noqa: S104 - the official default
            "protocol": Field(replace=True, default="tcp"),
        },
    ),
    "privileged": _REPLACE,
    "publishAllPorts": _REPLACE,
    "readOnly": _REPLACE_OFF,
    "runtime": _REPLACE_COMPUTED,
    "securityOpts": Field(replace=True, computed=True, unordered=True),
    "shmSize": _REPLACE_COMPUTED,
    "stdinOpen": _REPLACE_OFF,
    "stopSignal": _REPLACE_COMPUTED,
    "stopTimeout": _REPLACE_COMPUTED,
    "storageOpts": _REPLACE,
    "sysctls": _REPLACE,
    "tmpfs": _REPLACE,
    "tty": _REPLACE_OFF,
    "ulimits": Field(
        replace=True, unordered=True, nested={"hard": _REPLACE, "name": _REPLACE, "soft": _REPLACE}
    ),
    "uploads": Field(replace=True, unordered=True, nested=_UPLOAD),
    "user": Field(replace=True, computed=True, same=_kept_when_empty),
    "usernsMode": _REPLACE,
    "volumes": Field(replace=True, unordered=True, nested=_VOLUME),
    "workingDir": Field(replace=True, computed=True, same=_kept_when_empty),
}

THROTTLES: Final = ("deviceReadBps", "deviceReadIops", "deviceWriteBps", "deviceWriteIops")
LIMITS: Final = (
    *("cpuPeriod", "cpuQuota", "cpuSet", "cpuShares", "maxRetryCount", "memory", "memoryReservation"),
    *("memorySwap", "restart"),
    *THROTTLES,
)
# `docker update` reads an empty value as "leave it as it is": taking one of these away needs a new container.
CANNOT_BE_UNSET: Final = (
    "cpuPeriod",
    "cpuQuota",
    "cpuSet",
    "cpuShares",
    "memory",
    "memoryReservation",
    "memorySwap",
)
