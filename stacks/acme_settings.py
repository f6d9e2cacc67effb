"""A door's certificate from an ACME server: Let's Encrypt, or one of one's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from components.edge.certificate import certificates
from components.edge.renewal_plan import LETS_ENCRYPT, STAGING
from components.units import Cpus, HttpUrl, Like, Memory
from stacks.certificates import public_of
from stacks.problems import Problem
from stacks.system import ServiceSettings

_PROJECT: Final = Path(__file__).resolve().parent.parent
_MOST: Final = 100  # names in a certificate of Let's Encrypt
_NOBODYS: Final = (
    *("arpa", "example", "internal", "intranet", "invalid", "lan", "local", "localdomain", "localhost"),
    *("onion", "test"),
)
"""Last parts of names that nobody can own on the Internet."""

Email = Annotated[str, Like(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address, like ops@example.com")]


class CertificateFromAcme(ServiceSettings):
    """Asked for at Let's Encrypt, or `server`, for all of `hosts`; renewed by itself (docs/certificates.md).

    Who chooses this agrees to the terms of that server. Until the first one is there, one serves that nobody
    trusts.
    """

    kind: Literal["acme"]
    email: Email
    """Of the account; the server may write to it."""
    staging: bool = False
    """Of Let's Encrypt's staging server: for trying; no browser trusts it, and its limits are wide."""
    server: HttpUrl | None = None
    """The directory of another ACME server, like https://ca.example.com/acme/acme/directory."""
    authority: Annotated[str, Field(min_length=1)] | None = None
    """A PEM file with who signs such a server's own certificate, and who signs what it issues, where the
    world does not trust them. A relative path starts at the project."""
    cpus: Cpus = Cpus("1")
    memory: Memory = Memory("192MiB")

    @model_validator(mode="after")
    def _one_server(self) -> CertificateFromAcme:
        if self.staging and self.server:
            raise ValueError("staging is Let's Encrypt's; allowed: either staging or server")
        return self

    @property
    def directory(self) -> str:
        """The URL of the ACME server."""
        return self.server or (STAGING if self.staging else LETS_ENCRYPT)

    @property
    def untrusted(self) -> bool:
        """Whether no client can check what is issued."""
        return self.staging and self.authority is None

    def refusal(self, hosts: Sequence[str], http_port: object, address: object) -> str | None:
        """Why no certificate can be had for such a door; None where one may be."""
        if len(hosts) > _MOST:
            return f"{len(hosts)} hosts in one certificate; allowed: up to {_MOST}"
        for host in hosts:
            if _is_address(host) or host == "localhost":
                return f"{host!r} in hosts: no name that is certified; allowed: names like audio.example.com"
            if self.server is None and ("." not in host or host.rpartition(".")[2] in _NOBODYS):
                return (
                    f"{host!r} in hosts: Let's Encrypt certifies public names only; allowed: a name like "
                    "audio.example.com, or a server of your own"
                )
        if self.server is None and (http_port != 80 or str(address).startswith("127.")):
            return (
                f"Let's Encrypt asks port 80 of the host, and this door has port {http_port} on {address}; "
                "allowed: http_port 80 on a public address, or a server of your own"
            )
        return None

    def trusted(self) -> str | None:
        """The text of `authority`. Raises OSError or ValueError where it is of no use."""
        if self.authority is None:
            return None
        text = public_of((_PROJECT / self.authority).read_text())
        certificates(text)
        return text

    def problems(self, path: str) -> Iterator[Problem]:
        """Why `authority` cannot be used. path: of this in the stack file."""
        try:
            self.trusted()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no certificate in it"
            allowed = f"cannot be used ({reason}); allowed: a PEM file with certificates"
            yield Problem(f"{path}.authority", allowed, repr(self.authority))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
