"""Where the off-site copy of a backup goes. Free of pulumi, so that settings load without the SDK."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from components.spec import Spec
from components.units import HttpUrl, Like, Port

Bucket = Annotated[str, Like(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's name, like acme-backups")]
Path = Annotated[
    str,
    Like(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*", "a path below it without a leading slash, like berth/prod"),
]
HostName = Annotated[str, Like(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", "a host's name or address")]

ACCESS_KEY, SECRET_KEY, SFTP_KEY = "access_key", "secret_key", "sftp_key"


class S3Target(Spec):
    """A bucket of any server that speaks S3."""

    kind: Literal["s3"]
    endpoint: HttpUrl
    """Such as `https://minio.example.com:9000`. What goes there is encrypted before it leaves."""
    bucket: Bucket
    path: Path
    """Of this system alone; the system's name belongs into it."""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]*$")] = "us-east-1"
    lookup: Literal["auto", "dns", "path"] = "path"
    """Whether the bucket is a part of the host's name or of the path."""
    authority: str | None = None
    """The PEM text of the CA, where the server has one of its own."""

    def plain(self) -> dict[str, object]:
        """As the image `care` reads it."""
        parts = urlsplit(self.endpoint)
        return {
            "kind": "s3",
            "url": f"s3:{self.endpoint}/{self.bucket}/{self.path}",
            "host": parts.hostname or "",
            "port": parts.port or (443 if parts.scheme == "https" else 80),
            "lookup": self.lookup,
            "region": self.region,
        }

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of what it takes to log in."""
        return ACCESS_KEY, SECRET_KEY


class OssTarget(Spec):
    """A bucket of Alibaba Cloud OSS, which speaks S3."""

    kind: Literal["oss"]
    region: Annotated[str, Like(r"[a-z]{2}-[a-z0-9-]+", "a region, like cn-hangzhou")]
    bucket: Bucket
    path: Path
    """Of this system alone."""
    internal: bool = False
    """Over the network inside the region, which costs nothing: on ECS there."""

    def plain(self) -> dict[str, object]:
        """As the image `care` reads it. OSS takes no bucket in the path."""
        host = f"oss-{self.region}{'-internal' if self.internal else ''}.aliyuncs.com"
        return {
            "kind": "s3",
            "url": f"s3:https://{host}/{self.bucket}/{self.path}",
            "host": f"{self.bucket}.{host}",
            "port": 443,
            "lookup": "dns",
            "region": f"oss-{self.region}",
        }

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of what it takes to log in."""
        return ACCESS_KEY, SECRET_KEY


class SftpTarget(Spec):
    """A folder of an SSH server, by key."""

    kind: Literal["sftp"]
    host: HostName
    port: Port = 22
    user: Annotated[str, Like(r"[a-z_][a-z0-9_-]*", "a user's name")]
    path: Annotated[str, Like(r"(/[A-Za-z0-9_.-]+)+", "an absolute path, like /srv/backups/editor")]
    host_key: Annotated[
        str,
        Like(
            r"(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/=]+",
            "type and key of the server, as `ssh-keyscan HOST` prints them after the name",
        ),
    ]

    def plain(self) -> dict[str, object]:
        """As the image `care` reads it."""
        return {
            "kind": "sftp",
            "url": f"sftp:{self.user}@{self.host}:{self.path}",
            "host": self.host,
            "port": self.port,
            "user": self.user,
        }

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of what it takes to log in."""
        return (SFTP_KEY,)

    @property
    def known_host(self) -> str:
        """The line of a known_hosts file."""
        name = self.host if self.port == 22 else f"[{self.host}]:{self.port}"
        return f"{name} {self.host_key}\n"


Target = Annotated[S3Target | OssTarget | SftpTarget, Field(discriminator="kind")]
