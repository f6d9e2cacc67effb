"""The edge: nginx before the services of a system."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

import pulumi

from components.base import Component
from components.containers.container import ConfigFile, ConfigFiles, Hardening, SecretFile
from components.containers.handover import STATE, Handover, state_volume
from components.containers.health import CommandProbe, HealthCheck
from components.containers.image import Image
from components.containers.mounts import NamedMount, Tmpfs, VolumeMount
from components.containers.network import AnyNetwork
from components.containers.service import Dependency, Service, ServiceSpec, Started, StopFirst
from components.containers.step import Step
from components.edge.acme import Acme
from components.edge.certificate import check_certificate
from components.edge.config import nginx_conf
from components.edge.sites import HEALTH_PORT, EdgeSpec
from components.units import Duration, Memory

_CONFIG: Final = "/etc/edge/config"
_BIN: Final = "/etc/edge/bin"
_STATE: Final = "/run/edge-state"
_HEALTH: Final = f"http://127.0.0.1:{HEALTH_PORT}/health"


class Edge(Component):
    """nginx as `{name}-nginx-1`. Its configuration and certificates change in place, its image does not.

    upstreams: all that a route names, made before their services. certificates: PEM texts (key, leaf, chain)
    by name; one that has expired or does not match its key raises ValueError. acme: brings one by itself.
    image: the reference image `nginx`, or the official one. further: networks beside the services'.
    `ready`: what waits for the edge to serve its configuration waits for these.
    """

    kind = "edge:Edge"

    def __init__(
        self,
        name: str,
        spec: EdgeSpec,
        *,
        image: Image,
        network: AnyNetwork,
        upstreams: Sequence[Handover] = (),
        certificates: Mapping[str, pulumi.Input[str]] | None = None,
        acme: Acme | None = None,
        volumes: Sequence[VolumeMount | NamedMount] = (),
        after: Sequence[Dependency] = (),
        further: Sequence[AnyNetwork] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        text = nginx_conf(spec, [upstream.spec for upstream in upstreams])
        pems = _checked(spec, certificates or {}, [acme.spec.certificate] if acme else [])
        super().__init__(name, opts=opts)
        self.spec = spec
        state = state_volume(f"{name}-state", spec.identity, opts=self.child())
        mounts: list[VolumeMount | NamedMount] = [*volumes, NamedMount(source=state, target=_STATE)]
        if acme:
            mounts += acme.mounts
        for upstream in upstreams:
            mounts.append(upstream.slots_mount(f"/etc/edge/upstreams/{upstream.spec.name}"))
            mounts.append(upstream.state_mount(f"{STATE}/{upstream.spec.name}"))
        self.service = Service(
            f"{name}-nginx",
            _service(spec, text, sorted(pems)),
            image=image,
            network=network,
            volumes=mounts,
            secrets={f"{certificate}.pem": pem for certificate, pem in pems.items()},
            after=[
                *(Started(_service_of(upstream)) for upstream in upstreams),
                *([acme.prepared] if acme else []),
                *after,
            ],
            further=further,
            opts=self.child(),
        )
        in_place = [file for file in self.service.files if file.source is not None]
        accepted = Step(
            f"{name}-accepted",
            entrypoint=["sh", "-c", _script("accepted")],
            command=["accepted"],
            image=image,
            identity=spec.identity,
            mounts=[
                *(
                    NamedMount(source=file.source, target=file.spec.target, read_only=True)
                    for file in in_place
                    if file.source is not None
                ),
                NamedMount(source=state, target=_STATE, read_only=True),
            ],
            trigger=pulumi.Output.all(*(file.carrier.name for file in in_place)).apply(" ".join),
            depends_on=self.service.ready,
            opts=self.child(),
        )
        self.ready = accepted.done
        self.register_outputs({})


def _service(spec: EdgeSpec, text: str, certificates: Sequence[str]) -> ServiceSpec:
    probe = f"curl -fsS -o /dev/null {_HEALTH} || wget -q -O /dev/null {_HEALTH}"
    return ServiceSpec(
        identity=spec.identity,
        alias=spec.alias,
        entrypoint=("sh", f"{_BIN}/watch.sh"),
        config=(
            ConfigFiles(target=_CONFIG, files=(ConfigFile(name="nginx.conf", text=text),), reload="in place"),
            ConfigFiles(target=_BIN, files=(ConfigFile(name="watch.sh", text=_script("watch")),)),
        ),
        secrets=tuple(SecretFile(name=f"{certificate}.pem") for certificate in certificates),
        # nginx reads a renewed certificate like a new configuration.
        secrets_reload="in place",
        # The engine gives a tmpfs the mode of the folder under it, after a restart as well: /tmp is anyone's.
        # What does not fit any more, such as an upload, is refused; the memory limit would end all of nginx.
        tmpfs=(Tmpfs(target="/tmp", size=Memory(f"{max(8, spec.limits.memory.mebibytes // 2)}MiB")),),  # noqa: S108
        limits=spec.limits,
        # The user `nginx` of the official image.
        hardening=Hardening(user="101:101"),
        health=HealthCheck(
            probe=CommandProbe(kind="command", argv=("sh", "-c", probe)),
            interval=Duration("3s"),
            start_period=Duration("10s"),
        ),
        rollout=StopFirst(publish=spec.publish, address=spec.address),
        # It looks for every replica each second; one that is gone must not hold up the others.
        name_timeout=Duration("1s"),
        stop_grace=spec.stop_grace,
    )


def _service_of(upstream: Handover) -> Service:
    if upstream.service is None:
        raise ValueError(
            f"{upstream.name}: no service has it; allowed: Service(..., handover=...) before the edge"
        )
    return upstream.service


def _checked(
    spec: EdgeSpec, certificates: Mapping[str, pulumi.Input[str]], issued: Collection[str]
) -> dict[str, pulumi.Input[str]]:
    """The certificates, each tried before it reaches a container. Raises ValueError when one is missing."""
    named = {site.tls.certificate for site in spec.sites if site.tls}
    if named != {*certificates, *issued} or set(issued) & set(certificates):
        given = sorted([*certificates, *issued])
        raise ValueError(f"certificates: {sorted(named)} named by sites, {given} given")
    if issued and not spec.acme:
        raise ValueError("acme: unset; allowed with a certificate from ACME: components.edge.acme.CHALLENGES")
    return {name: _valid(name, pem) for name, pem in certificates.items()}


def _valid(name: str, pem: pulumi.Input[str]) -> pulumi.Input[str]:
    if isinstance(pem, str):
        return check_certificate(name, pem)
    return pulumi.Output.all(pem).apply(lambda texts: check_certificate(name, texts[0]))


def _script(name: str) -> str:
    return Path(__file__).with_name(f"{name}.sh").read_text(encoding="utf-8")
