"""The public door of a system: nginx on ports 80 and 443, with its certificate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from components.spec import Spec, default_tag
from components.units import Address, Cpus, Duration, Memory, Port
from stacks.claims import PortClaim
from stacks.secrets import CertificateRequest
from stacks.system import ServiceSettings

Host = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", description="a host name")]


class CertificateOfSecret(Spec):
    """The secret `<system>_certificate`: one PEM text of key, certificate, issuers. Made where it may be."""

    kind: Literal["secret"] = "secret"


class CertificateFiles(Spec):
    """Given files, read by every run; PEM."""

    kind: Literal["files"]
    certificate: Annotated[str, Field(min_length=1)]
    """The certificate and its issuers. A relative path starts at the project."""
    key: Annotated[str, Field(min_length=1)]


class EdgeService(ServiceSettings):
    """nginx. It holds host ports, so a new image stops it first; routes and certificate change live."""

    http_port: Port = 80
    """Redirects to HTTPS."""
    https_port: Port = 443
    address: Address = Address("0.0.0.0")  # noqa: S104  (80 and 443 are public ports)
    """The host's address to listen on; 127.0.0.1 keeps it to this machine."""
    hosts: Annotated[tuple[Host, ...], Field(min_length=1)] = ("localhost",)
    """The names that it answers to; the first one is canonical. A generated certificate has them all."""
    certificate: Annotated[
        CertificateOfSecret | CertificateFiles, Field(discriminator="kind"), default_tag("kind", "secret")
    ] = CertificateOfSecret()
    drain: Duration = Duration("30s")
    """How long requests and WebSockets of a replica that goes may still take."""
    cpus: Cpus = Cpus("1")
    memory: Memory = Memory("128MiB")

    def port_claims(self, path: str) -> Iterator[PortClaim]:
        """The host ports that it takes. path: its own in the stack file."""
        yield PortClaim(f"{path}.http_port", self.address, self.http_port)
        yield PortClaim(f"{path}.https_port", self.address, self.https_port)

    def certificate_requests(self, system: str) -> Iterator[CertificateRequest]:
        """The certificate, where it is a secret."""
        if isinstance(self.certificate, CertificateOfSecret):
            hosts = (*self.hosts, "localhost", "127.0.0.1", str(self.address))
            unique = tuple(dict.fromkeys(host for host in hosts if host != "0.0.0.0"))  # noqa: S104
            yield CertificateRequest(
                certificate_name(system), f"the certificate of {system}'s door", hosts=unique
            )


def certificate_name(system: str) -> str:
    """The secret that holds the certificate of a system's door."""
    return f"{system.replace('-', '_')}_certificate"
