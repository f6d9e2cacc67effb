"""What a service's inputs may be: the official schema's rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from offline.docker.container_check import (
    Rule,
    at_least,
    broken,
    duration,
    parses,
    pattern,
    values,
)
from offline.docker.container_units import assignments
from offline.provider.resource import CheckFailure

_SPEC = "taskSpec.containerSpec"


def _ratio(value: Any) -> str | None:
    try:
        return None if 0 <= float(value) <= 1 else f"'{value}' is not between 0.0 and 1.0"
    except ValueError:
        return f"'{value}' is not a number"


RULES: dict[str, Rule] = {
    f"{_SPEC}.mounts[].type": pattern(r"^(bind|volume|tmpfs)$", "bind, volume, tmpfs"),
    f"{_SPEC}.mounts[].bindOptions.propagation": pattern(
        r"^(private|rprivate|shared|rshared|slave|rslave)$",
        "private, rprivate, shared, rshared, slave, rslave",
    ),
    f"{_SPEC}.isolation": pattern(r"^(default|process|hyperv)$", "default, process, hyperv"),
    f"{_SPEC}.stopGracePeriod": duration,
    **{f"{_SPEC}.healthcheck.{name}": duration for name in ("interval", "timeout", "startPeriod")},
    f"{_SPEC}.healthcheck.retries": at_least(0),
    f"{_SPEC}.secrets[].fileMode": at_least(0),
    f"{_SPEC}.configs[].fileMode": at_least(0),
    "taskSpec.restartPolicy.condition": pattern(r"^(none|on-failure|any)$", "none, on-failure, any"),
    "taskSpec.restartPolicy.delay": duration,
    "taskSpec.restartPolicy.window": duration,
    "taskSpec.restartPolicy.maxAttempts": at_least(0),
    "taskSpec.placement.maxReplicas": at_least(0),
    "taskSpec.forceUpdate": at_least(0),
    "taskSpec.runtime": pattern(
        r"^container$", "container; a service of plugins needs the official provider"
    ),
    "taskSpec.networksAdvanceds[].driverOpts": parses(assignments),
    "taskSpec.resources.reservation.genericResources.namedResourcesSpecs": parses(assignments),
    "taskSpec.resources.reservation.genericResources.discreteResourcesSpecs": parses(
        lambda entries: [int(value) for value in assignments(entries).values()]
    ),
    "mode.replicated.replicas": at_least(0),
    "endpointSpec.mode": pattern(r"^(vip|dnsrr)$", "vip, dnsrr"),
    "endpointSpec.ports[].protocol": pattern(r"^(tcp|udp|sctp)$", "tcp, udp, sctp"),
    "endpointSpec.ports[].publishMode": pattern(r"^(host|ingress)$", "host, ingress"),
    "convergeConfig.delay": duration,
    "convergeConfig.timeout": duration,
    **{
        f"{config}.{name}": rule
        for config, actions in (
            ("updateConfig", "pause|continue|rollback"),
            ("rollbackConfig", "pause|continue"),
        )
        for name, rule in (
            ("delay", duration),
            ("monitor", duration),
            ("parallelism", at_least(0)),
            ("maxFailureRatio", _ratio),
            ("order", pattern(r"^(stop-first|start-first)$", "stop-first, start-first")),
            ("failureAction", pattern(rf"^({actions})$", actions.replace("|", ", "))),
        )
    },
}


def failures(inputs: Mapping[str, Any]) -> list[CheckFailure]:
    """Everything wrong with the inputs, at once. Values that are not known yet are taken as good."""
    return [*broken(RULES, inputs), *_combinations(inputs)]


def _combinations(inputs: Mapping[str, Any]) -> Iterator[CheckFailure]:
    mode = inputs.get("mode")
    if isinstance(mode, Mapping) and mode.get("global") is True:
        if mode.get("replicated"):
            yield CheckFailure(property="mode.global", reason="conflicts with mode.replicated")
        if inputs.get("convergeConfig"):
            yield CheckFailure(property="convergeConfig", reason="conflicts with mode.global")
    for path, network in values(inputs, "taskSpec.networksAdvanceds[]"):
        if not network.get("id") and not network.get("name"):
            yield CheckFailure(property=path, reason="needs an id or a name")
