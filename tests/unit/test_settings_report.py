"""One report: whatever is wrong at the same time, each of it is told, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, model_validator

from components.spec import Spec
from stacks.problems import read
from tests.unit.mistakes import Mistakes, Stack, report, wrong

ROUTES = [{"method": "GET", "path": f"/r{index}/{{id}}", "target": f"/r{index}"} for index in range(6)]
RIGHT: Stack = {
    "berth:systems": ["gateway"],
    "berth:host": {
        "kind": "ecs",
        "region": "cn-hangzhou",
        "zone": "cn-hangzhou-h",
        "instance_type": "ecs.c7.l",
    },
    "berth:images": {"source": "local", "build": {}},
    "berth:gateway": {"gateway": {"routes": ROUTES}, "network": {}, "processor": {}, "files": {}},
    "berth:secrets": {"aliyun_access_key": "not-to-be-shown"},
}


def route(index: int, **values: str) -> Callable[[Stack], None]:
    """Changes one route."""
    return lambda stack: stack["berth:gateway"]["gateway"]["routes"][index].update(values)


SINGLE: dict[str, Callable[[Stack], None]] = {
    "unknown key": wrong("berth:systms", value=1),
    "the provider's own key": wrong("docker:host", value="tcp://10.0.0.1:2376"),
    "no truth": wrong("berth:generate_secrets", value="perhaps"),
    "given twice": wrong("berth:systems", value=["gateway", "gateway"]),
    "host": wrong("berth:host", "region", value="moon"),
    "vpc": wrong("berth:host", "vpc_cidr", value="8.8.8.0/24"),
    "tag": wrong("berth:images", "tag", value="a b"),
    "login": wrong("berth:images", "login", value={"address": "registry.example"}),
    "build mirror": wrong("berth:images", "build", "npm", value="npm"),
    "closed port": wrong("berth:gateway", "gateway", "port", value=3000),
    "timeout": wrong("berth:gateway", "gateway", "timeout", value="30"),
    "method": route(0, method="get"),
    "path": route(1, path="r1"),
    "unknown name": route(2, target="/r2/{name}"),
    "method and unknown name": route(3, target="/r3/{name}", method="put"),
    "route twice": route(5, path="/r4/{name}"),
    "subnet": wrong("berth:gateway", "network", "subnet", value="10.0.0.0"),
    "unit": wrong("berth:gateway", "processor", "memory", value="512"),
    "count": wrong("berth:gateway", "processor", "replicas", value=0),
    "unknown below": wrong("berth:gateway", "processor", "memry", value="1GiB"),
    "variant": wrong("berth:gateway", "files", value={"kind": "nowhere"}),
    "short secret": wrong("berth:secrets", "aliyun_access_key", value="short"),
    "unknown secret": wrong("berth:secrets", "key", value="not-to-be-shown"),
}


GATEWAY = Mistakes(RIGHT, SINGLE)
ALONE = GATEWAY.alone


def changed(*names: str) -> Stack:
    """The right stack file with these mistakes."""
    return GATEWAY.changed(names)


def test_the_right_one_has_no_problem() -> None:
    assert report(RIGHT) == set()


@pytest.mark.parametrize("name", SINGLE)
def test_each_mistake_alone_is_one_problem(name: str) -> None:
    assert len(ALONE[name]) == (2 if name == "method and unknown name" else 1), ALONE[name]


@given(st.sets(st.sampled_from(sorted(SINGLE))))
def test_mistakes_together_are_all_told_and_nothing_else(names: set[str]) -> None:
    assert report(changed(*names)) == GATEWAY.union(names)


def test_all_mistakes_at_once() -> None:
    assert report(changed(*SINGLE)) == GATEWAY.union(SINGLE)


def test_a_route_that_is_wrong_itself_is_still_one_of_two() -> None:
    stack = changed("route twice")
    route(5, target="r5")(stack)
    lines = sorted(report(stack))
    assert [line.split(": ")[0] for line in lines] == [
        "berth:gateway.gateway.routes",
        "berth:gateway.gateway.routes[5].target",
    ]


@pytest.mark.parametrize("value", [[], "gateway", ["gatewey"], 1, {}, None])
def test_wrong_systems_are_one_problem(value: object) -> None:
    (line,) = report({**RIGHT, "berth:systems": value})
    assert line.startswith("berth:systems") and "tuple" not in line


def test_no_systems_is_one_problem() -> None:
    stack = {key: value for key, value in RIGHT.items() if key != "berth:systems"}
    assert report(stack) == {"berth:systems: required, but not set"}


def test_an_unknown_system_leaves_its_secrets_alone() -> None:
    (line,) = report(changed("unknown secret") | {"berth:systems": ["gateway", "mail"]})
    assert line.startswith("berth:systems[1]: 'mail': allowed: ")


def test_an_unknown_mode_leaves_its_secrets_alone() -> None:
    (line,) = report({**RIGHT, "berth:gateway": {"mode": "both"}, "berth:secrets": {}})
    assert line.startswith("berth:gateway.mode: 'both': allowed: ")


@pytest.mark.parametrize("secrets", ["nope", [], 1])
def test_secrets_that_are_no_mapping_are_one_problem(secrets: object) -> None:
    assert report({**RIGHT, "berth:secrets": secrets}) == {
        "berth:secrets: allowed: a mapping of names to secret values"
    }


def test_a_wrong_mode_hides_nothing_that_is_wrong_in_every_mode() -> None:
    gateway = {"mode": "both", "processor": {"memory": "512"}, "gateway": {"timeout": "30"}, "x": 1}
    lines = sorted(report({**RIGHT, "berth:gateway": gateway}))
    assert [line.split(": ")[0] for line in lines] == [
        "berth:gateway.gateway.timeout",
        "berth:gateway.mode",
        "berth:gateway.processor.memory",
        "berth:gateway.x",
    ]


def test_a_variant_with_the_name_of_a_setting_is_told_from_it() -> None:
    gateway = {"mode": "gateway", "gateway": {"port": 8010}, "processor": {}}
    assert report({**RIGHT, "berth:gateway": gateway, "berth:secrets": {}}) == {
        "berth:gateway.processor: unknown setting"
    }


def _rising(numbers: tuple[int, ...]) -> tuple[int, ...]:
    if list(numbers) != sorted(numbers):
        raise ValueError("allowed: rising numbers")
    return numbers


class Related(Spec):
    """Relations of a list, and of a mapping with defaults."""

    numbers: Annotated[tuple[int, ...], AfterValidator(_rising)] = ()
    low: int = 5
    high: int = 9

    @model_validator(mode="after")
    def _ordered(self) -> Related:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Around(Spec):
    """Holds them."""

    related: Related = Related()
    many: tuple[Related, ...] = ()


@pytest.mark.parametrize(
    ("related", "paths"),
    [
        ({"numbers": ["a", 3, 2]}, ["related.numbers", "related.numbers[0]"]),
        ({"numbers": ["a", 3, "b"]}, ["related.numbers[0]", "related.numbers[2]"]),
        ({"numbers": ["a"], "low": 10}, ["related", "related.numbers[0]"]),
        ({"low": "a", "high": 3}, ["related.low"]),
        ({"low": 10}, ["related"]),
    ],
)
def test_relations_are_told_but_those_with_what_was_left_out(
    related: dict[str, Any], paths: list[str]
) -> None:
    found = read("x:", {"related": related}, Around.model_validate)
    assert sorted(problem.path for problem in found.problems) == [f"x:{path}" for path in paths]


def test_relations_name_the_place_in_the_file_not_the_one_among_the_rest() -> None:
    raw = {"many": [1, {}, 2, {"numbers": ["a", 3, 2]}]}
    assert sorted(problem.path for problem in read("x:", raw, Around.model_validate).problems) == [
        "x:many[0]",
        "x:many[2]",
        "x:many[3].numbers",
        "x:many[3].numbers[0]",
    ]
