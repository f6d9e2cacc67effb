"""COVERAGE.md says what is so."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator import coverage
from emulator.server import SERVICES
from tests.cloud.shapes import compared

BY_PRODUCT = {service.product: service for service in SERVICES.values()}
ACTIONS = [(product, action) for product, service in BY_PRODUCT.items() for action in service.actions]
RENEW = "renew it: BERTH_ANSWERED=1 pytest tests/cloud && python -m emulator.coverage"


def test_the_page_is_current() -> None:
    assert coverage.PAGE.read_text() == coverage.rendered(BY_PRODUCT, coverage.recorded()), RENEW


@pytest.mark.parametrize(("product", "action"), ACTIONS)
def test_every_action_was_answered_by_the_sdk(product: str, action: str) -> None:
    seen = coverage.recorded().get(product, {}).get(action)
    assert seen is not None, RENEW
    assert "SDK" in seen["clients"]


def test_nothing_is_recorded_that_is_not_served() -> None:
    record = coverage.recorded()
    assert {(product, action) for product in record for action in record[product]} <= set(ACTIONS), RENEW


@pytest.mark.parametrize(("product", "action"), ACTIONS)
def test_every_parameter_that_is_served_is_one_of_the_sdk(product: str, action: str) -> None:
    """A name with a mistake in it would be served to nobody. What every request may have is left out."""
    served = set(coverage.served_parameters(BY_PRODUCT[product].actions[action].model))
    common = {"RegionId", "ClientToken", "DryRun"}
    unknown = served - coverage.known_parameters(product, action) - common
    assert sorted(unknown - coverage.SENT_BY_OTHERS.get((product, action), frozenset())) == []


def test_an_answer_is_held_against_the_model() -> None:
    """The check itself: each of these is found."""
    model = coverage.answer_of("vpc", "DescribeVpcs")
    fields: set[str] = set()
    answer = {
        "RequestId": "x",
        "TotalCount": "3",
        "PageNumber": True,
        "Moon": 1,
        "Vpcs": {"Vpc": [{"VpcId": "v", "IsDefault": "no", "Tags": []}, "v"]},
    }
    problems = [problem.partition(": ")[2] for problem in compared(model, answer, "X", "", fields)]
    assert problems == [
        "TotalCount is no int: '3'",
        "PageNumber is no int: True",
        "Moon is not known to DescribeVpcsResponseBody",
        "Vpcs.Vpc.IsDefault is no bool: 'no'",
        "Vpcs.Vpc.Tags is no object: []",
        "Vpcs.Vpc is no object: 'v'",
    ]
    assert "Vpcs.Vpc.VpcId" in fields
    assert "Moon" not in fields


def test_every_field_of_every_model_is_read() -> None:
    """The reading of the SDK's code: as many fields as its models have attributes, nested ones too."""
    for product, action in ACTIONS:
        model = coverage.answer_of(product, action)
        for one in {model, *(kind.model for kind in coverage.kinds(model).values() if kind.model)}:
            assert len(coverage.kinds(one)) == len(vars(one())), one.__name__


def test_it_is_the_only_one_that_needs_the_sdks() -> None:
    for path in coverage.FOLDER.rglob("*.py"):
        if path != Path(coverage.__file__):
            assert "import alibabacloud" not in path.read_text(), path
            assert "from alibabacloud" not in path.read_text(), path
