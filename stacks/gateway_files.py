"""The texts of the gateway's config files, from its settings; workloads/README.md has their formats."""

from __future__ import annotations

from typing import Any

import yaml

from stacks.gateway_settings import GatewayService, ProcessorService

CONFIG = "/app/config"
DATA = "/data"
DRAIN_SECONDS = 3
"""A stopping processor says so for this long before it closes its port, so that the gateway leaves it."""
STOP_SECONDS = 8
"""Then it gives its running jobs this long, and the others back to the queue."""


def services_yaml(gateway: GatewayService, processor_url: str) -> str:
    """services.yaml of the gateway: its routes to the processor."""
    service = {
        "name": "douyin-processor",
        "base_url": processor_url,
        "timeout": float(gateway.timeout.seconds),
        "routes": [route.model_dump() for route in gateway.routes],
    }
    return _text({"services": [service]})


def app_yaml(processor: ProcessorService, files_url: str, result_url: str) -> str:
    """app.yaml of the processor. result_url: the path, with `{id}`, under which clients find results."""
    app = {
        "host": "0.0.0.0",  # noqa: S104  (inside its container)
        "port": 8093,
        "data_dir": DATA,
        "filesystem": {"base_url": files_url, "timeout": float(processor.file_timeout.seconds)},
        "workers": processor.workers,
        "drain": DRAIN_SECONDS,
        "stop_grace": STOP_SECONDS,
        "result_url": result_url,
    }
    return _text({"app": app})


def result_url(gateway: GatewayService) -> str:
    """The public path of results: that of the route which leads to the processor's results."""
    for route in gateway.routes:
        if route.method == "GET" and route.target == "/api/videos/{id}/result":
            return route.path
    return "/api/videos/{id}/result"


def checks(gateway: GatewayService, *, processor_here: bool) -> list[str]:
    """The public paths that answer 2xx when all is well, as stacks.outputs.SystemOutputs has them.

    Of the routes only those to the processor's own health: what others need and answer is not known here.
    A processor elsewhere may come up later than its gateway, which must not fail for it.
    """
    through = [route.path for route in gateway.routes if (route.method, route.target) == ("GET", "/health")]
    return ["/health", *(path for path in through if processor_here and "{" not in path)]


def _text(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, width=120)
