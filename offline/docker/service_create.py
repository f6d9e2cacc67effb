"""From the inputs of a swarm service to the engine's service spec, as pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from offline.docker.container_create import healthcheck
from offline.docker.container_units import assignments, pairs, parse_duration

Json = dict[str, Any]


def spec(inputs: Mapping[str, Any]) -> Json:
    """The body of `POST /services/create` and `/services/{id}/update`. Raises ValueError."""
    endpoint = inputs.get("endpointSpec") or {}
    return _present(
        Name=inputs["name"],
        Labels=pairs(inputs.get("labels")),
        TaskTemplate=_task(inputs["taskSpec"]),
        Mode=_mode(inputs.get("mode") or {}),
        UpdateConfig=_rollout(inputs.get("updateConfig")),
        RollbackConfig=_rollout(inputs.get("rollbackConfig")),
        EndpointSpec=_present(
            Mode=endpoint.get("mode"), Ports=[_port(port) for port in endpoint.get("ports") or ()]
        ),
    )


def _task(task: Mapping[str, Any]) -> Json:
    restart = task.get("restartPolicy") or {}
    placement = task.get("placement") or {}
    log = task.get("logDriver") or {}
    resources = task.get("resources") or {}
    reservation = resources.get("reservation") or {}
    return _present(
        ContainerSpec=_container(task["containerSpec"]),
        Resources=_present(
            Limits=_limits(resources.get("limits") or {}),
            Reservations=_limits(reservation)
            | _present(GenericResources=_generic(reservation.get("genericResources") or {})),
        ),
        RestartPolicy=_present(
            Condition=restart.get("condition"),
            Delay=_duration(restart.get("delay")),
            MaxAttempts=_int(restart.get("maxAttempts")),
            Window=_duration(restart.get("window")),
        ),
        Placement=_present(
            Constraints=list(placement.get("constraints") or ()),
            Preferences=[{"Spread": {"SpreadDescriptor": pref}} for pref in placement.get("prefs") or ()],
            Platforms=[
                {"Architecture": platform["architecture"], "OS": platform["os"]}
                for platform in placement.get("platforms") or ()
            ],
            MaxReplicas=_int(placement.get("maxReplicas")),
        ),
        ForceUpdate=_int(task.get("forceUpdate")),
        Runtime=task.get("runtime"),
        Networks=[_network(network) for network in task.get("networksAdvanceds") or ()],
        LogDriver=_present(Name=log.get("name"), Options=_map(log.get("options"))),
    )


def _container(container: Mapping[str, Any]) -> Json:
    dns = container.get("dnsConfig") or {}
    result = _present(
        Image=container["image"],
        Labels=pairs(container.get("labels")),
        Command=list(container.get("commands") or ()),
        Args=list(container.get("args") or ()),
        Hostname=container.get("hostname"),
        Env=[f"{key}={value}" for key, value in sorted(_map(container.get("env")).items())],
        Dir=container.get("dir"),
        User=container.get("user"),
        Groups=list(container.get("groups") or ()),
        Privileges=_privileges(container.get("privileges") or {}),
        ReadOnly=container.get("readOnly"),
        Mounts=[_mount(mount) for mount in container.get("mounts") or ()],
        StopSignal=container.get("stopSignal"),
        Healthcheck=healthcheck(container.get("healthcheck")),
        Hosts=[f"{entry['ip']} {entry['host']}" for entry in container.get("hosts") or ()],
        DNSConfig=_present(
            Nameservers=list(dns.get("nameservers") or ()),
            Search=list(dns.get("searches") or ()),
            Options=list(dns.get("options") or ()),
        ),
        Secrets=[_file(entry, "Secret") for entry in container.get("secrets") or ()],
        Configs=[_file(entry, "Config") for entry in container.get("configs") or ()],
        Isolation=container.get("isolation", "default"),
        Sysctls=_map(container.get("sysctl")),
        CapabilityAdd=list(container.get("capAdds") or ()),
        CapabilityDrop=list(container.get("capDrops") or ()),
    )
    if container.get("stopGracePeriod"):
        result["StopGracePeriod"] = _duration(container["stopGracePeriod"])
    if container.get("init") is not None:
        result["Init"] = container["init"]
    return result


def _privileges(privileges: Mapping[str, Any]) -> Json:
    credential = privileges.get("credentialSpec") or {}
    linux = privileges.get("seLinuxContext") or {}
    return _present(
        CredentialSpec=_present(File=credential.get("file"), Registry=credential.get("registry")),
        SELinuxContext=_present(
            Disable=linux.get("disable"),
            User=linux.get("user"),
            Role=linux.get("role"),
            Type=linux.get("type"),
            Level=linux.get("level"),
        ),
    )


def _mount(entry: Mapping[str, Any]) -> Json:
    result = _present(
        Type=entry["type"], Target=entry["target"], Source=entry.get("source"), ReadOnly=entry.get("readOnly")
    )
    bind, volume, tmpfs = (entry.get(f"{name}Options") for name in ("bind", "volume", "tmpfs"))
    if bind is not None:
        result["BindOptions"] = {"Propagation": bind.get("propagation") or "rprivate"}
    if volume is not None:
        driver = _present(Name=volume.get("driverName"), Options=_map(volume.get("driverOptions")))
        result["VolumeOptions"] = _present(
            NoCopy=volume.get("noCopy"), Labels=pairs(volume.get("labels")), DriverConfig=driver
        )
    if tmpfs is not None:
        result["TmpfsOptions"] = _present(
            SizeBytes=_int(tmpfs.get("sizeBytes")), Mode=_int(tmpfs.get("mode"))
        )
    return result


def _file(entry: Mapping[str, Any], kind: str) -> Json:
    key = kind.lower()
    return _present(**{f"{kind}ID": entry[f"{key}Id"], f"{kind}Name": entry.get(f"{key}Name")}) | {
        "File": {
            "Name": entry["fileName"],
            "UID": entry.get("fileUid") or "0",
            "GID": entry.get("fileGid") or "0",
            "Mode": int(entry.get("fileMode", 0o444)),
        }
    }


def _network(network: Mapping[str, Any]) -> Json:
    target = network.get("id") or network.get("name")
    if not target:
        raise ValueError("taskSpec.networksAdvanceds: each entry needs an id or a name")
    return _present(
        Target=target,
        Aliases=list(network.get("aliases") or ()),
        DriverOpts=assignments(network.get("driverOpts")),
    )


def _mode(mode: Mapping[str, Any]) -> Json:
    if mode.get("global"):
        return {"Global": {}}
    return {"Replicated": {"Replicas": int((mode.get("replicated") or {}).get("replicas", 1))}}


def _rollout(config: Mapping[str, Any] | None) -> Json:
    if config is None:
        return {}
    return {
        "Parallelism": int(config.get("parallelism", 1)),
        "Delay": _duration(config.get("delay")),
        "FailureAction": config.get("failureAction") or "pause",
        "Monitor": parse_duration(config.get("monitor") or "5s"),
        "MaxFailureRatio": float(config.get("maxFailureRatio") or 0),
        "Order": config.get("order") or "stop-first",
    }


def _port(port: Mapping[str, Any]) -> Json:
    return _present(
        Name=port.get("name"),
        Protocol=port.get("protocol") or "tcp",
        TargetPort=int(port["targetPort"]),
        PublishedPort=_int(port.get("publishedPort")),
        PublishMode=port.get("publishMode") or "ingress",
    )


def _limits(limits: Mapping[str, Any]) -> Json:
    return _present(NanoCPUs=_int(limits.get("nanoCpus")), MemoryBytes=_int(limits.get("memoryBytes")))


def _generic(generic: Mapping[str, Any]) -> list[Json]:
    named = assignments(generic.get("namedResourcesSpecs"))
    discrete = assignments(generic.get("discreteResourcesSpecs"))
    return [{"NamedResourceSpec": {"Kind": kind, "Value": value}} for kind, value in named.items()] + [
        {"DiscreteResourceSpec": {"Kind": kind, "Value": int(value)}} for kind, value in discrete.items()
    ]


def _present(**values: Any) -> Json:
    return {key: value for key, value in values.items() if value not in (None, "", 0, [], {})}


def _map(values: Mapping[str, Any] | None) -> dict[str, str]:
    return {key: str(value) for key, value in (values or {}).items()}


def _int(value: Any) -> int:
    return int(value or 0)


def _duration(value: Any) -> int:
    return parse_duration(value or "0s")
