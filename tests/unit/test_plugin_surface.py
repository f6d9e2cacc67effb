"""No input of the official schema is silently dropped: each is served, or refused by name with a reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from offline.docker import schema, server
from offline.docker.config import CONFIG
from offline.provider.resource import Field, ResourceError
from offline.provider.schema import object_of

SERVED = sorted(server.RESOURCES)
REFUSED = {
    "docker:index/buildxBuilder:BuildxBuilder",
    "docker:index/plugin:Plugin",
    "docker:index/registryImage:RegistryImage",
    "docker:index/secret:Secret",
    "docker:index/serviceConfig:ServiceConfig",
}
REFUSED_FUNCTIONS = {
    "docker:index/getPlugin:getPlugin",
    "docker:index/getRegistryImage:getRegistryImage",
    "docker:index/getRegistryImageManifests:getRegistryImageManifests",
}


def uncovered(
    fields: Mapping[str, Field], shapes: Mapping[str, schema.Shape], seen: tuple[str, ...] = ()
) -> Iterator[str]:
    """Paths of schema properties that no field speaks of, and of fields that the schema does not have."""
    for name, shape in shapes.items():
        path = (*seen, name)
        if name not in fields:
            yield ".".join(path)
            continue
        inner = object_of(shape)
        if inner is not None and fields[name].refused is None:
            yield from uncovered(fields[name].nested or {}, inner[0], path)
    yield from (f"{'.'.join((*seen, name))} (not in the schema)" for name in fields if name not in shapes)


def test_the_schema_is_that_of_the_installed_sdk() -> None:
    assert schema.derive() == schema.load()


def test_every_resource_type_is_served_or_refused() -> None:
    assert {*SERVED, *REFUSED} == set(schema.load()["resources"])
    for token in REFUSED:
        with pytest.raises(ResourceError, match="not served by this plugin"):
            server.resource(token)


@pytest.mark.parametrize("token", SERVED)
def test_every_input_is_served_or_refused(token: str) -> None:
    served = server.resource(token)
    assert served.type == token
    assert list(uncovered(served.fields, schema.inputs_of(token))) == []


@pytest.mark.parametrize("token", SERVED)
def test_every_refusal_says_why(token: str) -> None:
    def refusals(fields: Mapping[str, Field]) -> Iterator[str]:
        for field in fields.values():
            if field.refused is not None:
                yield field.refused
            yield from refusals(field.nested or {})

    assert all(len(reason) > 20 for reason in refusals(server.resource(token).fields))


def test_every_config_variable_is_served() -> None:
    assert list(uncovered(CONFIG, schema.config())) == []


def test_every_function_is_served_or_refused() -> None:
    assert {*server.FUNCTIONS, *REFUSED_FUNCTIONS} == set(schema.load()["functions"])
    for token in server.FUNCTIONS:
        assert callable(server.function(token))
    for token in REFUSED_FUNCTIONS:
        with pytest.raises(ResourceError, match="not served by this plugin"):
            server.function(token)
