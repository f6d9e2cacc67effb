"""Which secrets a stack needs, and how one is made. No message and no representation shows a value."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from stacks.certificates import Authority
from stacks.problems import Problem

SEALED: Final = "x" * 64
"""Stands for a value that only the engine can read: long enough for every rule, and not looked into."""

_PLACEHOLDER = re.compile(
    r"<[^<>]*>|your[_ -][a-z0-9_ -]*|change[_ -]?(me|this)[a-z0-9_ -]*|replace[_ -]?(me|this)[a-z0-9_ -]*"
    r"|(my|the)?[_-]?(secret|password|passwd)[_-]?(key|here)?[0-9]*|audioediter_(root|pass)",
    re.IGNORECASE,
)
"""What stands in examples where a secret belongs, the systems' own documents among them."""

_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True)
class SecretRequest:
    """A secret below `berth:secrets`: its name, what it is for, and its least length."""

    name: str
    purpose: str
    min_length: int = 16
    generated_length: int = 40
    """Letters and digits: more than 230 bits, and no character that any program must quote."""

    @property
    def config_path(self) -> str:
        """As `pulumi config set --secret --path` takes it."""
        return f"berth:secrets.{self.name}"

    def generate(self) -> str:
        """A new strong value."""
        return "".join(secrets.choice(_ALPHABET) for _ in range(max(self.generated_length, self.min_length)))


@dataclass(frozen=True)
class CertificateRequest(SecretRequest):
    """A server's certificate as one PEM text: private key, certificate, its issuers, the authority last.

    hosts: the names and addresses under which clients reach the server.
    """

    min_length: int = 1
    hosts: tuple[str, ...] = ("localhost",)

    def issue(self, authority: Authority) -> str:
        """A new one for these hosts."""
        return authority.issue(self.hosts)


@dataclass(frozen=True)
class ForeignRequest(SecretRequest):
    """What somebody else gives out, so that none can be made here: a service's URL or key for one account."""

    min_length: int = 8
    is_url: bool = False


def can_be_made(request: SecretRequest) -> bool:
    """Whether any strong value serves."""
    return not isinstance(request, ForeignRequest)


def url_refusal(url: str) -> str | None:
    """Why nothing secret may be posted to this URL, without a part of it."""
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "it is no URL"
    if parts.scheme == "https" and host:
        return None
    if parts.scheme == "http" and is_near(host):
        return None
    return "allowed: https://, or http:// to this machine or a private address"


def is_near(host: str) -> bool:
    """Whether a host of a URL is this machine, or a private address.

    Not link-local, where clouds answer with a machine's own credentials, nor the address that is none.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost"
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_private and not address.is_link_local and not address.is_unspecified


def setting_command(name: str, stack: str) -> str:
    """The command that stores a secret where it belongs."""
    return f"pulumi config set --secret --path berth:secrets.{name} --stack {stack}"


def misplaced(key: str, stack: str) -> str:
    """What is wrong with a secret that was set without --path, and how it goes."""
    return (
        "not below berth:secrets, where secrets are (it was set without --path); remove it with "
        f"`pulumi config rm {key} --stack {stack}`"
    )


def plain_problems(names: Iterable[str], stack: str) -> list[Problem]:
    """A problem for each secret that is stored as plain text."""
    fix = "it is no secret any more: change it, and store the new one with"
    return [
        Problem(f"berth:secrets.{name}", f"stored as plain text; {fix} `{setting_command(name, stack)}`")
        for name in names
    ]


def certificate_refusal(pem: str) -> str | None:
    """Why no client would accept a certificate, and what to do, in one line."""
    from components.edge.certificate import fault

    found = fault(pem)
    return f"{found.cause}; fix: {found.fix}" if found else None


def plain_names(given: object) -> list[str]:
    """Those in `berth:secrets`, as the stack file has it, that are stored as plain text."""
    if not isinstance(given, Mapping):
        return []
    return [str(name) for name, value in given.items() if value is not None and not isinstance(value, dict)]


def blank(value: str) -> str | None:
    """What is not even an attempt at a secret, though long enough; its description, not itself."""
    text = value.strip()
    if not text:
        return "nothing but spaces"
    if len(text) > 1 and len(set(text)) == 1:
        return "one character again and again"
    if _PLACEHOLDER.fullmatch(text):
        return "what an example has in its place"
    return None


def missing(requests: Iterable[SecretRequest], given: Mapping[str, object]) -> list[SecretRequest]:
    """The requests that nothing was given for."""
    return [request for request in requests if not given.get(request.name)]


def problems(
    requests: Iterable[SecretRequest],
    given: Mapping[str, object],
    *,
    stack: str,
    spared: Collection[str] = (),
) -> list[Problem]:
    """Secrets that are missing, blank, too short, not text, of no use, or that no system asks for.

    spared: names that may be asked for by a system that cannot be read.
    """
    found = []
    known = {request.name: request for request in requests}
    for name, request in known.items():
        path, value = request.config_path, given.get(name)
        fix = f"set it with `{setting_command(name, stack)}`"
        if not value:
            found.append(Problem(path, f"required ({request.purpose}), but not set; {fix}"))
        elif not isinstance(value, str):
            found.append(Problem(path, f"allowed: text; {fix}, which stores it below `secure`"))
        elif value != SEALED and (fault := blank(value)):
            found.append(Problem(path, f"allowed: at least {request.min_length} characters; {fix}", fault))
        elif len(value.strip()) < request.min_length:
            size = f"{len(value.strip())} characters"
            found.append(Problem(path, f"allowed: at least {request.min_length} characters", size))
        elif isinstance(request, CertificateRequest) and value != SEALED:
            found += (Problem(path, refusal) for refusal in [certificate_refusal(value)] if refusal)
        elif isinstance(request, ForeignRequest) and request.is_url and value != SEALED:
            found += (Problem(path, refusal) for refusal in [url_refusal(value)] if refusal)
    for name in sorted(set(given) - set(known) - set(spared)):
        allowed = ", ".join(known) or "none"
        found.append(
            Problem(f"berth:secrets.{name}", f"no chosen system has such a secret; known: {allowed}")
        )
    return found
