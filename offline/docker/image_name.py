"""Image names: the grammar of distribution/reference, with the defaults that Docker Hub's names imply."""

from __future__ import annotations

import re
from dataclasses import dataclass

from offline.provider.resource import ResourceError

HUB = "docker.io"
HUB_ADDRESS = "https://index.docker.io/v1/"  # the key of Docker Hub in every credential store

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(
    rf"(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?"
)
_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.|(?=:|$)))+(?::[0-9]+)?|\[[0-9a-fA-F:]+\](?::[0-9]+)?"
)


@dataclass(frozen=True)
class ImageName:
    """The parts of a name; `domain` is always there."""

    domain: str
    path: str
    tag: str | None = None
    digest: str | None = None

    @property
    def repository(self) -> str:
        """Domain and path: what a registry stores images under."""
        return f"{self.domain}/{self.path}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}{f'@{self.digest}' if self.digest else ''}"


def parse(name: str) -> ImageName:
    """Raises ResourceError for what is no image name."""
    first, slash, rest = name.partition("/")
    if not slash or (not set(".:") & set(first) and first != "localhost" and first == first.lower()):
        domain, rest = HUB, name
    else:
        domain = HUB if first == "index.docker.io" else first
    if domain == HUB and "/" not in rest:
        rest = f"library/{rest}"
    found = _NAME.fullmatch(rest)
    if found is None or not _DOMAIN.fullmatch(domain) or re.fullmatch("[0-9a-f]{64}", name):
        raise ResourceError(
            f"{name!r} is not an image name",
            fix="write [registry[:port]/]path[:tag] in lower case, like registry.example.com/team/app:1",
        )
    return ImageName(domain, **found.groupdict())


def is_canonical(name: str) -> bool:
    """Whether the name already says everything: `docker.io/library/redis`, not `redis`."""
    return str(parse(name)) == name


def repo_digest(name: str, digests: list[str]) -> str:
    """The digest that belongs to `name` among those of an image; empty if no registry knows it."""
    if not digests:
        return ""
    try:
        wanted = parse(name).repository
    except ResourceError:  # an image id
        return digests[0]
    return next((d for d in digests if parse(d).repository == wanted), digests[0])
