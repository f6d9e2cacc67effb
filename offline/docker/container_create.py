"""From the inputs of a container to the engine's API: payloads, endpoints and uploads, as pure functions.

A value that is empty (None, "", 0, [], {}) is an absent one, as in the official provider.
"""

from __future__ import annotations

import base64
import io
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from offline.docker.container_units import (
    assignments,
    mib,
    pairs,
    parse_cpus,
    parse_duration,
    parse_gpus,
)

Json = dict[str, Any]
_UNCONFINED_PATHS = "systempaths=unconfined"


def payload(inputs: Mapping[str, Any]) -> Json:
    """The body of `POST /containers/create`. Raises ValueError for a value that the API cannot carry."""
    command = _strings(inputs.get("command"))
    if command and "" in command:
        raise ValueError("command: its values may not be empty")
    exposed, bindings = _ports(inputs.get("ports") or ())
    volumes, binds, volumes_from = _volumes(inputs.get("volumes") or ())
    body = _present(
        Image=inputs["image"],
        Hostname=inputs.get("hostname"),
        Domainname=inputs.get("domainname"),
        Tty=inputs.get("tty"),
        OpenStdin=inputs.get("stdinOpen"),
        StopSignal=inputs.get("stopSignal"),
        StopTimeout=_int(inputs.get("stopTimeout")),
        Env=_strings(inputs.get("envs")),
        Cmd=command,
        Entrypoint=_strings(inputs.get("entrypoints")),
        User=inputs.get("user"),
        WorkingDir=inputs.get("workingDir"),
        Labels=pairs(inputs.get("labels")),
        ExposedPorts=exposed,
        Volumes=volumes,
        Healthcheck=healthcheck(inputs.get("healthcheck")),
    )
    body["HostConfig"] = _host_config(inputs) | _present(
        PortBindings=bindings, Binds=binds, VolumesFrom=volumes_from
    )
    return body


def _host_config(inputs: Mapping[str, Any]) -> Json:
    capabilities = inputs.get("capabilities") or {}
    security = _strings(inputs.get("securityOpts"))
    config = _present(
        Privileged=inputs.get("privileged"),
        PublishAllPorts=inputs.get("publishAllPorts"),
        Runtime=inputs.get("runtime"),
        Mounts=[mount(entry) for entry in inputs.get("mounts") or ()],
        AutoRemove=inputs.get("rm"),
        ReadonlyRootfs=inputs.get("readOnly"),
        Tmpfs=_map(inputs.get("tmpfs")),
        ExtraHosts=[f"{entry['host']}:{entry['ip']}" for entry in inputs.get("hosts") or ()],
        Ulimits=[
            {"Name": limit["name"], "Soft": int(limit["soft"]), "Hard": int(limit["hard"])}
            for limit in inputs.get("ulimits") or ()
        ],
        CapAdd=_strings(capabilities.get("adds")),
        CapDrop=_strings(capabilities.get("drops")),
        Devices=[_device(entry) for entry in inputs.get("devices") or ()],
        DeviceRequests=_device_requests(inputs),
        Dns=_strings(inputs.get("dns")),
        DnsOptions=_strings(inputs.get("dnsOpts")),
        DnsSearch=_strings(inputs.get("dnsSearches")),
        SecurityOpt=[option for option in security if option != _UNCONFINED_PATHS],
        ShmSize=mib(_int(inputs.get("shmSize"))),
        NanoCpus=parse_cpus(inputs["cpus"]) if inputs.get("cpus") else 0,
        NetworkMode=inputs.get("networkMode", "bridge"),
        UsernsMode=inputs.get("usernsMode"),
        PidMode=inputs.get("pidMode"),
        IpcMode=inputs.get("ipcMode"),
        Sysctls=_map(inputs.get("sysctls")),
        GroupAdd=_strings(inputs.get("groupAdds")),
        CgroupnsMode=inputs.get("cgroupnsMode"),
        CgroupParent=inputs.get("cgroupParent"),
        StorageOpt=_map(inputs.get("storageOpts")),
    )
    if _UNCONFINED_PATHS in security:
        config |= {"MaskedPaths": [], "ReadonlyPaths": []}
    log = _present(Type=inputs.get("logDriver"), Config=_map(inputs.get("logOpts")))
    return (
        config
        | limits(inputs)
        | ({"LogConfig": log} if log else {})
        | {"RestartPolicy": restart_policy(inputs), "Init": bool(inputs.get("init"))}
    )


