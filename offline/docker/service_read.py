"""From what the engine reports about a swarm service to the resource's state, as pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offline.docker.container_units import labels, short_duration

Json = dict[str, Any]


def state(service: Mapping[str, Any], inputs: Mapping[str, Any], networks: Mapping[str, str]) -> Json:
    """The state of a service; `networks` gives the name of each network id that it uses."""
    spec = service["Spec"]
    endpoint = service.get("Endpoint") or {}
    ports = endpoint.get("Ports") or (spec.get("EndpointSpec") or {}).get("Ports") or ()
    result: Json = {key: inputs[key] for key in ("auth", "convergeConfig") if key in inputs}
    result |= {
        "name": spec["Name"],
        "labels": labels(spec.get("Labels")),
        "taskSpec": _task(spec["TaskTemplate"], inputs.get("taskSpec") or {}, networks),
        "mode": _mode(spec["Mode"]),
        "endpointSpec": {
            "mode": (
                (endpoint.get("Spec") or {}).get("Mode") or (spec.get("EndpointSpec") or {}).get("Mode")
            ),
            "ports": [_port(port) for port in ports],
        },
    }
    for key, name in (("updateConfig", "UpdateConfig"), ("rollbackConfig", "RollbackConfig")):
        if spec.get(name):
            result[key] = _rollout(spec[name])
    return result


def imported(state: Mapping[str, Any]) -> Json:
    """The inputs that a state stands for, without what is empty or what the engine would choose itself."""
    given: Json = _pruned({key: value for key, value in state.items() if key != "mode"})
    given["mode"] = (
        {"global": True} if state["mode"]["global"] else {"replicated": state["mode"]["replicated"]}
    )
    if given.get("endpointSpec") == {"mode": "vip"}:
        del given["endpointSpec"]
    if given["taskSpec"].get("runtime") == "container":
        del given["taskSpec"]["runtime"]
    return given


def _pruned(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _pruned(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (None, "", False, [], {})}
    return [_pruned(item) for item in value] if isinstance(value, list) else value


def _task(task: Mapping[str, Any], inputs: Mapping[str, Any], networks: Mapping[str, str]) -> Json:
    result: Json = {
        "containerSpec": _container(task["ContainerSpec"]),
        "forceUpdate": task.get("ForceUpdate", 0),
        "runtime": task.get("Runtime") or inputs.get("runtime") or "container",
        "networksAdvanceds": _networks(task.get("Networks") or (), inputs, networks),
    }
    resources = task.get("Resources") or {}
    if resources:
        result["resources"] = _present(
            limits=_limits(resources.get("Limits")), reservation=_reservation(resources.get("Reservations"))
        )
    if restart := task.get("RestartPolicy"):
        result["restartPolicy"] = {
            "condition": restart.get("Condition"),
            "delay": _duration(restart.get("Delay")),
            "maxAttempts": restart.get("MaxAttempts", 0),
            "window": _duration(restart.get("Window")),
        }
    if placement := task.get("Placement"):
        result["placement"] = {
            "constraints": placement.get("Constraints") or [],
            "prefs": [pref["Spread"]["SpreadDescriptor"] for pref in placement.get("Preferences") or ()],
            "platforms": [
                {"architecture": platform.get("Architecture", ""), "os": platform.get("OS", "")}
                for platform in placement.get("Platforms") or ()
            ],
            "maxReplicas": placement.get("MaxReplicas", 0),
        }
    if log := task.get("LogDriver"):
        result["logDriver"] = {"name": log.get("Name"), "options": log.get("Options") or {}}
    return result


def _container(container: Mapping[str, Any]) -> Json:
    dns = container.get("DNSConfig") or {}
    health = container.get("Healthcheck")
    return _present(
        image=container["Image"],
        labels=labels(container.get("Labels")),
        commands=container.get("Command"),
        args=container.get("Args"),
        hostname=container.get("Hostname"),
        env=dict(entry.partition("=")[::2] for entry in container.get("Env") or ()),
        dir=container.get("Dir"),
        user=container.get("User"),
        groups=container.get("Groups"),
        privileges=_privileges(container.get("Privileges") or {}),
        readOnly=container.get("ReadOnly"),
        mounts=[_mount(mount) for mount in container.get("Mounts") or ()],
        stopSignal=container.get("StopSignal"),
        stopGracePeriod=_duration(container.get("StopGracePeriod")),
        healthcheck=health
        and {
            "tests": health.get("Test") or [],
            "interval": _duration(health.get("Interval", 0)),
            "timeout": _duration(health.get("Timeout", 0)),
            "startPeriod": _duration(health.get("StartPeriod", 0)),
            "retries": health.get("Retries", 0),
        },
        hosts=[dict(zip(("ip", "host"), e.split(" ", 1), strict=True)) for e in container.get("Hosts") or ()],
        dnsConfig=_present(
            nameservers=dns.get("Nameservers"), searches=dns.get("Search"), options=dns.get("Options")
        ),
        secrets=[_file(entry, "Secret") for entry in container.get("Secrets") or ()],
        configs=[_file(entry, "Config") for entry in container.get("Configs") or ()],
        isolation=container.get("Isolation"),
        sysctl=container.get("Sysctls"),
        capAdds=container.get("CapabilityAdd"),
        capDrops=container.get("CapabilityDrop"),
    ) | ({"init": container["Init"]} if container.get("Init") is not None else {})


def _privileges(privileges: Mapping[str, Any]) -> Json:
    credential, linux = privileges.get("CredentialSpec"), privileges.get("SELinuxContext")
    return _present(
        credentialSpec=credential
        and {"file": credential.get("File"), "registry": credential.get("Registry")},
        seLinuxContext=linux
        and {name.lower(): linux.get(name) for name in ("Disable", "User", "Role", "Type", "Level")},
    )


def _mount(mount: Mapping[str, Any]) -> Json:
    result: Json = {
        "target": mount["Target"],
        "source": mount.get("Source", ""),
        "type": mount["Type"],
        "readOnly": mount.get("ReadOnly", False),
    }
    if (bind := mount.get("BindOptions")) is not None:
        result["bindOptions"] = {"propagation": bind.get("Propagation", "")}
    if (volume := mount.get("VolumeOptions")) is not None:
        driver = volume.get("DriverConfig") or {}
        result["volumeOptions"] = {
            "noCopy": volume.get("NoCopy", False),
            "labels": labels(volume.get("Labels")),
            "driverName": driver.get("Name", ""),
            "driverOptions": driver.get("Options") or {},
        }
    if (tmpfs := mount.get("TmpfsOptions")) is not None:
        result["tmpfsOptions"] = {"sizeBytes": tmpfs.get("SizeBytes", 0), "mode": tmpfs.get("Mode", 0)}
    return result


def _file(entry: Mapping[str, Any], kind: str) -> Json:
    file = entry.get("File") or {}
    return {
        f"{kind.lower()}Id": entry[f"{kind}ID"],
        f"{kind.lower()}Name": entry.get(f"{kind}Name"),
        "fileName": file.get("Name"),
        "fileUid": file.get("UID"),
        "fileGid": file.get("GID"),
        "fileMode": file.get("Mode"),
    }


def _networks(attached: Any, inputs: Mapping[str, Any], names: Mapping[str, str]) -> list[Json]:
    """Each network under the key, id or name, that the program used for it."""
    by_name = {entry.get("name") for entry in inputs.get("networksAdvanceds") or () if not entry.get("id")}
    result = []
    for network in attached:
        target = network["Target"]
        name = names.get(target)
        key = {"name": name} if name in by_name else {"name": target} if target in by_name else {"id": target}
        options = [f"{option}={value}" for option, value in (network.get("DriverOpts") or {}).items()]
        result.append(key | _present(aliases=network.get("Aliases"), driverOpts=options))
    return result


def _mode(mode: Mapping[str, Any]) -> Json:
    if "Replicated" in mode:
        return {"global": False, "replicated": {"replicas": mode["Replicated"].get("Replicas", 0)}}
    return {"global": True}


def _rollout(config: Mapping[str, Any]) -> Json:
    return {
        "parallelism": config.get("Parallelism", 0),
        "delay": _duration(config.get("Delay", 0)),
        "failureAction": config.get("FailureAction"),
        "monitor": _duration(config.get("Monitor", 0)),
        "maxFailureRatio": f"{config.get('MaxFailureRatio', 0):g}",
        "order": config.get("Order"),
    }


def _port(port: Mapping[str, Any]) -> Json:
    return {
        "name": port.get("Name", ""),
        "protocol": port.get("Protocol"),
        "targetPort": port.get("TargetPort"),
        "publishedPort": port.get("PublishedPort", 0),
        "publishMode": port.get("PublishMode"),
    }


def _limits(limits: Mapping[str, Any] | None) -> Json | None:
    if not limits:
        return None
    return {"nanoCpus": limits.get("NanoCPUs", 0), "memoryBytes": limits.get("MemoryBytes", 0)}


def _reservation(value: Mapping[str, Any] | None) -> Json | None:
    if not value:
        return None
    generic = value.get("GenericResources") or ()
    named = [entry["NamedResourceSpec"] for entry in generic if entry.get("NamedResourceSpec")]
    discrete = [entry["DiscreteResourceSpec"] for entry in generic if entry.get("DiscreteResourceSpec")]
    specs = _present(
        namedResourcesSpecs=[f"{entry['Kind']}={entry['Value']}" for entry in named],
        discreteResourcesSpecs=[f"{entry['Kind']}={entry['Value']}" for entry in discrete],
    )
    return (_limits(value) or {}) | _present(genericResources=specs)


def _present(**values: Any) -> Json:
    return {key: value for key, value in values.items() if value not in (None, "", False, [], {})}


def _duration(value: int | None) -> str | None:
    return None if value is None else short_duration(value)
