"""The public door of a system: nginx on ports 80 and 443, with its certificate."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from components.edge.routes import RateLimit
from components.edge.words import HeaderName, PlainText
from components.spec import Spec, default_tag
from components.units import Address, Cpus, Duration, Like, Memory, Port, lasting
from stacks.acme_settings import CertificateFromAcme
from stacks.certificates import BEGIN, public_of
from stacks.claims import PortClaim
from stacks.problems import Problem, SettingsError
from stacks.secrets import CertificateRequest, certificate_refusal
from stacks.system import ServiceSettings

PROJECT = Path(__file__).resolve().parent.parent

_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_HOST = rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*"
Host = Annotated[str, Like(_HOST, "a host name, like audio.example.com")]


class CertificateOfSecret(Spec):
    """The secret `<system>_certificate`: one PEM text of key, certificate, issuers. Made where it may be."""

    kind: Literal["secret"] = "secret"


class CertificateFiles(Spec):
    """Given files, read by every run; PEM."""

    kind: Literal["files"]
    certificate: Annotated[str, Field(min_length=1)]
    """The certificate and its issuers. A relative path starts at the project."""
    key: Annotated[str, Field(min_length=1)]

    def read(self, path: str) -> tuple[str, list[Problem]]:
        """Key, certificate, issuers as one PEM text, and why it cannot serve. path: in the stack file."""
        texts: dict[str, str] = {}
        problems = []
        for part in ("key", "certificate"):
            file = getattr(self, part)
            try:
                texts[part] = (PROJECT / file).read_text()
            except (OSError, UnicodeDecodeError) as error:
                reason = f"cannot be read ({getattr(error, 'strerror', None) or error}); allowed: a PEM file"
                # Somebody may have given the key itself.
                problems.append(Problem(f"{path}.{part}", reason, "" if "-BEGIN" in file else repr(file)))
        if problems:
            return "", problems
        # Of each file what it was given for: either may hold the other part, too.
        key = texts["key"].partition(BEGIN)[0].strip()
        text = f"{key}\n{public_of(texts['certificate'])}"
        if refusal := certificate_refusal(text):
            problems.append(Problem(path, refusal, repr(self.certificate)))
        return text, problems


class EdgeService(ServiceSettings):
    """nginx. It holds host ports, so a new image stops it first; routes and certificate change live."""

    http_port: Port = 80
    """Redirects to HTTPS."""
    https_port: Port = 443
    address: Address = Address("0.0.0.0")  # noqa: S104  (80 and 443 are public ports)
    """The host's address to listen on; 127.0.0.1 keeps it to this machine."""
    hosts: Annotated[tuple[Host, ...], Field(min_length=1)] = ("localhost",)
    """The names that it answers to, beside this machine's own: localhost, 127.0.0.1, `address` and the host's
    public address. Whoever asks for another is refused, over plain HTTP sent to the first one of these. A
    generated certificate has them all."""
    certificate: Annotated[
        CertificateOfSecret | CertificateFiles | CertificateFromAcme,
        Field(discriminator="kind"),
        default_tag("kind", "secret"),
    ] = CertificateOfSecret()
    drain: Annotated[Duration, lasting("0s", "1h")] = Duration("30s")
    """How long requests and WebSockets of a replica that goes may still take."""
    hsts: Annotated[Duration, lasting("0s", "17520h")] = Duration("8760h")
    """How long browsers insist on HTTPS for its names, localhost excepted; 0s makes them forget it."""
    headers: dict[HeaderName, PlainText | None] = Field(default_factory=dict)
    """Of every answer, over the safe defaults and over what the services say themselves; null takes one away.
    `Content-Security-Policy: "default-src 'self' https://fonts.example.com"` lets a page load from there."""
    rate: RateLimit | None = None
    """How many requests a second one client address may make of each route; unset: any number."""
    cpus: Cpus = Cpus("1")
    memory: Memory = Memory("128MiB")

    @field_validator("certificate")
    @classmethod
    def _certificate_can_be_had(
        cls, certificate: CertificateOfSecret | CertificateFiles | CertificateFromAcme, info: ValidationInfo
    ) -> CertificateOfSecret | CertificateFiles | CertificateFromAcme:
        known = info.data.keys() >= {"hosts", "http_port", "address"}
        if known and isinstance(certificate, CertificateFromAcme):
            door = (info.data[name] for name in ("hosts", "http_port", "address"))
            if refusal := certificate.refusal(*door):
                raise ValueError(refusal)
        return certificate

    def port_claims(self, path: str) -> Iterator[PortClaim]:
        """The host ports that it takes. path: its own in the stack file."""
        yield PortClaim(f"{path}.http_port", self.address, self.http_port)
        yield PortClaim(f"{path}.https_port", self.address, self.https_port)

    def url(self, public_address: str) -> str:
        """Where clients reach it: the first host name, or for localhost the address that it listens on.

        public_address: of the host machine.
        """
        host = self.hosts[0]
        if host == "localhost":
            host = public_address if self.address == "0.0.0.0" else self.address  # noqa: S104
        return f"https://{host}" if self.https_port == 443 else f"https://{host}:{self.https_port}"

    def names(self, public_address: str) -> tuple[str, ...]:
        """Every name and address under which clients may ask for it. public_address: of the host machine."""
        own = ("localhost", "127.0.0.1", str(self.address), public_address.lower())
        known = [name for name in own if name != "0.0.0.0" and re.fullmatch(_HOST, name)]  # noqa: S104
        return tuple(dict.fromkeys((*self.hosts, *known)))

    def bundle(self, system: str, secrets: Mapping[str, str]) -> str | None:
        """The certificate as one PEM text: key, certificate, issuers. None for one that comes by itself.

        Raises SettingsError.
        """
        if isinstance(self.certificate, CertificateFromAcme):
            return None
        if not isinstance(self.certificate, CertificateFiles):
            return secrets[certificate_name(system)]
        text, problems = self.certificate.read(f"berth:{system}.nginx.certificate")
        if problems:
            raise SettingsError(problems)
        return text

    def certificate_problems(self, path: str) -> Iterator[Problem]:
        """Why given files cannot serve. path: its own in the stack file."""
        if isinstance(self.certificate, CertificateFiles):
            yield from self.certificate.read(f"{path}.certificate")[1]
        if isinstance(self.certificate, CertificateFromAcme):
            yield from self.certificate.problems(f"{path}.certificate")

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
