"""The ASGI application: the APIs, the control of a rehearsal, the page."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from emulator import control, page
from emulator.api import http
from emulator.api.dispatch import Dispatcher, Service
from emulator.cloud import Cloud
from emulator.services.ecs.api import ECS
from emulator.services.oss.http import Oss
from emulator.services.ram.api import RAM
from emulator.services.sts.api import STS
from emulator.services.vpc.api import VPC

SERVICES: dict[str, Service] = {service.version: service for service in (ECS, RAM, STS, VPC)}


def application(cloud: Cloud, *, token: str = "") -> Starlette:
    """Serves the cloud. Stop serving before the cloud's store is closed.

    token: opens the control API; without one there is none.
    """
    dispatcher = Dispatcher(cloud, SERVICES)

    oss = Oss(cloud)

    async def anything(request: Request) -> Response:
        return await (http.serve(dispatcher, request) if http.is_rpc(request) else oss.serve(request))

    async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
        """What no route is for: buckets and objects, whose names are of any form."""
        await (await oss.serve(Request(scope, receive, send)))(scope, receive, send)

    app = Starlette(
        routes=[
            Route("/", anything, methods=["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]),
            *page.routes(cloud),
            *(control.routes(cloud, token) if token else []),
        ]
    )
    app.router.redirect_slashes = False
    app.router.default = elsewhere
    return app
