"""Units and notations of Docker's API and of the Go programs around it, as pure functions."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

MIB = 1024 * 1024
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> int:
    """Nanoseconds of a Go duration such as `1m30s`. Raises ValueError."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    parts = list(_DURATION_PART.finditer(rest))
    if not parts or "".join(part.group() for part in parts) != rest:
        raise ValueError(f"'{text}' is not a duration such as '30s' or '1m30s'")
    return sign * sum(int(Decimal(part.group(1)) * _NANOSECONDS[part.group(2)]) for part in parts)


def format_duration(nanoseconds: int) -> str:
    """A duration as Go prints it: `1m30s`, `500ms`, `0s`."""
    if nanoseconds == 0:
        return "0s"
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    for unit, size in (("ns", 1), ("µs", 10**3), ("ms", 10**6)):
        if rest < size * 1000 and rest < 10**9:
            return f"{sign}{_decimal(Decimal(rest) / size)}{unit}"
    minutes, seconds = divmod(rest, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(Decimal(seconds) / 10**9)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else f"{sign}{text}"


def short_duration(nanoseconds: int) -> str:
    """A duration without its zero parts, as services report it: `1m`, `2h`, `1h30m`."""
    text = format_duration(nanoseconds)
    if text.endswith("m0s"):
        text = text[:-2]
    return text[:-2] if text.endswith("h0m") else text


def same_duration(old: Any, new: Any) -> bool:
    """Whether two notations mean one duration (`60s` and `1m0s`); absence is `0s`."""
    try:
        return parse_duration(old or "0s") == parse_duration(new or "0s")
    except (ValueError, TypeError):
        return bool(old == new)


def _decimal(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def parse_cpus(text: str) -> int:
    """Billionths of a CPU for `1.5`. Raises ValueError."""
    try:
        nano = Decimal(text) * 10**9
    except InvalidOperation:
        raise ValueError(f"'{text}' is not a number of CPUs such as '1.5'") from None
    if not nano.is_finite() or nano < 0 or nano != int(nano):
        raise ValueError(f"'{text}' is not a number of CPUs such as '1.5' (at most nine decimals)")
    return int(nano)


def format_cpus(nano: int) -> str:
    """The inverse of `parse_cpus`, in the official provider's notation: `1.0`, `1.5`, `0.25`."""
    text = _decimal(Decimal(nano) / 10**9)
    return text if "." in text else f"{text}.0"


def mib(value: int) -> int:
    """Bytes of a size in MiB; 0 and -1 (no limit) stand for themselves."""
    return value * MIB if value > 0 else value


def to_mib(value: int) -> int:
    """The inverse of `mib`, whole MiB."""
    return value // MIB if value > 0 else value


def pairs(labels: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """A map from the list of `{label, value}` objects."""
    return {entry["label"]: entry["value"] for entry in labels or ()}


def labels(mapping: Mapping[str, str] | None) -> list[dict[str, str]]:
    """The inverse of `pairs`, sorted."""
    return [{"label": key, "value": value} for key, value in sorted((mapping or {}).items())]


def assignments(entries: Iterable[str] | None) -> dict[str, str]:
    """A map from `key=value` strings; ValueError for one without `=`."""
    result = {}
    for entry in entries or ():
        key, separator, value = entry.partition("=")
        if not separator:
            raise ValueError(f"'{entry}' has no '=': options are written 'key=value'")
        result[key] = value
    return result


def parse_gpus(text: str) -> dict[str, Any]:
    """The device request of a `gpus` string, by the rules of `docker run --gpus`. Raises ValueError.

    One CSV line of `all`, a count, or `key=value` fields (driver, count, device, capabilities, options). The
    provider documents `device=0,2` without the quotes that CSV wants around it; bare fields behind `device=`
    are therefore more devices, where the command line would read a count that the engine then refuses.
    """
    normal = text.strip()
    while len(normal) >= 2 and normal[0] == normal[-1] and normal[0] in "\"'":
        normal = normal[1:-1].strip()
    fields = next(csv.reader([normal]), [])
    seen: dict[str, str] = {}
    last = ""
    for position in fields:
        key, separator, value = position.partition("=")
        if not separator and last == "device":
            seen["device"] += f",{key}"
            continue
        key, value = (key, value) if separator else ("count", key)
        if key not in {"driver", "count", "device", "capabilities", "options"}:
            raise ValueError(f"unexpected key '{key}' in '{position}'")
        if key in seen:
            raise ValueError(f"gpu request key '{key}' can be specified only once")
        seen[key] = value
        last = key
    request: dict[str, Any] = {
        "Driver": seen.get("driver", ""),
        "Count": _gpu_count(seen["count"]) if "count" in seen else int("device" not in seen),
        "DeviceIDs": seen["device"].split(",") if "device" in seen else None,
        "Capabilities": [[*seen["capabilities"].split(","), "gpu"]] if "capabilities" in seen else [["gpu"]],
        "Options": dict(
            entry.partition("=")[::2] for entry in next(csv.reader([seen.get("options", "")]), []) if entry
        ),
    }
    return request


def _gpu_count(text: str) -> int:
    if text == "all":
        return -1
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"invalid count ({text}): value must be either 'all' or an integer") from None


def format_gpus(requests: list[dict[str, Any]]) -> str | None:
    """The `gpus` string of what the engine reports; None where no string can say it."""
    if not requests:
        return ""
    if len(requests) != 1:
        return None
    request = requests[0]
    if request.get("DeviceIDs"):
        return "device=" + ",".join(request["DeviceIDs"])
    names = {name.lower() for group in request.get("Capabilities") or () for name in group}
    return "all" if request.get("Count") == -1 and "gpu" in names else None


def capability(name: str) -> str:
    """One spelling for a Linux capability: `net_admin`, `NET_ADMIN` and `CAP_NET_ADMIN` are the same."""
    upper = name.upper()
    return upper if upper == "ALL" or upper.startswith("CAP_") else f"CAP_{upper}"
