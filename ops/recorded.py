"""What a stack's state (`pulumi stack export`) records: its containers, data volumes and public doors."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stacks.outputs import StackOutputs

CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"
NETWORK = "docker:index/network:Network"
STACK = "pulumi:pulumi:Stack"
SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key of Pulumi's special values, such as secrets (pulumi, sdk/go/common/resource/sig)."""


@dataclass(frozen=True, kw_only=True)
class Membership:
    """A network that a container joins, by name or id, and the names that others find it under there."""

    network: str
    aliases: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A container as the stack's state has it.

    stays: it runs until told to stop, unlike a one-shot job. starts: False for one that only carries files.
    """

    urn: str = ""
    id: str
    name: str
    service: str
    image: str
    stays: bool
    starts: bool
    networks: tuple[Membership, ...] = ()
    system: str | None = None


@dataclass(frozen=True, kw_only=True)
class DataVolume:
    """A volume that outlives its containers (protected or retained), and how an empty one is made by hand.

    folder: of the host, where the volume is no more than a name for it.
    """

    name: str
    command: str
    folder: str | None = None


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where a system answers, and the paths to ask there. authority: whose certificate (PEM) it must have.

    untrusted: its certificate is one that cannot be checked.
    """

    system: str
    url: str
    paths: tuple[str, ...]
    authority: str | None = None
    untrusted: bool = False


def resources(exported: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The resources of a state, without those that only wait for their deletion."""
    for resource in (exported.get("deployment") or {}).get("resources") or []:
        if not resource.get("delete"):
            yield resource


def systems(exported: Mapping[str, Any]) -> set[str]:
    """The systems that own anything in a state, by the labels of what they own."""
    return {
        str(label["value"])
        for resource in resources(exported)
        for label in (resource.get("inputs") or {}).get("labels") or []
        if isinstance(label, dict) and label.get("label") == "berth.system"
    }


def containers(exported: Mapping[str, Any]) -> list[Recorded]:
    """The containers in a state, in a stable order."""
    found = []
    for resource in resources(exported):
        if resource.get("type") != CONTAINER:
            continue
        outputs = resource.get("outputs") or {}
        labels = {label["label"]: label["value"] for label in outputs.get("labels") or []}
        # The inputs: a refresh writes into the outputs what is there, not what should be.
        joined = (resource.get("inputs") or {}).get("networksAdvanced") or []
        found.append(
            Recorded(
                urn=resource["urn"],
                id=str(resource.get("id") or ""),
                name=str(outputs.get("name") or ""),
                service=labels.get("berth.service") or resource["urn"].rpartition("::")[2],
                image=str(outputs.get("image") or ""),
                stays=outputs.get("mustRun", True) is not False,
                starts=outputs.get("start", True) is not False,
                networks=tuple(
                    Membership(
                        network=str(network["name"]),
                        aliases=frozenset(map(str, network.get("aliases") or [])),
                    )
                    for network in joined
                ),
                system=labels.get("berth.system") or None,
            )
        )
    return sorted(found, key=lambda container: (container.service, container.name))


def ids(exported: Mapping[str, Any]) -> dict[str, str]:
    """The id of each container in a state, by its name."""
    return {container.name: container.id for container in containers(exported)}


def data_volumes(exported: Mapping[str, Any]) -> list[DataVolume]:
    """The volumes that a plain destroy leaves alone: protected or retained."""
    found = []
    for resource in resources(exported):
        if resource.get("type") != VOLUME or not (resource.get("protect") or resource.get("retainOnDelete")):
            continue
        outputs = resource.get("outputs") or {}
        words = ["docker", "volume", "create", "--driver", str(outputs.get("driver") or "local")]
        for label in outputs.get("labels") or []:
            words += ["--label", f"{label['label']}={label['value']}"]
        options = outputs.get("driverOpts") or {}
        for key, value in options.items():
            words += ["--opt", f"{key}={value}"]
        name = str(resource["id"])
        bound = "bind" in str(options.get("o") or "").split(",")
        folder = str(options["device"]) if bound and options.get("device") else None
        found.append(DataVolume(name=name, command=shlex.join([*words, name]), folder=folder))
    return sorted(found, key=lambda volume: volume.name)


def networks(exported: Mapping[str, Any]) -> dict[str, str]:
    """The name of each network in a state, by its id."""
    return {
        str(resource.get("id")): str((resource.get("outputs") or {}).get("name") or resource.get("id"))
        for resource in resources(exported)
        if resource.get("type") == NETWORK
    }


def doors(exported: Mapping[str, Any]) -> list[Door]:
    """The public addresses that the stack exports; none where an `up` has not come that far."""
    found = outputs(exported)
    return [
        Door(
            system=name,
            url=system.url,
            paths=tuple(dict.fromkeys(["/health", *system.checks])),
            authority=system.authority,
            untrusted=system.untrusted,
        )
        for name, system in (found.systems if found else {}).items()
        if system.url
    ]


def unmade(exported: Mapping[str, Any]) -> list[tuple[str | None, str]]:
    """What an `up` that ended early did not come to: its system, if that is known, and a line."""
    found = outputs(exported)
    if found is None:
        return [(None, "the last up ended before it was done: the stack exports nothing yet")]
    names = {container.name for container in containers(exported)}
    return [
        (name, f"{service} ({container}): not made yet")
        for name, system in found.systems.items()
        for service, described in system.services.items()
        for container in described.containers
        if container not in names
    ]


def outputs(exported: Mapping[str, Any]) -> StackOutputs | None:
    """What the stack exports; None where an `up` has not come that far, or another version made it."""
    stack = next((found for found in resources(exported) if found.get("type") == STACK), {})
    try:
        return StackOutputs.parse(stack.get("outputs") or {})
    except (KeyError, TypeError):
        return None
