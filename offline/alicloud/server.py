"""The provider's service: the server that all plugins share, with what this one serves."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Mapping
from typing import Any

from offline.alicloud import schema
from offline.alicloud.api import Api
from offline.alicloud.config import CONFIG, SECRETS, completed, read_config, settings
from offline.alicloud.credentials import credential
from offline.alicloud.failure import explain
from offline.alicloud.served import FUNCTIONS, RESOURCES
from offline.provider import server, values
from offline.provider.resource import CheckFailure, Field, Resource, ResourceError
from offline.provider.server import Function
from offline.provider.values import Secret


def resource(token: str) -> Resource:
    """The resource of a type token. Raises ResourceError for a type that is not served."""
    if token not in RESOURCES:
        known = schema.is_resource(token)
        raise ResourceError(
            f"{token} is {'not served by this plugin' if known else 'no type of the alicloud provider'}",
            fix=f"install the official alicloud plugin, or use one of {', '.join(sorted(RESOURCES))}",
        )
    served: type[Resource] = _named(RESOURCES[token])
    return served()


def function(token: str) -> Function:
    """The function of a token. Raises ResourceError for one that is not served."""
    if token not in FUNCTIONS:
        known = schema.is_function(token)
        raise ResourceError(
            f"{token} is {'not served by this plugin' if known else 'no function of the alicloud provider'}",
            fix=f"install the official alicloud plugin, or use one of {', '.join(sorted(FUNCTIONS))}",
        )
    found: Function = _named(FUNCTIONS[token])
    return found


def _named(place: str) -> Any:
    module, name = place.split(":")
    return getattr(importlib.import_module(f"offline.alicloud.{module}"), name)


class Provider(server.Provider):
    """Serves the resources of one account in one region."""

    name = "alicloud"
    document: Any = schema
    config: Mapping[str, Field] = CONFIG

    def resource(self, token: str) -> Resource:
        return resource(token)

    def function(self, token: str) -> Function:
        return function(token)

    def read_config(self, given: dict[str, Any]) -> tuple[dict[str, Any], list[CheckFailure]]:
        return read_config(given)

    def connect(self, config: dict[str, Any]) -> None:
        if importlib.util.find_spec("alibabacloud_tea_openapi") is None:
            raise ResourceError(
                "the SDKs of Alibaba Cloud are not installed in .venv",
                fix="./berth cloud status installs them (requirements-cloud.lock)",
            )
        full = completed(config, os.environ)
        for name in SECRETS:  # those from the environment or a profile carry no mark
            values.reveal(Secret(full.get(name)), self.secrets)
        reached = settings(full)
        self.engine = Api(
            reached, lambda: credential(full, reached), account=str(full.get("accountId") or "")
        )

    def explain(self, error: BaseException) -> str:
        return explain(error)
