"""A Docker network."""

# ruff: noqa: ARG002 - every resource has the same operations

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from offline.docker.engine import root_cause
from offline.docker.foreign import overlap, warn_of_network
from offline.docker.labels import LABELS, from_docker, to_docker
from offline.docker.taken import taken
from offline.provider.resource import (
    UNKNOWN,
    CheckFailure,
    Context,
    Field,
    Inputs,
    PartialCreate,
    Resource,
    ResourceError,
    State,
)

if TYPE_CHECKING:
    from docker import APIClient

_REMOVAL_SECONDS: Final = 30.0  # how long the official provider waits for containers to leave
_POLL: Final = 0.5
_REPLACE: Final = Field(replace=True)
_ENGINES_OWN: Final = ("bridge", "host", "none")


class Network(Resource):
    """docker:index/network:Network. Nothing about a network can change in place."""

    type: ClassVar[str] = "docker:index/network:Network"
    schema_version: ClassVar[int] = 1
    fields: ClassVar[Mapping[str, Field]] = {
        "name": _REPLACE,
        "labels": LABELS,
        "driver": Field(replace=True, computed=True),
        "options": Field(replace=True, computed=True),
        "internal": Field(replace=True, computed=True),
        "attachable": _REPLACE,
        "ingress": _REPLACE,
        "ipv6": _REPLACE,
        "ipamDriver": Field(replace=True, default="default"),
        "ipamOptions": _REPLACE,
        "ipamConfigs": Field(
            replace=True,
            computed=True,
            unordered=True,
            nested={
                "subnet": _REPLACE,
                "ipRange": _REPLACE,
                # Newer engines report the gateway that they chose themselves.
                "gateway": Field(replace=True, computed=True),
                "auxAddress": _REPLACE,
            },
        ),
    }

    def check(self, ctx: Context, olds: Inputs, news: Inputs) -> tuple[Inputs, list[CheckFailure]]:
        if news.get("name") in _ENGINES_OWN:
            reason = f"'{news['name']}' belongs to the engine; choose another name, or join it by that one"
            return news, [CheckFailure(property="name", reason=reason)]
        return news, []

    def create(self, ctx: Context, inputs: Inputs) -> tuple[str, State]:
        from docker.errors import DockerException

        api = ctx.engine.api
        name = inputs["name"]
        # The API makes a second network of the same name gladly; nothing that joins by name would know which
        # it gets.
        for other in api.networks(names=[name]):
            if other["Name"] == name:
                raise taken(ctx, self.type, name, id=other["Id"], labels=other.get("Labels"))
        made = _made(api, name, inputs)
        try:
            return made["Id"], _state(api.inspect_network(made["Id"]))
        except (OSError, DockerException) as error:
            raise PartialCreate(
                f"network '{name}' is made, but the engine did not answer afterwards: {root_cause(error)}",
                id=made["Id"],
                state=dict(inputs),
                fix="run `pulumi refresh`, then repeat the command",
            ) from error

    def read(self, ctx: Context, id: str, inputs: Inputs, state: State) -> tuple[str, Inputs, State] | None:
        found = _inspect(ctx.engine.api, id)
        if found is None:
            return None
        state = _state(found)
        kept = {name: state[name] for name in inputs if name in state and name in self.fields}
        return found["Id"], (kept if inputs else _inputs(state)), state

    def delete(self, ctx: Context, id: str, state: State) -> None:
        from docker.errors import APIError, NotFound

        api = ctx.engine.api
        deadline = time.monotonic() + (ctx.timeout or _REMOVAL_SECONDS)
        while True:
            try:
                api.remove_network(id)
            except NotFound:
                return
            except APIError as error:
                if "has active endpoints" not in str(error).lower() or time.monotonic() > deadline:
                    raise ResourceError(
                        f"network '{state.get('name', id)}' cannot be removed: {error.explanation}",
                        fix=_who_holds(_inspect(api, id)),
                    ) from error
                ctx.log("waiting for the last container to leave")
                if ctx.cancelled.wait(_POLL):
                    raise ResourceError("cancelled while containers were still in the network") from error
            else:
                return

    def foresee(self, ctx: Context, inputs: Inputs) -> None:
        warn_of_network(ctx, inputs)

    def preview(self, ctx: Context, inputs: Inputs) -> State:
        # The engine adds nothing to a driver and options that are given, but decides when they are not.
        return {"internal": inputs.get("internal", False), "driver": inputs.get("driver", UNKNOWN), **inputs}


def _made(api: APIClient, name: str, inputs: Inputs) -> dict[str, Any]:
    from docker.errors import APIError

    options: dict[str, Any] = {
        "driver": inputs.get("driver") or None,
        "options": inputs.get("options") or None,
        "ipam": _ipam(inputs),
        "check_duplicate": True,
        "internal": bool(inputs.get("internal")),
        "labels": to_docker(inputs.get("labels")) or None,
        "enable_ipv6": bool(inputs.get("ipv6")),
        "attachable": True if inputs.get("attachable") else None,
        "ingress": True if inputs.get("ingress") else None,
    }
    try:
        return dict(api.create_network(name, **options))
    except APIError as error:
        if "overlap" not in str(error.explanation).lower():
            raise
        met = [
            f"{pair[0]} overlaps {pair[1]} of network '{other['Name']}'"
            for other in api.networks()
            if (pair := overlap(inputs, other))
        ]
        raise ResourceError(
            f"network '{name}' cannot be made: {'; '.join(met) or error.explanation}",
            fix="choose another subnet, or remove that network (docker network rm NAME)",
        ) from error


def _ipam(inputs: Inputs) -> dict[str, Any]:
    return {
        "Driver": inputs.get("ipamDriver") or "default",
        "Config": [
            {wire: value for wire, name in _IPAM.items() if (value := config.get(name))}
            for config in inputs.get("ipamConfigs") or []
        ],
        "Options": inputs.get("ipamOptions") or {},
    }


_IPAM: Final = {
    "Subnet": "subnet",
    "IPRange": "ipRange",
    "Gateway": "gateway",
    "AuxiliaryAddresses": "auxAddress",
}


def _state(found: Mapping[str, Any]) -> State:
    ipam = found.get("IPAM") or {}
    return {
        "name": found["Name"],
        "labels": from_docker(found.get("Labels")),
        "driver": found["Driver"],
        "options": found.get("Options") or {},
        "internal": found["Internal"],
        "attachable": found["Attachable"],
        "ingress": found["Ingress"],
        "ipv6": found["EnableIPv6"],
        "ipamDriver": ipam.get("Driver"),
        "ipamOptions": ipam.get("Options") or {},
        "ipamConfigs": [
            {name: value for wire, name in _IPAM.items() if (value := config.get(wire))}
            for config in ipam.get("Config") or []
        ],
        "scope": found["Scope"],
    }


def _inputs(state: State) -> Inputs:
    """Inputs that describe an imported network: what differs from absence."""
    return {
        name: value
        for name, value in state.items()
        if name in Network.fields and value not in ("", False, [], {})
    }


def _inspect(api: APIClient, id: str) -> dict[str, Any] | None:
    from docker.errors import NotFound

    try:
        found: dict[str, Any] = api.inspect_network(id)
    except NotFound:
        return None
    return found


def _who_holds(found: Mapping[str, Any] | None) -> str:
    names = sorted(c.get("Name") or id[:12] for id, c in ((found or {}).get("Containers") or {}).items())
    return f"stop or disconnect {', '.join(names)}" if names else "repeat the command"