def limits(inputs: Mapping[str, Any]) -> Json:
    """The limits that `POST /containers/{id}/update` can change as well."""
    memory, swap = mib(_int(inputs.get("memory"))), mib(_int(inputs.get("memorySwap")))
    return _present(
        Memory=memory,
        MemoryReservation=mib(_int(inputs.get("memoryReservation"))),
        MemorySwap=swap,
        CpuShares=_int(inputs.get("cpuShares")),
        CpusetCpus=inputs.get("cpuSet"),
        CpuPeriod=0 if inputs.get("cpus") else _int(inputs.get("cpuPeriod")),
        CpuQuota=0 if inputs.get("cpus") else _int(inputs.get("cpuQuota")),
        BlkioDeviceReadBps=_throttles(inputs.get("deviceReadBps")),
        BlkioDeviceReadIOps=_throttles(inputs.get("deviceReadIops")),
        BlkioDeviceWriteBps=_throttles(inputs.get("deviceWriteBps")),
        BlkioDeviceWriteIOps=_throttles(inputs.get("deviceWriteIops")),
    )


def update(inputs: Mapping[str, Any]) -> Json:
    """The body of `POST /containers/{id}/update`."""
    body = limits(inputs) | {"RestartPolicy": restart_policy(inputs)}
    if body.get("Memory") and "MemorySwap" not in body:
        # The engine chose twice the memory when none was asked for, and refuses a memory above that.
        body["MemorySwap"] = 2 * body["Memory"]
    return body


def restart_policy(inputs: Mapping[str, Any]) -> Json:
    """The restart policy; `no` when absent."""
    return {"Name": inputs.get("restart") or "no", "MaximumRetryCount": _int(inputs.get("maxRetryCount"))}


def healthcheck(value: Mapping[str, Any] | None) -> Json:
    """A health check in nanoseconds; {} when absent, so that the image's own holds."""
    if not value:
        return {}
    return _present(
        Test=_strings(value.get("tests")),
        Interval=parse_duration(value.get("interval") or "0s"),
        Timeout=parse_duration(value.get("timeout") or "0s"),
        StartPeriod=parse_duration(value.get("startPeriod") or "0s"),
        StartInterval=parse_duration(value.get("startInterval") or "0s"),
        Retries=_int(value.get("retries")),
    )


def mount(entry: Mapping[str, Any]) -> Json:
    """One mount of a container or service."""
    kind = entry["type"]
    result = _present(
        Type=kind, Target=entry["target"], Source=entry.get("source"), ReadOnly=entry.get("readOnly")
    )
    bind, volume, tmpfs = (entry.get(f"{name}Options") for name in ("bind", "volume", "tmpfs"))
    if kind == "bind" and bind:
        result["BindOptions"] = _present(Propagation=bind.get("propagation"))
    if kind == "volume" and volume:
        driver = _present(Name=volume.get("driverName"), Options=_map(volume.get("driverOptions")))
        result["VolumeOptions"] = _present(
            NoCopy=volume.get("noCopy"),
            Labels=pairs(volume.get("labels")),
            DriverConfig=driver,
            Subpath=volume.get("subpath"),
        )
    if kind == "tmpfs" and tmpfs:
        result["TmpfsOptions"] = _present(
            SizeBytes=_int(tmpfs.get("sizeBytes")), Mode=_int(tmpfs.get("mode"))
        )
    return result


def endpoints(inputs: Mapping[str, Any]) -> Iterator[tuple[str, Json]]:
    """Each network to connect, with the endpoint's settings. Raises ValueError."""
    for network in inputs.get("networksAdvanced") or ():
        ipam = _present(
            IPv4Address=network.get("ipv4Address"),
            IPv6Address=network.get("ipv6Address"),
            LinkLocalIPs=_strings(network.get("linkLocalIps")),
        )
        yield (
            network["name"],
            _present(
                Aliases=_strings(network.get("aliases")),
                IPAMConfig=ipam,
                MacAddress=network.get("macAddress"),
                DriverOpts=assignments(network.get("driverOpts")),
                GwPriority=_int(network.get("gwPriority")),
            ),
        )


