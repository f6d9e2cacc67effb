"""What brings a system's door its certificate, where an ACME server issues it."""

from __future__ import annotations

from components.containers.container import Limits
from components.containers.network import AnyNetwork
from components.edge.acme import Acme, AcmeSpec
from stacks.acme_settings import CertificateFromAcme
from stacks.assembly import Assembly


def acme(
    system: Assembly,
    wish: CertificateFromAcme,
    hosts: tuple[str, ...],
    *,
    certificate: str,
    network: AnyNetwork,
) -> Acme:
    """Certificates and account lie in the data volumes `nginx-certs` and `certbot`.

    In no backup: a host that lost them asks for another certificate, and the keys stay where they are used.
    """
    spec = AcmeSpec(
        identity=system.identity("certbot"),
        certificate=certificate,
        domains=hosts,
        email=wish.email,
        server=wish.directory,
        authority=wish.trusted(),
        limits=Limits(cpus=wish.cpus, memory=wish.memory),
    )
    return Acme(
        f"{system.name}-certbot",
        spec,
        image=system.image("certbot", wish.image),
        network=network,
        certificates=system.volume("certbot", "nginx-certs", system.data("nginx-certs"), backed_up=False),
        account=system.volume("certbot", "certbot-account", system.data("certbot"), backed_up=False),
        opts=system.child(),
    )
