"""What a container's inputs may be: the official schema's rules, and what no engine could do."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from offline.docker.container_units import assignments, parse_cpus, parse_duration, parse_gpus
from offline.provider.resource import UNKNOWN, CheckFailure

Rule = Callable[[Any], str | None]


def pattern(expression: str, allowed: str) -> Rule:
    """The value matches; `allowed` says in words what does."""
    compiled = re.compile(expression)
    return lambda value: None if compiled.search(str(value)) else f"'{value}' is not allowed: {allowed}"


def at_least(least: int) -> Rule:
    """The number is not below."""
    return lambda value: None if int(value) >= least else f"{value} is below {least}"


def parses(parse: Callable[[Any], Any]) -> Rule:
    """The function takes the value without a ValueError."""

    def rule(value: Any) -> str | None:
        try:
            parse(value)
        except (ValueError, binascii.Error) as error:
            return str(error)
        return None

    return rule


def duration(value: Any) -> str | None:
    """A Go duration that is not negative."""
    try:
        return None if parse_duration(value) >= 0 else f"'{value}' is negative"
    except ValueError as error:
        return str(error)


def _base64(value: str) -> None:
    try:
        base64.b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError("it is not base64") from None  # the value may be a secret


_ABSOLUTE = pattern(r"^(/|[a-zA-Z]:[\\/])", "an absolute path")
_NO_EMPTY: Rule = lambda value: "may not be empty" if value == "" else None  # noqa: E731

# Path of a property, with [] for each element of a list, and its rule.
RULES: dict[str, Rule] = {
    "command[]": _NO_EMPTY,
    "restart": pattern(r"^(no|on-failure|always|unless-stopped)$", "no, on-failure, always, unless-stopped"),
    "memory": at_least(0),
    "memoryReservation": at_least(0),
    "memorySwap": at_least(-1),
    "shmSize": at_least(0),
    "cpuShares": at_least(0),
    "cpuPeriod": at_least(0),
    "cpuQuota": at_least(0),
    "cpuSet": pattern(r"^\d+([,-]\d+)*$", "CPU numbers such as '0-2,4'"),
    "cpus": parses(parse_cpus),
    "gpus": parses(parse_gpus),
    "cgroupnsMode": pattern(r"^(private|host)?$", "private, host"),
    "mounts[].type": pattern(r"^(bind|volume|tmpfs)$", "bind, volume, tmpfs"),
    "mounts[].bindOptions.propagation": pattern(
        r"^(private|rprivate|shared|rshared|slave|rslave)?$",
        "private, rprivate, shared, rshared, slave, rslave",
    ),
    "volumes[].containerPath": _ABSOLUTE,
    "volumes[].hostPath": _ABSOLUTE,
    "volumes[].selinuxRelabel": pattern(r"^[zZ]$", "z, Z"),
    "uploads[].contentBase64": parses(_base64),
    "uploads[].permissions": pattern(r"^0[0-7]{3}$", "four octal digits such as '0644'"),
    "healthcheck.interval": duration,
    "healthcheck.timeout": duration,
    "healthcheck.startPeriod": duration,
    "healthcheck.startInterval": duration,
    "healthcheck.retries": at_least(0),
    "networksAdvanced[].driverOpts": parses(assignments),
    "networksAdvanced[].gwPriority": at_least(0),
    **{f"device{way}[].rate": at_least(0) for way in ("ReadBps", "ReadIops", "WriteBps", "WriteIops")},
}


def failures(inputs: Mapping[str, Any]) -> list[CheckFailure]:
    """Everything wrong with the inputs, at once. Values that are not known yet are taken as good."""
    return [*broken(RULES, inputs), *_combinations(inputs)]


def broken(rules: Mapping[str, Rule], inputs: Mapping[str, Any]) -> Iterator[CheckFailure]:
    """Each value that breaks the rule for its path."""
    for path_pattern, rule in rules.items():
        for path, value in values(inputs, path_pattern):
            if (reason := rule(value)) is not None:
                yield CheckFailure(property=path, reason=reason)


def values(inputs: Any, path_pattern: str) -> Iterator[tuple[str, Any]]:
    """Every known value at a path, with its own path; `[]` stands for each element of a list."""
    found: list[tuple[str, Any]] = [("", inputs)]
    for step in path_pattern.replace("[]", ".[]").split("."):
        found = [pair for path, value in found for pair in _step(path, value, step)]
    return iter(
        [(path.lstrip("."), value) for path, value in found if value is not None and not _unknown(value)]
    )


def _step(path: str, value: Any, step: str) -> Iterator[tuple[str, Any]]:
    if step == "[]" and isinstance(value, list):
        yield from ((f"{path}[{index}]", item) for index, item in enumerate(value))
    elif isinstance(value, Mapping):
        yield f"{path}.{step}", value.get(step)


def _unknown(value: Any) -> bool:
    return value is UNKNOWN or (isinstance(value, list) and UNKNOWN in value)


def _combinations(inputs: Mapping[str, Any]) -> Iterator[CheckFailure]:
    if inputs.get("gpus") and inputs.get("deviceRequests"):
        yield CheckFailure(property="gpus", reason="conflicts with deviceRequests: give one of them")
    if inputs.get("logs") and not inputs.get("attach", False):
        yield CheckFailure(
            property="logs", reason="needs attach=true, which waits until the container has ended"
        )
    if inputs.get("wait") and not inputs.get("start", True):
        yield CheckFailure(
            property="wait", reason="needs start=true: a container that is not started has no health"
        )
    for index, volume in values(inputs, "volumes[]"):
        if bool(volume.get("containerPath")) == bool(volume.get("fromContainer")):
            yield CheckFailure(property=index, reason="needs either containerPath or fromContainer")
    for path, upload in values(inputs, "uploads[]"):
        given = [name for name in ("content", "contentBase64", "source") if upload.get(name)]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            yield CheckFailure(
                property=path, reason=f"needs one of content, contentBase64, source; has {found}"
            )
