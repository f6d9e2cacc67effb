"""What a health watch looks at. Each check has a label, under which its finding stands in health.log."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, JsonValue, model_validator

from components.spec import Spec
from components.stores.sizes import Size
from components.units import AbsolutePath, DnsName, Duration, HttpUrl, Port

Label = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", description="a word, like tts or disk")]
_Limits = TypeVar("_Limits", "ShareCheck", "DiskCheck", "LogCheck")
Percent = Annotated[int, Field(ge=1, le=100)]


class Check(Spec):
    """every: what is well is not looked at again for so long; 0s: in each round, like what is not well."""

    label: Label
    every: Duration = Duration("0s")

    def plain(self) -> dict[str, Any]:
        """As the image `care` reads it."""
        found = self.model_dump(mode="json")
        for name, value in self:
            if isinstance(value, Duration):
                found[name] = float(value.seconds)
            elif isinstance(value, Size):
                found[name] = value.bytes
        return found


class PortCheck(Check):
    """UNHEALTHY when nothing listens there."""

    kind: Literal["port"] = "port"
    host: DnsName
    port: Port


class HttpCheck(Check):
    """UNHEALTHY without an answer of 2xx; WARNING when it is slow, or its `status` is not a good one."""

    kind: Literal["http"] = "http"
    url: HttpUrl
    slow: Duration = Duration("2s")
    timeout: Duration = Duration("10s")


class SpeechCheck(Check):
    """UNHEALTHY when no sound comes back for this body.

    {time} in a text of the body becomes the time of asking, so that it is spoken and not remembered.
    """

    kind: Literal["speech"] = "speech"
    url: HttpUrl
    body: dict[str, JsonValue]
    sounds: AbsolutePath | None = None
    """Given: the answer is JSON, and the file that its `url` ends with lies in this folder."""
    every: Duration = Duration("10m")
    timeout: Duration = Duration("2m")


class ExternalCheck(Check):
    """WARNING while an API of somebody else is not reached."""

    kind: Literal["external"] = "external"
    url: HttpUrl
    every: Duration = Duration("5m")


class SqliteCheck(Check):
    """UNHEALTHY when the file is damaged or gone; WARNING while its write-ahead log is large."""

    kind: Literal["sqlite"] = "sqlite"
    path: AbsolutePath
    max_wal: Size = Size("64MiB")
    every: Duration = Duration("10m")


class PostgresCheck(Check):
    """UNHEALTHY while PostgreSQL takes no connections, or shows a certificate that is not this authority's.

    It asks as far as a server answers without a password: the check has none.
    """

    kind: Literal["postgres"] = "postgres"
    host: DnsName
    port: Port = 5432
    user: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    database: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    authority: AbsolutePath


class FilesCheck(Check):
    """UNHEALTHY when the folder cannot be read; WARNING when files in it are empty."""

    kind: Literal["files"] = "files"
    path: AbsolutePath
    suffixes: tuple[Annotated[str, Field(pattern=r"^\.[a-z0-9]+$")], ...] = (".wav", ".mp3", ".ogg")
    every: Duration = Duration("10m")


class ShareCheck(Check):
    """Percent in use of processors or memory, both of the host. critical: None, never UNHEALTHY."""

    kind: Literal["cpu", "memory"]
    warning: Percent = 90
    critical: Percent | None = 98

    @model_validator(mode="after")
    def _rises(self) -> ShareCheck:
        return _rising(self)


class DiskCheck(Check):
    """Percent in use of the disk under a folder."""

    kind: Literal["disk"] = "disk"
    path: AbsolutePath
    warning: Percent = 85
    critical: Percent = 95

    @model_validator(mode="after")
    def _rises(self) -> DiskCheck:
        return _rising(self)


class LogCheck(Check):
    """Errors in a log within a time."""

    kind: Literal["log"] = "log"
    path: AbsolutePath
    within: Duration = Duration("10m")
    warning: Annotated[int, Field(ge=1)] = 1
    critical: Annotated[int, Field(ge=1)] = 50

    @model_validator(mode="after")
    def _rises(self) -> LogCheck:
        return _rising(self)


class CertificateCheck(Check):
    """Days that the certificate of a server still has, as a client sees it; name: what it must be for."""

    kind: Literal["certificate"] = "certificate"
    host: DnsName
    port: Port = 443
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")]
    authority: AbsolutePath | None = None
    """A file with the CA, where the world does not know it."""
    warning: Annotated[int, Field(ge=1)] = 21
    critical: Annotated[int, Field(ge=0)] = 3
    every: Duration = Duration("1h")


def _rising(check: _Limits) -> _Limits:
    if check.critical is not None and check.warning > check.critical:
        raise ValueError(f"warning {check.warning} is above critical; allowed: up to {check.critical}")
    return check


AnyCheck = Annotated[
    PortCheck
    | HttpCheck
    | SpeechCheck
    | ExternalCheck
    | SqliteCheck
    | PostgresCheck
    | FilesCheck
    | ShareCheck
    | DiskCheck
    | LogCheck
    | CertificateCheck,
    Field(discriminator="kind"),
]
