"""What `docker compose up` does with a service that changed, to compare with: all at once, told by nobody."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import docker
from docker.models.containers import Container

# The service is the child of what leaves the edge for it (leave.sh), which is the child of docker-init.
_STOP = """
child() {
    for stat in /proc/[0-9]*/stat; do
        read -r pid _ _ parent _ <"$stat" && [ "$parent" = "$1" ] && echo "$pid"
    done
}
kill -TERM $(child "$(child 1)")
"""
_PATIENCE = 120


@dataclass
class Recreated:
    """The new containers, which the stack does not know: they are to be removed."""

    containers: list[Container]

    def remove(self) -> None:
        for container in self.containers:
            container.remove(force=True)


def recreate(
    engine: docker.DockerClient, replicas: Sequence[Container], change: Mapping[str, Any]
) -> Recreated:
    """Stops the service in each container, as without a handover: the edge learns of it when it is gone. Then
    the new ones, which differ by `change` in what the engine calls Config, until they are healthy."""
    made = Recreated([])

    def one(replica: Container) -> None:
        new = _in_place_of(engine, replica, change)
        made.containers.append(new)
        until = time.monotonic() + _PATIENCE
        while engine.api.inspect_container(new.id)["State"]["Health"]["Status"] != "healthy":
            if time.monotonic() > until:
                raise RuntimeError(f"{new.name} did not become healthy")
            time.sleep(0.2)
        replica.remove(v=False)

    try:
        with ThreadPoolExecutor(len(replicas)) as threads:
            list(threads.map(one, replicas))
    except BaseException:
        made.remove()
        raise
    return made


def _in_place_of(engine: docker.DockerClient, replica: Container, change: Mapping[str, Any]) -> Container:
    given = engine.api.inspect_container(replica.id)
    name = given["Name"].lstrip("/")
    networks = {
        network: {
            "Aliases": [alias for alias in at["Aliases"] or () if alias != replica.short_id],
            "IPAMConfig": at["IPAMConfig"],
        }
        for network, at in given["NetworkSettings"]["Networks"].items()
    }
    (network,) = networks
    config = {**given["Config"], **change, "HostConfig": {**given["HostConfig"], "NetworkMode": network}}
    del config["Hostname"]
    replica.update(restart_policy={"Name": "no"})
    code, output = replica.exec_run(["sh", "-c", _STOP])
    if code:
        raise RuntimeError(f"{name} cannot be stopped: {output.decode()}")
    replica.wait(timeout=_PATIENCE)
    replica.rename(f"{name}-old")
    made = engine.api.create_container_from_config(
        config | {"NetworkingConfig": {"EndpointsConfig": networks}}, name
    )
    engine.api.start(made["Id"])
    return engine.containers.get(made["Id"])
