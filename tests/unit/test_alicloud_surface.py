"""No input of the official alicloud schema is silently dropped: each is served, or refused by name."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping

import pytest

from offline.alicloud import schema, server
from offline.alicloud.bucket import PARTS
from offline.alicloud.bucket_settings import BucketSetting
from offline.alicloud.config import CONFIG
from offline.alicloud.field import Property
from offline.alicloud.lifecycle import CloudResource
from offline.alicloud.lookup import Lookup
from offline.alicloud.oss import OPERATIONS
from offline.alicloud.served import FUNCTIONS, RESOURCES
from offline.provider.resource import Field, ResourceError
from offline.provider.schema import Shape

SERVED = sorted(RESOURCES)
BY_TABLE = [
    token
    for token in SERVED
    if isinstance(served := server.resource(token), CloudResource) and served.product != "oss"
]
"""The resources whose calls are made of tables; the others call their API by themselves."""


def uncovered(
    fields: Mapping[str, Field], shapes: Mapping[str, Shape], seen: tuple[str, ...] = ()
) -> Iterator[str]:
    """Paths of schema properties that no field speaks of, and of fields that the schema does not have."""
    for name, shape in shapes.items():
        path = (*seen, name)
        if name not in fields:
            yield ".".join(path)
            continue
        inner = shape["items"] if shape["type"] == "array" else shape
        if "properties" in inner and fields[name].refused is None:
            yield from uncovered(fields[name].nested or {}, inner["properties"], path)
    yield from (f"{'.'.join((*seen, name))} (not in the schema)" for name in fields if name not in shapes)


def test_the_schema_is_that_of_the_installed_sdk() -> None:
    assert schema.derive() == schema.load()


def test_every_resource_type_is_served_or_refused_by_name() -> None:
    others = schema.load()["others"]["resources"]
    assert len(others) > 1000 and not set(others) & set(SERVED)
    for token in others:
        with pytest.raises(ResourceError, match=f"{token} is not served by this plugin\n  fix: install"):
            server.resource(token)
    with pytest.raises(ResourceError, match="is no type of the alicloud provider"):
        server.resource("alicloud:ecs/nothing:Nothing")


def test_every_function_is_served_or_refused_by_name() -> None:
    for token in FUNCTIONS:
        assert callable(server.function(token))
    others = schema.load()["others"]["functions"]
    assert len(others) > 700
    for token in others:
        with pytest.raises(ResourceError, match=f"{token} is not served by this plugin\n  fix: install"):
            server.function(token)


@pytest.mark.parametrize("token", SERVED)
def test_every_input_is_served_or_refused(token: str) -> None:
    served = server.resource(token)
    assert served.type == token
    assert list(uncovered(served.fields, schema.inputs_of(token))) == []


@pytest.mark.parametrize("token", SERVED)
def test_every_refusal_says_why(token: str) -> None:
    def refusals(fields: Mapping[str, Field]) -> Iterator[str]:
        for one in fields.values():
            if one.refused is not None:
                yield one.refused
            yield from refusals(one.nested or {})

    assert all(len(reason) > 20 for reason in refusals(server.resource(token).fields))


@pytest.mark.parametrize("token", sorted(FUNCTIONS))
def test_every_argument_is_served_or_refused(token: str) -> None:
    shapes = schema.arguments_of(token)
    call = server.function(token)
    assert list(uncovered(call.arguments if isinstance(call, Lookup) else {}, shapes)) == []


def test_every_config_variable_is_served_or_refused() -> None:
    assert list(uncovered(CONFIG, schema.config())) == []


@pytest.mark.parametrize("token", BY_TABLE)
def test_every_action_and_parameter_of_the_tables_is_one_of_the_sdk(token: str) -> None:
    """What a table misspells would fail only once that property is used."""
    served = server.resource(token)
    assert isinstance(served, CloudResource)
    packages = {"ecs": "ecs20140526", "vpc": "vpc20160428", "ram": "ram20150501"}
    models = importlib.import_module(f"alibabacloud_{packages[served.product]}.models")

    def unknown(action: str, parameters: set[str]) -> list[str]:
        known = re.findall(r"result\['([^']+)'\]", inspect.getsource(getattr(models, f"{action}Request")))
        return [f"{action}.{name}" for name in sorted(parameters - set(known))]

    created = {one.create for one in served.fields.values() if isinstance(one, Property) and one.create}
    wrong = unknown(served.creation.action, created | served.creation.fixed.keys())
    for change in served.changes:
        names = {*change.properties.values(), *change.fixed, change.id or served.id_parameter}
        wrong += unknown(change.action, names)
    assert getattr(models, f"{served.deletion.action}Request")
    assert wrong == []


def test_every_setting_of_a_bucket_is_one_of_the_sdk() -> None:
    from alibabacloud_oss_v2 import Client

    resources = [one for one in map(server.resource, SERVED) if isinstance(one, BucketSetting)]
    assert len(resources) > 9
    for name in {one.operation for one in resources} | {part.operation for part in PARTS.values()}:
        snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        assert hasattr(Client, f"put_bucket_{snake}") and hasattr(Client, f"get_bucket_{snake}"), name
        assert OPERATIONS[f"PutBucket{name}"] == ("PUT", OPERATIONS[f"GetBucket{name}"][1])


def test_tables_speak_of_properties_that_there_are() -> None:
    for token in SERVED:
        served = server.resource(token)
        names = set(schema.inputs_of(token))
        if isinstance(served, CloudResource):
            assert all(change.properties.keys() <= names for change in served.changes), token
        for one in served.fields.values():
            assert not isinstance(one, Property) or set(one.conflicts) <= names, token
