"""Quantities as they are written in a stack file: "512MiB", "30s", 0.5, "172.20.0.0/16", 8010.

Each unit is a `str` that was checked when it was made, so it prints, compares and serialises as it was
written, and has the arithmetic that Docker needs as properties. A wrong text raises ValueError that says what
is allowed.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

_BYTES = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}


class Unit(str):
    """A checked text. `allowed` completes the sentence "allowed: ..."; `pattern` is what editors check."""

    allowed: ClassVar[str]
    pattern: ClassVar[str]

    def __new__(cls, text: object) -> Self:
        if isinstance(text, bool) or not isinstance(text, str | int | float | Decimal):
            raise ValueError(f"allowed: {cls.allowed}")
        self = super().__new__(cls, str(text).strip())
        if not re.fullmatch(cls.pattern, self):
            raise ValueError(f"allowed: {cls.allowed}")
        self.check()
        return self

    def check(self) -> None:
        """Refuse what the pattern cannot; raises ValueError."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(cls)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^({cls.pattern})$", "description": cls.allowed}


class Memory(Unit):
    """A size of whole mebibytes, the unit in which the Docker provider takes limits."""

    allowed = "a size of whole mebibytes with its unit, at least 6MiB (Docker's minimum), like 512MiB or 2GiB"
    pattern = r"[1-9][0-9]*(KiB|MiB|GiB)"

    def check(self) -> None:
        if self.bytes % _BYTES["MiB"] or self.mebibytes < 6:
            raise ValueError(f"allowed: {self.allowed}")

    @property
    def bytes(self) -> int:
        return int(self[:-3]) * _BYTES[self[-3:]]

    @property
    def mebibytes(self) -> int:
        return self.bytes // _BYTES["MiB"]


class Duration(Unit):
    """A length of time, such as "500ms", "30s" or "1m30s"."""

    allowed = "a length of time with its unit (ms, s, m, h), like 30s or 1m30s"
    pattern = r"(0|[1-9][0-9]*)(h|ms|m|s)((0|[1-9][0-9]*)(h|ms|m|s))*"

    @property
    def seconds(self) -> Decimal:
        parts = re.findall(r"(\d+)(ms|h|m|s)", self)
        return sum((int(count) * _SECONDS[unit] for count, unit in parts), Decimal(0))

    @property
    def whole_seconds(self) -> int:
        """Rounded up, for settings that Docker takes in seconds."""
        return ceil(self.seconds)

    @property
    def docker(self) -> str:
        """As the Docker engine prints it ("1m30s"); any other spelling would differ on every preview."""
        total = int(self.seconds * 1000)
        if total == 0:
            return "0s"
        if total < 1000:
            return f"{total}ms"
        minutes, milliseconds = divmod(total, 60_000)
        hours, minutes = divmod(minutes, 60)
        text = f"{_decimal(Decimal(milliseconds) / 1000)}s"
        if hours:
            return f"{hours}h{minutes}m{text}"
        return f"{minutes}m{text}" if minutes else text


class Cpus(Unit):
    """A share of processors: 0.5 is half a core."""

    allowed = "a number of cores from 0.01 to 512 with at most two decimals, like 0.5 or 2"
    pattern = r"[0-9]{1,3}(\.[0-9]{1,2})?"

    def check(self) -> None:
        if not Decimal("0.01") <= Decimal(self) <= 512:
            raise ValueError(f"allowed: {self.allowed}")

    @property
    def docker(self) -> str:
        """As the Docker provider reads it back: no trailing zeros."""
        return _decimal(Decimal(self))

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "number", "minimum": 0.01, "maximum": 512, "description": cls.allowed}


class Cidr(Unit):
    """An IPv4 network."""

    allowed = "a private IPv4 network without host bits, from /8 to /29, like 172.20.0.0/16"
    pattern = r"[0-9.]+/[0-9]{1,2}"

    def check(self) -> None:
        try:
            network = self.network
        except ValueError:
            raise ValueError(f"allowed: {self.allowed}") from None
        if not network.is_private or not 8 <= network.prefixlen <= 29:
            raise ValueError(f"allowed: {self.allowed}")

    @property
    def network(self) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network(self)

    def overlaps(self, other: Cidr) -> bool:
        return self.network.overlaps(other.network)

    @property
    def upper_half(self) -> str:
        """The second half of its addresses, such as 172.20.128.0/17 of 172.20.0.0/16."""
        return str(list(self.network.subnets())[1])

    def fixed(self, number: int) -> Address:
        """The address of this number, such as 172.20.0.20 for 20, from the half that is not handed out.

        Raises ValueError where the lower half has no such address, or the engine's gateway has it (1).
        """
        half = self.network.num_addresses // 2
        if not 2 <= number < half:
            raise ValueError(
                f"{self} has no fixed address {number}; allowed: 2 to {half - 1}, or a larger network"
            )
        return Address(str(self.network[number]))


class Address(Unit):
    """An IPv4 address of a host or a container."""

    allowed = "an IPv4 address, like 127.0.0.1 (0.0.0.0 for every interface)"
    pattern = r"[0-9.]+"

    def check(self) -> None:
        try:
            ipaddress.IPv4Address(self)
        except ValueError:
            raise ValueError(f"allowed: {self.allowed}") from None

    def overlaps(self, other: Address) -> bool:
        """Whether listening on both would meet: 0.0.0.0 meets every address."""
        return self == other or "0.0.0.0" in (self, other)  # noqa: S104  (compares, does not bind)


def _decimal(value: Decimal) -> str:
    return format(value.normalize(), "f")


def _http_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("allowed: an http or https address without query, like http://10.0.0.5:8000")
    if parts.username or parts.password:
        raise ValueError("allowed: an http or https address without a user or password in it")
    return text.rstrip("/")


@dataclass(frozen=True)
class Like:
    """Marks a text of this pattern. `allowed` completes the sentence "allowed: ...", with an example."""

    pattern: str
    allowed: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^({self.pattern})$", "description": self.allowed}

    def _checked(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise ValueError(f"allowed: {self.allowed}")
        return text


def lasting(least: str, most: str) -> AfterValidator:
    """Marks a Duration within these bounds."""

    def check(duration: Duration) -> Duration:
        if not Duration(least).seconds <= duration.seconds <= Duration(most).seconds:
            raise ValueError(f"allowed: from {least} to {most}")
        return duration

    return AfterValidator(check)


Port = Annotated[int, Field(ge=1, le=65535, description="a TCP port, 1 to 65535")]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
AbsolutePath = Annotated[str, Like(r"/[^:,\s]*", "an absolute path without spaces, like /opt/data")]
DnsName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", description="a DNS label")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", description="a file name, no path")]
ObjectName = Annotated[
    str,
    Like(
        r"[A-Za-z0-9][A-Za-z0-9_.-]+",
        "a name of two or more letters, digits, `_`, `.`, `-`, not beginning with a sign, like my-network",
    ),
]
EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="a variable name")]
