"""The decisions of our tables beside the official ones; every difference is deliberate, and documented."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from offline.docker import schema
from offline.docker.config import CONFIG
from offline.docker.container import Container
from offline.docker.container_fields import CANNOT_BE_UNSET
from offline.docker.server import FUNCTIONS, RESOURCES, resource
from offline.provider.resource import Field
from tests.unit.official import OFFICIAL

DOCUMENT = Path("docs/docker-plugin.md")
TYPES = {place.partition(":")[0]: token for token, place in RESOURCES.items()}

# Decided by code, beside the tables: the first word of both columns.
BY_CODE = {
    "container": {("networksAdvanced", "replace", "no change")},
    "service": {("taskSpec.networksAdvanceds", "replace", "no change")},
}
_DECISION = re.compile(r"\s*(update|replace|no change|suppressed|completed)\b")
_NAME = re.compile(r"`([\w.*]+)`")


Decided = set[tuple[str, str, str]]
"""Path of an input, what the official provider decides about it, what ours does."""


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


def served(name: str) -> dict[str, tuple[Field, bool]]:
    return {path: (field, replace) for path, field, replace in paths(resource(TYPES[name]).fields)}


def differences(name: str) -> Decided:
    """What our table of this type decides otherwise than the official one."""
    official = OFFICIAL[name]
    replacing, computed, suppressed = (
        {*text.split()} for text in (official.replace, official.computed, official.suppressed)
    )
    found: Decided = set()
    for path, (field, replaces) in served(name).items():
        theirs, ours = ("replace" if yes else "update" for yes in (path in replacing, replaces))
        if theirs != ours:
            found.add((path, theirs, ours))
        if field.same is not None and path not in suppressed:
            found.add((path, theirs, "no change"))
        if field.computed and path not in computed:
            found.add(
                (path, "suppressed", "completed") if path in suppressed else (path, theirs, "no change")
            )
        if (field.same is None and path in suppressed) or (not field.computed and path in computed):
            found.add((path, "no change", ours))
        if name == "container" and path in CANNOT_BE_UNSET:
            found.add((path, "update", "replace"))
    return found


def rows(title: str) -> list[list[str]]:
    """The cells of the rows below a title of the document."""
    _, _, below = DOCUMENT.read_text().partition(f"\n## {title}\n")
    lines = below.partition("\n## ")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][
        2:
    ]


def section(name: str) -> list[list[str]]:
    return rows(TYPES[name].rpartition(":")[2])


def named(cell: str, known: Collection[str]) -> set[str]:
    """The inputs that a cell names; each must exist."""
    found: set[str] = set()
    for path in _NAME.findall(cell):
        matches = {k for k in known if k.startswith(path[:-1])} if path.endswith(".*") else {path} & {*known}
        assert matches, f"{path} is no input"
        found |= matches
    return found


@pytest.mark.parametrize("name", sorted(TYPES))
def test_the_same_inputs_are_served(name: str) -> None:
    official = OFFICIAL[name]
    assert served(name).keys() == {*official.replace.split(), *official.update.split()}


@pytest.mark.parametrize("name", sorted(TYPES))
def test_the_document_lists_the_differences(name: str) -> None:
    documented: Decided = set()
    for cell, *decisions in section(name):
        theirs, ours = (_DECISION.match(decision) for decision in decisions[:2])
        inputs = named(cell, served(name))
        if theirs and ours:
            documented |= {(path, theirs[1], ours[1]) for path in inputs}
    found = differences(name) | BY_CODE.get(name, set())
    assert {"missing": found - documented, "invented": documented - found} == {
        "missing": set(),
        "invented": set(),
    }


def test_a_difference_that_nobody_wrote_down_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = replace(OFFICIAL["container"], update=OFFICIAL["container"].update.replace(" wait ", " "))
    changed = replace(changed, replace=f"{changed.replace} wait")
    monkeypatch.setitem(OFFICIAL, "container", changed)
    assert ("wait", "replace", "update") in differences("container")


def refusals(fields: Mapping[str, Field], above: str = "") -> Iterator[str]:
    for name, field in fields.items():
        if field.refused is not None:
            yield f"{above}{name}"
        else:
            yield from refusals(field.nested or {}, f"{above}{name}.")


def test_the_document_lists_what_is_refused() -> None:
    documented = {of: {*_NAME.findall(names)} for of, names in rows("Refused by name")}
    whole = schema.load()
    found = {token.rpartition(":")[2]: {*refusals(resource(token).fields)} for token in RESOURCES}
    found["the provider's configuration"] = {*refusals(CONFIG)}
    for of, kind, kept in (("types", "resources", RESOURCES), ("functions", "functions", FUNCTIONS)):
        found[f"the provider's {of}"] = {token.rpartition(":")[2] for token in {*whole[kind]} - {*kept}}
    assert documented == {of: names for of, names in found.items() if names}


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
