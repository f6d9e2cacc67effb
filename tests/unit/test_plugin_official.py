"""The decisions of our tables beside the official ones; every difference is deliberate, and documented."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from offline.docker.container import Container
from offline.docker.container_fields import CANNOT_BE_UNSET
from offline.docker.resource import Field
from offline.docker.server import RESOURCES, resource
from tests.unit.official import OFFICIAL

DOCUMENT = Path("docs/docker-plugin.md")
TYPES = {place.partition(":")[0]: token for token, place in RESOURCES.items()}

# Official: update, without any effect on the container that exists. Ours: replace.
REPLACED = {
    "container": {
        *("healthcheck", "init", "tmpfs", "mounts.readOnly", "mounts.source", "mounts.target", "mounts.type"),
        *(f"healthcheck.{name}" for name in ("interval", "retries", "startInterval", "startPeriod")),
        *("healthcheck.tests", "healthcheck.timeout"),
        *("mounts.bindOptions", "mounts.bindOptions.propagation"),
        *(f"mounts.tmpfsOptions.{name}" for name in ("mode", "sizeBytes")),
        *(f"mounts.volumeOptions.{name}" for name in ("driverName", "driverOptions", "noCopy")),
    },
    "service": {"mode.global"},
}
_MOUNTS = "taskSpec.containerSpec.mounts"
_LABELS = f"{_MOUNTS}.volumeOptions.labels"
# Official: replace, as labels of a volume cannot change. Ours: a new task, which mounts what is asked for.
UPDATED = {
    "service": {_MOUNTS, f"{_MOUNTS}.volumeOptions", _LABELS, f"{_LABELS}.label", f"{_LABELS}.value"},
}

# Ours forgives another spelling of one value; the official provider sees a change.
FORGIVEN = {
    "container": {
        *("capabilities.adds", "capabilities.drops", "cpus"),
        *(f"healthcheck.{name}" for name in ("interval", "startInterval", "startPeriod", "timeout")),
    },
    "service": {
        *("convergeConfig.delay", "convergeConfig.timeout", "endpointSpec.ports"),
        *("rollbackConfig.delay", "rollbackConfig.monitor", "updateConfig.delay", "updateConfig.monitor"),
        *("taskSpec.restartPolicy.delay", "taskSpec.restartPolicy.window"),
        *("taskSpec.containerSpec.image", "taskSpec.containerSpec.stopGracePeriod"),
        *(f"taskSpec.containerSpec.healthcheck.{name}" for name in ("interval", "startPeriod", "timeout")),
    },
}

# Left out, these keep what the engine reports; the official suppression does so for the first two.
COMPLETED = {"container": {"user", "workingDir"}, "network": {"ipamConfigs.gateway"}}

# What the document has to name: the differences above, and those that no table of fields shows.
DOCUMENTED = {
    *("mounts", "healthcheck", "init", "tmpfs", "mode.global", "capabilities", "cpus", "ipamConfigs.gateway"),
    *(
        "endpointSpec.ports",
        "containerSpec.image",
        "containerSpec.mounts",
        "networksAdvanced",
        "stopTimeout",
        "auth",
    ),
    *CANNOT_BE_UNSET,
}


def paths(
    fields: Mapping[str, Field], above: str = "", replace: bool = False
) -> Iterator[tuple[str, Field, bool]]:
    """Every served input with whether a change of it needs a new object."""
    for name, field in fields.items():
        if field.refused is None:
            path, own = f"{above}{name}", replace or field.replace
            nested = list(paths(field.nested or {}, f"{path}.", own))
            yield path, field, own or any(needs for _, _, needs in nested)
            yield from nested


@pytest.mark.parametrize("name", sorted(TYPES))
def test_the_decisions_are_the_official_ones(name: str) -> None:
    ours = {path: replace for path, _, replace in paths(resource(TYPES[name]).fields)}
    official = OFFICIAL[name]
    assert ours.keys() == {*official.replace.split(), *official.update.split()}
    assert {path for path in official.update.split() if ours[path]} == REPLACED.get(name, set())
    assert {path for path in official.replace.split() if not ours[path]} == UPDATED.get(name, set())


@pytest.mark.parametrize("name", sorted(TYPES))
def test_what_is_no_change_officially_is_none_here(name: str) -> None:
    fields = {path: field for path, field, _ in paths(resource(TYPES[name]).fields)}
    computed = {path for path, field in fields.items() if field.computed}
    assert computed ^ {*OFFICIAL[name].computed.split()} == COMPLETED.get(name, set())
    forgiven = {path for path, field in fields.items() if field.same is not None}
    assert forgiven ^ {*OFFICIAL[name].suppressed.split()} == FORGIVEN.get(name, set())


@pytest.mark.parametrize("name", sorted(TYPES))
def test_the_defaults_are_the_official_ones(name: str) -> None:
    """`__defaults` of a state names them, so one more would be a change to the official provider."""
    fields = {path: field for path, field, _ in paths(resource(TYPES[name]).fields)}
    defaults = {path: field.default for path, field in fields.items() if field.default is not None}
    assert defaults == OFFICIAL[name].defaults


@pytest.mark.parametrize("limit", CANNOT_BE_UNSET)
def test_a_limit_that_is_taken_away_replaces(limit: str) -> None:
    """Officially an update, which sends a zero that the engine reads as `leave it`."""
    state = {"name": "c", "image": "i", limit: "0" if limit == "cpuSet" else 8}
    change = Container().diff(None, "id", state, {"name": "c", "image": "i"})  # type: ignore[arg-type]
    assert change is not None and change.replace == [limit]


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_each_difference_is_documented(name: str) -> None:
    rows = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("|")]
    assert any(f"`{name}`" in row.split("|")[1] for row in rows)
