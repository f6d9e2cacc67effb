"""The ASGI application: the APIs, the control of a rehearsal, the page."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from emulator.api import http
from emulator.api.dispatch import Dispatcher, Service
from emulator.cloud import Cloud
from emulator.services.sts.api import STS
from emulator.services.vpc.api import VPC

SERVICES: dict[str, Service] = {service.version: service for service in (STS, VPC)}


def application(cloud: Cloud) -> Starlette:
    """Serves the cloud. Stop serving before the cloud's store is closed."""
    dispatcher = Dispatcher(cloud, SERVICES)

    async def anything(request: Request) -> Response:
        return await http.serve(dispatcher, request)

    return Starlette(routes=[Route("/", anything, methods=["GET", "POST"])])
