"""The provider's service: the server that all plugins share, with what this one serves."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Final

from offline.docker import schema
from offline.docker.config import CONFIG, read_config
from offline.docker.engine import Engine
from offline.docker.failure import explain
from offline.provider import server, values
from offline.provider.resource import CheckFailure, Field, Resource, ResourceError
from offline.provider.server import Function
from offline.provider.values import Secret

RESOURCES: Final = {
    "docker:index/container:Container": "container:Container",
    "docker:index/image:Image": "image:Image",
    "docker:index/network:Network": "network:Network",
    "docker:index/remoteImage:RemoteImage": "remote_image:RemoteImage",
    "docker:index/service:Service": "service:Service",
    "docker:index/tag:Tag": "tag:Tag",
    "docker:index/volume:Volume": "volume:Volume",
}
FUNCTIONS: Final = {
    "docker:index/getLogs:getLogs": "functions:get_logs",
    "docker:index/getNetwork:getNetwork": "functions:get_network",
    "docker:index/getRemoteImage:getRemoteImage": "functions:get_remote_image",
}


def resource(token: str) -> Resource:
    """The resource of a type token. Raises ResourceError for a type that is not served."""
    if token not in RESOURCES:
        known = token in schema.load()["resources"]
        raise ResourceError(
            f"{token} is {'not served by this plugin' if known else 'no type of the docker provider'}",
            fix=f"install the official docker plugin, or use one of {', '.join(sorted(RESOURCES))}",
        )
    served: type[Resource] = _named(RESOURCES[token])
    return served()


def function(token: str) -> Function:
    """The function of a token. Raises ResourceError for one that is not served."""
    if token not in FUNCTIONS:
        known = token in schema.load()["functions"]
        raise ResourceError(
            f"{token} is {'not served by this plugin' if known else 'no function of the docker provider'}",
            fix=f"install the official docker plugin, or use one of {', '.join(sorted(FUNCTIONS))}",
        )
    found: Function = _named(FUNCTIONS[token])
    return found


def _named(place: str) -> Any:
    module, name = place.split(":")
    return getattr(importlib.import_module(f"offline.docker.{module}"), name)


class Provider(server.Provider):
    """Serves the containers, images, networks and volumes of one Docker engine."""

    name = "docker"
    document: Any = schema
    config: Mapping[str, Field] = CONFIG

    def __init__(self, engine_address: str | None = None) -> None:
        super().__init__(engine_address)
        self.engine = Engine({})

    def resource(self, token: str) -> Resource:
        return resource(token)

    def function(self, token: str) -> Function:
        return function(token)

    def read_config(self, given: dict[str, Any]) -> tuple[dict[str, Any], list[CheckFailure]]:
        return read_config(given)

    def connect(self, config: dict[str, Any]) -> None:
        # the SDK hands the list on as one JSON text: the mark is on that, not on the passwords in it
        for auth in config.get("registryAuth", []):
            values.reveal(Secret(auth.get("password")), self.secrets)
        self.engine = Engine(config)

    def explain(self, error: BaseException) -> str:
        return explain(error)
