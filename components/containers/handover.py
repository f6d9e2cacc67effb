"""Handing requests over from one container to the next without losing one. How: docs/handover.md."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import pulumi
import pulumi_docker as docker
from pydantic import Field

from components.base import Component, Identity
from components.containers.container import ContainerSpec
from components.containers.files import carrier
from components.containers.image import Image
from components.containers.mounts import NamedMount
from components.containers.step import Step
from components.spec import Spec
from components.units import DnsName, Duration, Port

if TYPE_CHECKING:
    from components.containers.service import Service

STATE: Final = "/run/handover"
"""Where a replica tells the edge that it leaves, and the edge tells what it serves."""

_SLOTS: Final = "/slots"


class UpstreamSpec(Spec):
    """A service as an edge sees it: its replicas, and how they are taken out and in."""

    name: DnsName
    port: Port
    keepalive: Annotated[int, Field(ge=0, le=1024)] = 32
    """Idle connections that each nginx process keeps open to the replicas."""
    idle: Duration = Duration("1s")
    """After that an idle connection is closed: before the service does it, while a request is on its way.
    gunicorn does after 2 s, Node and uvicorn after 5 s."""
    connect_timeout: Duration = Duration("1s")
    balance: Literal["round-robin", "least-conn", "ip-hash"] = "round-robin"
    drain: Duration = Duration("30s")
    """How long a replica that was taken out may go on with its requests and WebSockets before SIGTERM."""
    pause: Duration = Duration("0s")
    """Between a replica that serves and the next one that is replaced."""


class Handover(Component):
    """Made before the service that it is given to (`Service(handover=...)`) and the edge (`upstreams=[...]`).

    image: the edge's own; a container of it waits, after each replica, until the edge serves that replica.
    """

    kind = "containers:Handover"

    def __init__(
        self,
        name: str,
        spec: UpstreamSpec,
        *,
        image: Image,
        identity: Identity,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=opts)
        self.spec, self._image, self._identity = spec, image, identity
        self._alias = ""
        self.service: Service | None = None
        """The one that this was given to."""
        self._slots = docker.Volume(
            f"{name}-slots",
            driver="local",
            labels=self._labels(),
            opts=self.child(delete_before_replace=False),
        ).name
        self._state = state_volume(f"{name}-state", identity, opts=self.child())
        self.register_outputs({})

    def around(self, spec: ContainerSpec, args: dict[str, Any]) -> dict[str, Any]:
        """A replica's inputs, its command in a process that leaves the edge before it passes SIGTERM on."""
        if not spec.command:
            raise ValueError(
                f"{self.name}: {spec.alias} has no command; allowed: the image's own, written out, because a "
                "process that hands over is started before it"
            )
        self._alias = spec.alias
        drain = self.spec.drain.whole_seconds
        grace = drain + spec.stop_grace.whole_seconds
        return args | {
            "entrypoints": ["sh", "-c", _script("leave"), "leave", str(drain)],
            "command": [*spec.entrypoint, *spec.command],
            "mounts": [*args["mounts"], self.state_mount(STATE).args()],
            "stop_timeout": grace,
            "destroy_grace_seconds": grace,
        }

    def serve(
        self, container: docker.Container, number: int, *, last: bool
    ) -> list[pulumi.Input[pulumi.Resource]]:
        """Tell the edge to serve this replica; the results exist once it does, and after the pause."""
        slot = f"{self.name}-{number}"
        listed = carrier(
            slot,
            {
                f"{_SLOTS}/{number}": container.name.apply(
                    lambda name: f"{name} {self._alias} {self.spec.port}\n"
                )
            },
            mount=docker.ContainerMountArgs(type="volume", source=self._slots, target=_SLOTS),
            image=self._image.reference,
            identity=self._identity,
            opts=self.child(delete_before_replace=False),
        )
        pause = 0 if last else self.spec.pause.whole_seconds
        step = Step(
            f"{slot}-served",
            entrypoint=["sh", "-c", _script("served"), "served"],
            command=[container.name, str(pause)],
            image=self._image,
            identity=self._identity,
            mounts=[self.state_mount(STATE, read_only=True)],
            trigger=listed.name,
            opts=self.child(),
        )
        return step.done

    def slots_mount(self, target: str) -> NamedMount:
        """The names of the replicas, for the edge."""
        return NamedMount(source=self._slots, target=target, read_only=True)

    def state_mount(self, target: str, *, read_only: bool = False) -> NamedMount:
        """What replicas and edge tell each other."""
        return NamedMount(source=self._state, target=target, read_only=read_only)

    def _labels(self) -> list[docker.VolumeLabelArgs]:
        return [docker.VolumeLabelArgs(label=k, value=v) for k, v in self._identity.labels().items()]


def state_volume(name: str, identity: Identity, *, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """A volume in memory that all users of its containers may write: gone with the last of them."""
    volume: pulumi.Output[str] = docker.Volume(
        name,
        driver="local",
        driver_opts={"type": "tmpfs", "device": "tmpfs", "o": "size=1m,mode=0777,noexec,nosuid,nodev"},
        labels=[docker.VolumeLabelArgs(label=k, value=v) for k, v in identity.labels().items()],
        opts=opts,
    ).name
    return volume


def _script(name: str) -> str:
    return Path(__file__).with_name(f"{name}.sh").read_text(encoding="utf-8")
