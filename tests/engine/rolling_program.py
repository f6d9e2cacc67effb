"""A service behind the edge, as tests and measurements want it (wanted.json beside it)."""

import json
from pathlib import Path

import pulumi

from components.base import Identity
from components.containers.container import ConfigFile, ConfigFiles, EnvVar, Limits
from components.containers.handover import Handover, UpstreamSpec
from components.containers.health import HealthCheck, HttpProbe
from components.containers.image import EngineImage, Image
from components.containers.network import Network, NetworkSpec
from components.containers.service import PublishedPort, Service, ServiceSpec, StartFirst, StopFirst
from components.edge.edge import Edge
from components.edge.routes import Answer, Proxy, Route
from components.edge.sites import EdgeSpec, Site
from components.units import Duration

want = json.loads(Path("wanted.json").read_text())


def identity(service: str) -> Identity:
    return Identity(stack=want["name"], system="edge-test", service=service)


network = Network(
    "net", NetworkSpec(name=want["name"], subnet=want.get("subnet")), identity=identity("network")
)
nginx = Image("nginx-image", EngineImage(kind="engine", name=want["nginx"]))
python = Image("app-image", EngineImage(kind="engine", name=want["python"]))
door = Handover(
    "app-door",
    UpstreamSpec(name="app", port=8080, drain=want.get("drain", "5s"), pause=want.get("pause", "0s")),
    image=nginx,
    identity=identity("app"),
)
rollout = (
    StopFirst(**want["stop_first"]) if "stop_first" in want else StartFirst(replicas=want.get("replicas", 1))
)
app = Service(
    "app",
    ServiceSpec(
        identity=identity("app"),
        alias="app",
        command=("python3.11", "/app/echo.py"),
        env=tuple(EnvVar(name=k, value=v) for k, v in want.get("env", {}).items()),
        config=(
            ConfigFiles(
                target="/app", files=(ConfigFile(name="echo.py", text=Path(want["echo"]).read_text()),)
            ),
        ),
        health=HealthCheck(
            probe=HttpProbe(port=8080),
            interval=Duration("1s"),
            retries=3,
            start_period=Duration(want.get("start_period", "5s")),
        ),
        rollout=rollout,
        stop_grace=Duration("5s"),
        limits=Limits(cpus="1"),
    ),
    image=python,
    network=network,
    handover=door if want.get("handover", True) else None,
)
edge = Edge(
    "edge",
    EdgeSpec(
        identity=identity("nginx"),
        publish=(PublishedPort(container=80, host=want["port"]),),
        sites=(
            Site(
                name="web",
                max_body=want.get("max_body", "1m"),
                port=80,
                routes=(
                    Route(path="/", to=Proxy(upstream="app", websocket=True, timeout="20s")),
                    Route(
                        path="/fixed", to=Answer(kind="answer", status=200, text=want.get("answer", "one"))
                    ),
                ),
            ),
        ),
        limits=Limits(cpus="2"),
    ),
    image=nginx,
    network=network,
    upstreams=[door],
)
pulumi.export("app", app.container_names)
pulumi.export("edge", edge.service.container_names)
