"""The order of words on the command line."""

import pytest

from ops.__main__ import verb_first


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (["-s", "prod", "up", "--json"], ["up", "-s", "prod", "--json"]),
        (["--stack", "prod", "status"], ["status", "--stack", "prod"]),
        (["--stack=prod", "status"], ["status", "--stack=prod"]),
        (["up", "-s", "prod"], ["up", "-s", "prod"]),
        (["-s", "prod"], ["-s", "prod"]),
        ([], []),
    ],
)
def test_the_stack_may_stand_before_the_verb(given: list[str], taken: list[str]) -> None:
    assert verb_first(given) == taken
