"""Certificates from an ACME server such as Let's Encrypt: asked for, renewed, handed to the edge.

certbot asks; renewal.py beside it decides when, checks what came, and tells how it is. docs/certificates.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import pulumi
from pydantic import Field

from components.base import Component, Identity
from components.containers.container import ConfigFile, ConfigFiles, EnvVar, Hardening, Limits
from components.containers.handover import state_volume
from components.containers.health import CommandProbe, HealthCheck
from components.containers.image import Image
from components.containers.job import Job, JobSpec
from components.containers.mounts import NamedMount, VolumeMount
from components.containers.network import AnyNetwork
from components.containers.service import Completed, Dependency, Service, ServiceSpec, StopFirst
from components.containers.volume import Volume
from components.edge.renewal import CERTIFICATES, CONFIG, WEBROOT
from components.edge.words import HostName
from components.spec import Spec
from components.units import Cpus, DnsName, Duration, HttpUrl, Memory

CHALLENGES: Final = "/var/www/acme"
"""`EdgeSpec.acme` of an edge with such a certificate."""

_CODE: Final = "/opt/acme"
_TRUST: Final = "/etc/acme"
_PROGRAM: Final = ("certificate", "renewal", "renewal_files", "renewal_plan", "renewal_request")
_OWNER: Final = 101  # nginx in the official image: it reads the private keys, and nobody else does
_RUN: Final = ("python3", "-m", "edge.renewal")


class AcmeSpec(Spec):
    """Which certificate, and of whom. Who asks agrees to the terms of that server."""

    identity: Identity
    alias: DnsName = "certbot"
    certificate: DnsName
    """The name by which a site of the edge calls it."""
    domains: Annotated[tuple[HostName, ...], Field(min_length=1, max_length=100)]
    """All names of the one certificate; port 80 of each must lead to the edge."""
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
    server: HttpUrl
    """The directory of the ACME server."""
    authority: str | None = None
    """PEM of who signed that server's own certificate, if not one that the world trusts."""
    limits: Limits = Limits(cpus=Cpus("1"), memory=Memory("192MiB"))


class Acme(Component):
    """Made before the edge (`Edge(acme=...)`), and started after it with `renew`.

    certificates: what the edge reads. account: certbot's own, with the account's key and what was asked for
    before, so that nothing is asked for twice. image: the reference image `certbot`, or the official one.
    """

    kind = "edge:Acme"

    def __init__(
        self,
        name: str,
        spec: AcmeSpec,
        *,
        image: Image,
        network: AnyNetwork,
        certificates: Volume,
        account: Volume,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=opts)
        self.spec, self._image, self._network = spec, image, network
        self._volumes = [
            VolumeMount(volume=certificates, target=str(CERTIFICATES)),
            VolumeMount(volume=account, target=str(CONFIG)),
        ]
        webroot = state_volume(f"{name}-webroot", spec.identity, opts=self.child())
        self._webroot = NamedMount(source=webroot, target=str(WEBROOT))
        self.job = Job(
            f"{name}-prepare",
            job_spec(spec),
            image=image,
            network=network,
            volumes=self._volumes,
            opts=self.child(),
        )
        self.mounts = (
            VolumeMount(volume=certificates, target="/etc/edge/certificates", read_only=True),
            NamedMount(source=webroot, target=CHALLENGES, read_only=True),
        )
        """For the edge."""
        self.challenges = CHALLENGES
        """`EdgeSpec.acme` of that edge."""
        self.prepared = Completed(self.job)
        """The edge has a certificate to start with."""
        self.register_outputs({})

    def renew(self, *, after: Sequence[Dependency]) -> Service:
        """The service `{name}`, healthy while the edge has a certificate that lasts. after: the edge."""
        return Service(
            self.name,
            service_spec(self.spec),
            image=self._image,
            network=self._network,
            volumes=[*self._volumes, self._webroot],
            after=[self.prepared, *after],
            opts=self.child(),
        )


def job_spec(spec: AcmeSpec) -> JobSpec:
    """Hands the volumes to the edge's user, and puts a certificate there that nginx can start with."""
    return JobSpec(
        identity=spec.identity,
        alias=f"{spec.alias}-prepare",
        entrypoint=_RUN,
        command=("prepare",),
        env=(*_env(spec), EnvVar(name="ACME_OWNER", value=str(_OWNER))),
        config=(_code(),),
        limits=Limits(cpus=Cpus("0.5"), memory=Memory("64MiB")),
        # Root, because only root gives files to others; without the capabilities to do more than that.
        hardening=Hardening(user="0:0", add_capabilities=("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER")),
    )


def service_spec(spec: AcmeSpec) -> ServiceSpec:
    """The container."""
    env = _env(spec)
    config: tuple[ConfigFiles, ...] = (_code(),)
    if spec.authority:
        file = ConfigFile(name="authority.pem", text=spec.authority)
        config = (*config, ConfigFiles(target=_TRUST, files=(file,)))
        env = (*env, EnvVar(name="ACME_AUTHORITY", value=f"{_TRUST}/{file.name}"))
    return ServiceSpec(
        identity=spec.identity,
        alias=spec.alias,
        entrypoint=_RUN,
        command=("run",),
        env=env,
        config=config,
        hardening=Hardening(user=f"{_OWNER}:{_OWNER}"),
        limits=spec.limits,
        # One alone: two would ask for the same certificate.
        rollout=StopFirst(),
        health=HealthCheck(
            # Waits for a request that is under way: an update ends with the certificate, or with the reason.
            probe=CommandProbe(kind="command", argv=(*_RUN, "health")),
            interval=Duration("10s"),
            timeout=Duration("4m"),
            retries=1,
            start_period=Duration("0s"),
            deadline=Duration("5m"),
        ),
    )


def _env(spec: AcmeSpec) -> tuple[EnvVar, ...]:
    values = {
        "ACME_DOMAINS": " ".join(spec.domains),
        "ACME_EMAIL": spec.email,
        "ACME_NAME": spec.certificate,
        "ACME_SERVER": spec.server,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": _CODE,
    }
    return tuple(EnvVar(name=name, value=value) for name, value in values.items())


def _code() -> ConfigFiles:
    """The program; a package, because its modules name each other as they do here."""
    here = Path(__file__).parent
    files = [ConfigFile(name="__init__.py", text='"""Of the edge: what runs beside certbot."""\n')]
    files += [ConfigFile(name=f"{it}.py", text=(here / f"{it}.py").read_text()) for it in _PROGRAM]
    return ConfigFiles(target=f"{_CODE}/edge", files=tuple(files))