def upload_content(upload: Mapping[str, Any]) -> bytes:
    """The bytes of one upload. Raises ValueError or OSError."""
    given = [name for name in ("content", "contentBase64", "source") if upload.get(name)]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise ValueError(
            f"uploads: {upload.get('file')} needs one of content, contentBase64, source; found {found}"
        )
    value = str(upload[given[0]])
    if given == ["source"]:
        return Path(value).read_bytes()
    return base64.b64decode(value, validate=True) if given == ["contentBase64"] else value.encode()


def upload_mode(upload: Mapping[str, Any]) -> int:
    """The permission bits of one upload."""
    if upload.get("permissions"):
        return int(upload["permissions"], 8)
    return 0o744 if upload.get("executable") else 0o644


def upload_archive(uploads: Iterable[Mapping[str, Any]]) -> bytes:
    """One tar, to be unpacked at `/`, with every upload. Raises ValueError or OSError."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for upload in uploads:
            content = upload_content(upload)
            entry = tarfile.TarInfo(upload["file"].lstrip("/"))
            entry.mode, entry.size, entry.mtime = upload_mode(upload), len(content), int(time.time())
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def _ports(ports: Iterable[Mapping[str, Any]]) -> tuple[Json, Json]:
    exposed: Json = {}
    bindings: dict[str, list[Json]] = {}
    for port in ports:
        key = f"{int(port['internal'])}/{port.get('protocol') or 'tcp'}"
        exposed[key] = {}
        host_port = str(_int(port.get("external")) or "")
        address = port.get("ip") or "0.0.0.0"  # noqa: S104 - the official default
        bindings.setdefault(key, []).append({"HostIp": address, "HostPort": host_port})
    return exposed, bindings


def _volumes(volumes: Iterable[Mapping[str, Any]]) -> tuple[Json, list[str], list[str]]:
    anonymous: Json = {}
    binds, containers = [], []
    for volume in volumes:
        container, path = volume.get("fromContainer"), volume.get("containerPath")
        if bool(container) == bool(path):
            raise ValueError("volumes: each entry needs either containerPath or fromContainer")
        source = volume.get("hostPath") or volume.get("volumeName")
        if container:
            containers.append(container)
        else:
            anonymous[str(path)] = {}
        if path and source:
            mode = "ro" if volume.get("readOnly") else "rw"
            relabel = f",{volume['selinuxRelabel']}" if volume.get("selinuxRelabel") else ""
            binds.append(f"{source}:{path}:{mode}{relabel}")
    return anonymous, binds, containers


def _device(entry: Mapping[str, Any]) -> Json:
    return {
        "PathOnHost": entry["hostPath"],
        "PathInContainer": entry.get("containerPath") or entry["hostPath"],
        "CgroupPermissions": entry.get("permissions") or "rwm",
    }


def _device_requests(inputs: Mapping[str, Any]) -> list[Json]:
    if inputs.get("gpus"):
        return [parse_gpus(inputs["gpus"])]
    return [
        {
            "Driver": entry.get("driver", "cdi"),
            "Count": _int(entry.get("count")),
            "DeviceIDs": _strings(entry.get("deviceIds")),
            "Capabilities": [_strings(entry.get("capabilities"))],
            "Options": _map(entry.get("options")),
        }
        for entry in inputs.get("deviceRequests") or ()
    ]


def _throttles(entries: Iterable[Mapping[str, Any]] | None) -> list[Json]:
    return [{"Path": entry["path"], "Rate": int(entry["rate"])} for entry in entries or ()]


def _present(**values: Any) -> Json:
    return {key: value for key, value in values.items() if value not in (None, "", 0, [], {})}


def _strings(values: Iterable[Any] | None) -> list[str]:
    return ["" if value is None else str(value) for value in values or ()]


def _map(values: Mapping[str, Any] | None) -> dict[str, str]:
    return {key: str(value) for key, value in (values or {}).items()}


def _int(value: Any) -> int:
    return int(value or 0)
