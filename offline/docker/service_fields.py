"""How each input of a swarm service behaves, after the official provider.

docs/docker-plugin.md lists every difference with its reason, and tests/unit/test_plugin_official.py holds
us to that list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from offline.docker.container_units import same_duration
from offline.provider.resource import Field


def _same_ratio(old: Any, new: Any) -> bool:
    try:
        return float(old or 0) == float(new or 0)
    except ValueError:
        return False


def _same_image(old: Any, new: Any) -> bool:
    """The official provider pins a tag to the digest it had; the tag still names that image."""
    return bool(old == new or ("@" not in str(new) and str(old).partition("@")[0] == new))


def _same_ports(old: Any, new: Any) -> bool:
    rest = [_port(port) for port in old or ()]
    for wanted in sorted((_port(port) for port in new or ()), key=lambda port: not port[-1]):
        match = next((p for p in rest if p[:-1] == wanted[:-1] and wanted[-1] in (0, p[-1])), None)
        if match is None:
            return False
        rest.remove(match)
    return not rest


def _port(port: Mapping[str, Any]) -> tuple[int, str, str, str, int]:
    return (
        int(port["targetPort"]),
        port.get("protocol") or "tcp",
        port.get("publishMode") or "ingress",
        port.get("name") or "",
        int(port.get("publishedPort") or 0),
    )


_UPDATE: Final = Field()
_COMPUTED: Final = Field(computed=True)
_REPLACE: Final = Field(replace=True)
_SET: Final = Field(unordered=True)
_DURATION: Final = Field(same=same_duration)
_DURATION_0S: Final = Field(default="0s", same=same_duration)
_REPLACED_LABELS: Final = Field(unordered=True, nested={"label": _REPLACE, "value": _REPLACE})
_FILE: Final = {
    "fileGid": Field(default="0"),
    "fileMode": Field(default=0o444),
    "fileName": _UPDATE,
    "fileUid": Field(default="0"),
}
_ROLLOUT: Final = {
    "delay": _DURATION_0S,
    "failureAction": Field(default="pause"),
    "maxFailureRatio": Field(default="0.0", same=_same_ratio),
    "monitor": Field(default="5s", same=same_duration),
    "order": Field(default="stop-first"),
    "parallelism": Field(default=1),
}
_MOUNT: Final = {
    "bindOptions": Field(nested={"propagation": Field(default="rprivate")}),
    "readOnly": _UPDATE,
    "source": _UPDATE,
    "target": _UPDATE,
    "tmpfsOptions": Field(nested={"mode": _UPDATE, "sizeBytes": _UPDATE}),
    "type": _UPDATE,
    "volumeOptions": Field(
        nested={
            "driverName": _UPDATE,
            "driverOptions": _UPDATE,
            # not replaced, as any other part of a mount: a new task mounts what is asked for
            "labels": Field(unordered=True, nested={"label": _UPDATE, "value": _UPDATE}),
            "noCopy": _UPDATE,
        }
    ),
}
_CONTAINER: Final = {
    "args": _UPDATE,
    "capAdds": _UPDATE,
    "capDrops": _UPDATE,
    "commands": _UPDATE,
    "configs": Field(unordered=True, nested={"configId": _UPDATE, "configName": _UPDATE, **_FILE}),
    "dir": _UPDATE,
    "dnsConfig": Field(
        computed=True, nested={"nameservers": _UPDATE, "options": _UPDATE, "searches": _UPDATE}
    ),
    "env": _UPDATE,
    "groups": _UPDATE,
    "healthcheck": Field(
        computed=True,
        nested={
            "interval": _DURATION_0S,
            "retries": Field(default=0),
            "startPeriod": _DURATION_0S,
            "tests": _UPDATE,
            "timeout": _DURATION_0S,
        },
    ),
    "hostname": _UPDATE,
    "hosts": Field(replace=True, unordered=True, nested={"host": _REPLACE, "ip": _REPLACE}),
    "image": Field(same=_same_image),
    "init": _COMPUTED,
    "isolation": Field(default="default"),
    "labels": _REPLACED_LABELS,
    "mounts": Field(unordered=True, nested=_MOUNT),
    "privileges": Field(
        nested={
            "credentialSpec": Field(nested={"file": _UPDATE, "registry": _UPDATE}),
            "seLinuxContext": Field(
                nested={
                    "disable": _UPDATE,
                    "level": _UPDATE,
                    "role": _UPDATE,
                    "type": _UPDATE,
                    "user": _UPDATE,
                }
            ),
        }
    ),
    "readOnly": _UPDATE,
    "secrets": Field(unordered=True, nested={"secretId": _UPDATE, "secretName": _UPDATE, **_FILE}),
    "stopGracePeriod": Field(computed=True, same=same_duration),
    "stopSignal": _UPDATE,
    "sysctl": _REPLACE,
    "user": _UPDATE,
}
_LIMITS: Final = {"memoryBytes": _UPDATE, "nanoCpus": _UPDATE}
_GENERIC: Final = Field(nested={"discreteResourcesSpecs": _SET, "namedResourcesSpecs": _SET})
_TASK: Final = {
    "containerSpec": Field(nested=_CONTAINER),
    "forceUpdate": _COMPUTED,
    "logDriver": Field(nested={"name": _UPDATE, "options": _UPDATE}),
    "networksAdvanceds": Field(
        unordered=True,
        nested={
            "aliases": Field(replace=True, unordered=True),
            "driverOpts": Field(replace=True, unordered=True),
            "id": _REPLACE,
            "name": _REPLACE,
        },
    ),
    "placement": Field(
        computed=True,
        nested={
            "constraints": _SET,
            "maxReplicas": _UPDATE,
            "platforms": Field(unordered=True, nested={"architecture": _UPDATE, "os": _UPDATE}),
            "prefs": _SET,
        },
    ),
    "resources": Field(
        computed=True,
        nested={
            "limits": Field(nested=_LIMITS),
            "reservation": Field(nested={**_LIMITS, "genericResources": _GENERIC}),
        },
    ),
    "restartPolicy": Field(
        computed=True,
        nested={"condition": _UPDATE, "delay": _DURATION, "maxAttempts": _UPDATE, "window": _DURATION},
    ),
    "runtime": _COMPUTED,
}

FIELDS: Final[Mapping[str, Field]] = {
    "auth": Field(
        replace=True, nested={"password": _REPLACE, "serverAddress": _REPLACE, "username": _REPLACE}
    ),
    "convergeConfig": Field(
        nested={
            "delay": Field(default="7s", same=same_duration),
            "timeout": Field(default="3m", same=same_duration),
        }
    ),
    "endpointSpec": Field(
        computed=True,
        nested={
            "mode": _COMPUTED,
            "ports": Field(
                same=_same_ports,
                nested={
                    "name": _UPDATE,
                    "protocol": Field(default="tcp"),
                    "publishMode": Field(default="ingress"),
                    "publishedPort": _COMPUTED,
                    "targetPort": _UPDATE,
                },
            ),
        },
    ),
    "labels": Field(computed=True, unordered=True, nested={"label": _UPDATE, "value": _UPDATE}),
    "mode": Field(
        computed=True,
        nested={
            "global": Field(replace=True, default=False),
            "replicated": Field(computed=True, nested={"replicas": Field(default=1)}),
        },
    ),
    "name": _REPLACE,
    "rollbackConfig": Field(nested=_ROLLOUT),
    "taskSpec": Field(nested=_TASK),
    "updateConfig": Field(nested=_ROLLOUT),
}
