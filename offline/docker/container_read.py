"""From what the engine reports about a container to the resource's state and inputs, as pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from offline.docker.container_units import (
    capability,
    format_cpus,
    format_duration,
    format_gpus,
    labels,
    parse_cpus,
    parse_gpus,
    to_mib,
)

Json = dict[str, Any]

# Marks a container while it is made; see container_journal.py. Not a label of the user's.
CREATION_LABEL = "berth.creation"


def state(inspect: Mapping[str, Any], inputs: Mapping[str, Any]) -> Json:
    """The state of a container: the inputs it was made from, overlaid with what the engine reports now."""
    return dict(inputs) | _observed(inspect, inputs, {name for name, value in inputs.items() if value})


def _observed(inspect: Mapping[str, Any], inputs: Mapping[str, Any], asked: Set[str]) -> Json:
    """What the engine reports; `asked` names inputs that are part of a state only where they were given."""
    return _process(inspect, inputs) | _host(inspect, inputs, asked) | _network(inspect, inputs, asked)


def imported(inspect: Mapping[str, Any], image: Mapping[str, Any] | None) -> Json:
    """Inputs that would make this container again; `image`, inspected, tells what it brings along."""
    config = inspect["Config"]
    base = (image or {}).get("Config") or {}
    seen = _observed(inspect, {}, {"ports", "ulimits", "devices", "deviceRequests", "pidMode", "logOpts"})
    own_labels = dict(config.get("Labels") or {})
    own_labels.pop(CREATION_LABEL, None)
    given = {
        key: value
        for key, value in seen.items()
        if key not in _OUTPUTS_ONLY | _CHOSEN_BY_ENGINE.keys() and value not in (None, "", 0, [], {})
    }
    given |= {
        key: seen[key] for key, usual in _CHOSEN_BY_ENGINE.items() if seen.get(key) and seen[key] not in usual
    }
    if config.get("Hostname") == inspect["Id"][:12]:
        given.pop("hostname", None)
    for key, name in _FROM_IMAGE.items():
        if base.get(name) == config.get(name):
            given.pop(key, None)
    given["envs"] = [entry for entry in config.get("Env") or () if entry not in (base.get("Env") or ())]
    given["labels"] = labels({k: v for k, v in own_labels.items() if (base.get("Labels") or {}).get(k) != v})
    given["volumes"] = _volumes(inspect)
    given["networksAdvanced"] = _endpoints(inspect)
    return {key: value for key, value in given.items() if value not in (None, [], {})}


_OUTPUTS_ONLY = {"bridge", "networkDatas", "exitCode", "containerLogs", "platform", "mustRun"}
_FROM_IMAGE = {
    "command": "Cmd",
    "entrypoints": "Entrypoint",
    "workingDir": "WorkingDir",
    "user": "User",
    "healthcheck": "Healthcheck",
}
_CHOSEN_BY_ENGINE: dict[str, tuple[Any, ...]] = {
    "restart": ("no",),
    "networkMode": ("bridge", "default"),
    "ipcMode": ("private", "shareable"),
    "logDriver": ("json-file",),
    "runtime": ("runc",),
    "shmSize": (64,),
    "stopSignal": ("", None, "SIGTERM"),
    "init": (False,),
}


def _process(inspect: Mapping[str, Any], inputs: Mapping[str, Any]) -> Json:
    config, now = inspect["Config"], inspect["State"]
    by_id = str(inputs.get("image", "")).startswith("sha256:")
    result: Json = {
        "name": inspect["Name"].lstrip("/"),
        "image": inspect["Image"] if by_id else config["Image"],
        "hostname": config.get("Hostname", ""),
        "domainname": config.get("Domainname", ""),
        "command": config.get("Cmd") or [],
        "entrypoints": config.get("Entrypoint") or [],
        "user": config.get("User", ""),
        "workingDir": config.get("WorkingDir", ""),
        "tty": config.get("Tty", False),
        "stdinOpen": config.get("OpenStdin", False),
        "stopSignal": config.get("StopSignal", ""),
        "stopTimeout": config.get("StopTimeout"),
        "platform": inspect.get("Platform", ""),
        "healthcheck": _healthcheck(config.get("Healthcheck")),
        # An image brings variables and labels of its own, so these two are the inputs as they were given.
        "envs": inputs.get("envs") or [],
        "labels": inputs.get("labels") or [],
        "exitCode": now.get("ExitCode", 0),
        "containerLogs": inputs.get("containerLogs"),
        "mustRun": inputs.get("mustRun", True),
    }
    if result["mustRun"] and not now.get("Running"):
        # A stopped container that should run differs from the wanted one by this, and an update starts it.
        result["mustRun"] = False
    return result


def _host(inspect: Mapping[str, Any], inputs: Mapping[str, Any], asked: Set[str]) -> Json:
    host = inspect["HostConfig"]
    result: Json = {
        "rm": host.get("AutoRemove", False),
        "readOnly": host.get("ReadonlyRootfs", False),
        "privileged": host.get("Privileged", False),
        "publishAllPorts": host.get("PublishAllPorts", False),
        "restart": host["RestartPolicy"].get("Name") or "no",
        "maxRetryCount": host["RestartPolicy"].get("MaximumRetryCount", 0),
        "init": bool(host.get("Init")),
        "runtime": host.get("Runtime", ""),
        "dns": host.get("Dns") or [],
        "dnsOpts": host.get("DnsOptions") or [],
        "dnsSearches": host.get("DnsSearch") or [],
        "securityOpts": _security(host, inputs),
        "capabilities": _capabilities(host, inputs),
        "mounts": [_mount(entry) for entry in host.get("Mounts") or ()],
        "tmpfs": host.get("Tmpfs") or {},
        "hosts": [_extra_host(entry) for entry in host.get("ExtraHosts") or ()],
        "memory": to_mib(host.get("Memory", 0)),
        "memoryReservation": to_mib(host.get("MemoryReservation", 0)),
        "memorySwap": _swap(host, inputs),
        "shmSize": to_mib(host.get("ShmSize", 0)),
        "cpuShares": host.get("CpuShares", 0),
        "cpuSet": host.get("CpusetCpus", ""),
        "logDriver": host["LogConfig"].get("Type", ""),
        "logOpts": (host["LogConfig"].get("Config") or {}) if "logOpts" in asked else {},
        "storageOpts": host.get("StorageOpt") or {},
        "networkMode": "bridge" if host.get("NetworkMode") == "default" else host.get("NetworkMode"),
        "usernsMode": host.get("UsernsMode", ""),
        "ipcMode": host.get("IpcMode", ""),
        "sysctls": host.get("Sysctls") or {},
        "groupAdds": host.get("GroupAdd") or [],
    }
    for key, name in (("Bps", "Bps"), ("Iops", "IOps")):
        for way in ("Read", "Write"):
            entries = host.get(f"BlkioDevice{way}{name}") or ()
            result[f"device{way}{key}"] = [{"path": e["Path"], "rate": e["Rate"]} for e in entries]
    if host.get("NanoCpus"):
        result["cpus"] = _cpus(host["NanoCpus"], inputs)
    else:
        result |= {"cpuPeriod": host.get("CpuPeriod", 0), "cpuQuota": host.get("CpuQuota", 0)}
    if "pidMode" in asked:
        result["pidMode"] = host.get("PidMode", "")
    if "ulimits" in asked:
        limits = host.get("Ulimits") or ()
        result["ulimits"] = [{"name": e["Name"], "soft": e["Soft"], "hard": e["Hard"]} for e in limits]
    return result | _devices(host, inputs, asked)


def _devices(host: Mapping[str, Any], inputs: Mapping[str, Any], asked: Set[str]) -> Json:
    result: Json = {}
    if "devices" in asked:
        configured = inputs.get("devices") or ()
        named = {entry["hostPath"] for entry in configured if entry.get("containerPath")}
        result["devices"] = [
            {"hostPath": e["PathOnHost"], "permissions": e["CgroupPermissions"]}
            | ({"containerPath": e["PathInContainer"]} if _path_counts(e, named, configured) else {})
            for e in host.get("Devices") or ()
        ]
    requests = host.get("DeviceRequests") or []
    if "gpus" in asked:
        text = format_gpus(requests)
        result["gpus"] = inputs["gpus"] if text is None or _same_gpus(inputs["gpus"], requests) else text
    elif "deviceRequests" in asked:
        result["deviceRequests"] = [
            {
                "driver": e.get("Driver", ""),
                "count": e.get("Count", 0),
                "deviceIds": e.get("DeviceIDs") or [],
                "capabilities": (e.get("Capabilities") or [[]])[0],
                "options": e.get("Options") or {},
            }
            for e in requests
        ]
    return result


def _path_counts(device: Mapping[str, Any], named: set[str], configured: Sequence[Any]) -> bool:
    """Whether the path inside is part of the state: where it was given, or where an import finds another."""
    return device["PathOnHost"] in named or (
        not configured and device["PathInContainer"] != device["PathOnHost"]
    )


def _same_gpus(text: str, requests: list[Json]) -> bool:
    wanted = {key: value for key, value in parse_gpus(text).items() if value}
    return len(requests) == 1 and {key: value for key, value in requests[0].items() if value} == wanted


def _network(inspect: Mapping[str, Any], inputs: Mapping[str, Any], asked: Set[str]) -> Json:
    settings = inspect.get("NetworkSettings") or {}
    networks = settings.get("Networks") or {}
    result: Json = {
        "bridge": settings.get("Bridge", ""),
        "networkDatas": [
            {
                "networkName": name,
                "ipAddress": data.get("IPAddress", ""),
                "ipPrefixLength": data.get("IPPrefixLen", 0),
                "gateway": data.get("Gateway", ""),
                "globalIpv6Address": data.get("GlobalIPv6Address", ""),
                "globalIpv6PrefixLength": data.get("GlobalIPv6PrefixLen", 0),
                "ipv6Gateway": data.get("IPv6Gateway", ""),
                "macAddress": data.get("MacAddress", ""),
            }
            for name, data in sorted(networks.items())
        ],
    }
    if "networksAdvanced" in asked:
        attached = set(networks) | {data.get("NetworkID") for data in networks.values()}
        result["networksAdvanced"] = [
            entry for entry in inputs["networksAdvanced"] if entry["name"] in attached
        ]
    if "ports" in asked:
        # A container that does not run reports no ports, only the bindings it was made with.
        running = inspect["State"].get("Running")
        bound = settings.get("Ports") if running else inspect["HostConfig"].get("PortBindings")
        result["ports"] = _ports(bound or {})
    return result


def _ports(bound: Mapping[str, Any]) -> list[Json]:
    result = []
    for key in sorted(bound, key=lambda key: (int(key.split("/")[0]), key)):
        internal, protocol = key.split("/")
        result += [
            {
                "internal": int(internal),
                "external": int(binding.get("HostPort") or 0),
                "ip": binding.get("HostIp", ""),
                "protocol": protocol,
            }
            for binding in bound[key] or ()
        ]
    return result


def _healthcheck(value: Mapping[str, Any] | None) -> Json | None:
    if not value:
        return None
    return {
        "tests": value.get("Test") or [],
        "interval": format_duration(value.get("Interval", 0)),
        "timeout": format_duration(value.get("Timeout", 0)),
        "startPeriod": format_duration(value.get("StartPeriod", 0)),
        "startInterval": format_duration(value.get("StartInterval", 0)),
        "retries": value.get("Retries", 0),
    }


def _security(host: Mapping[str, Any], inputs: Mapping[str, Any]) -> list[str]:
    wanted = inputs.get("securityOpts") or ()
    # The engine adds this by itself, to privileged containers and to those in the host's namespaces.
    implied = {"label=disable"} - set(wanted)
    options = [option for option in host.get("SecurityOpt") or () if option not in implied]
    # An empty list of masked paths is how `systempaths=unconfined` reached the engine.
    return options + (["systempaths=unconfined"] if host.get("MaskedPaths") == [] else [])


def _capabilities(host: Mapping[str, Any], inputs: Mapping[str, Any]) -> Json | None:
    adds, drops = host.get("CapAdd") or [], host.get("CapDrop") or []
    wanted = inputs.get("capabilities") or {}
    spelled = {capability(n): n for key in ("adds", "drops") for n in wanted.get(key) or ()}
    if not adds and not drops:
        return None
    return {
        "adds": [spelled.get(capability(name), name) for name in adds],
        "drops": [spelled.get(capability(name), name) for name in drops],
    }


def _swap(host: Mapping[str, Any], inputs: Mapping[str, Any]) -> int:
    """The swap limit; 0 where none was asked for and the engine chose its usual twice the memory, or none."""
    value = host.get("MemorySwap", 0)
    if not inputs.get("memorySwap") and value in (2 * host.get("Memory", 0), -1):
        return 0
    return to_mib(value)


def _cpus(nano: int, inputs: Mapping[str, Any]) -> str:
    given = str(inputs.get("cpus") or "")
    return given if given and parse_cpus(given) == nano else format_cpus(nano)


def _mount(entry: Mapping[str, Any]) -> Json:
    result: Json = {
        "target": entry["Target"],
        "source": entry.get("Source", ""),
        "type": entry["Type"],
        "readOnly": entry.get("ReadOnly", False),
    }
    if bind := entry.get("BindOptions"):
        result["bindOptions"] = {"propagation": bind.get("Propagation", "")}
    if volume := entry.get("VolumeOptions"):
        driver = volume.get("DriverConfig") or {}
        result["volumeOptions"] = {
            "noCopy": volume.get("NoCopy", False),
            "labels": labels(volume.get("Labels")),
            "driverName": driver.get("Name", ""),
            "driverOptions": driver.get("Options") or {},
            "subpath": volume.get("Subpath", ""),
        }
    if tmpfs := entry.get("TmpfsOptions"):
        result["tmpfsOptions"] = {"sizeBytes": tmpfs.get("SizeBytes", 0), "mode": tmpfs.get("Mode", 0)}
    return result


def _extra_host(entry: str) -> Json:
    host, _, address = entry.partition(":")
    return {"host": host, "ip": address}


def _volumes(inspect: Mapping[str, Any]) -> list[Json]:
    result: list[Json] = []
    for bind in inspect["HostConfig"].get("Binds") or ():
        source, _, rest = bind.partition(":")
        path, _, options = rest.partition(":")
        entry: Json = {"containerPath": path, "hostPath" if source.startswith("/") else "volumeName": source}
        flags = set(options.split(","))
        if "ro" in flags:
            entry["readOnly"] = True
        if relabel := flags & {"z", "Z"}:
            entry["selinuxRelabel"] = relabel.pop()
        result.append(entry)
    return result + [{"fromContainer": name} for name in inspect["HostConfig"].get("VolumesFrom") or ()]


def _endpoints(inspect: Mapping[str, Any]) -> list[Json]:
    mode = inspect["HostConfig"].get("NetworkMode")
    networks = (inspect.get("NetworkSettings") or {}).get("Networks") or {}
    result = []
    for name, data in sorted(networks.items()):
        if name == mode or (mode == "default" and name == "bridge"):
            continue
        ipam = data.get("IPAMConfig") or {}
        aliases = [a for a in data.get("Aliases") or () if a != inspect["Id"][:12]]
        options = [f"{key}={value}" for key, value in (data.get("DriverOpts") or {}).items()]
        entry = {
            "name": name,
            "aliases": aliases,
            "ipv4Address": ipam.get("IPv4Address"),
            "ipv6Address": ipam.get("IPv6Address"),
            "linkLocalIps": ipam.get("LinkLocalIPs"),
            "driverOpts": options,
        }
        result.append({key: value for key, value in entry.items() if value})
    return result
