"""Networks that a stack joins."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_docker as docker
import pytest

from components.containers.network import ExistingNetwork


def test_a_network_that_is_not_there_is_told_with_one_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    def get_network(**_: Any) -> None:
        raise Exception(
            "invocation returned an error: there is no network 'door'\n  fix: see `docker network ls`"
        )

    monkeypatch.setattr(docker, "get_network", get_network)
    with pytest.raises(pulumi.RunError) as error:
        ExistingNetwork.by_name("door", provider=None)  # type: ignore[arg-type]
    assert str(error.value) == (
        "network 'door' cannot be joined: there is no network 'door'\n"
        "  fix: run `up` in the stack that owns it first, or correct the name"
    )
