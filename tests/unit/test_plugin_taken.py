"""What is said about a network or volume whose name is taken."""

from __future__ import annotations

import threading

import pytest

from offline.docker.taken import taken
from offline.provider.resource import Context

NETWORK = "docker:index/network:Network"


def said(labels: dict[str, str] | None, *, parents: str = "", type: str = NETWORK) -> str:
    ctx = Context(
        engine=None,
        urn=f"urn:pulumi:two::berth::{parents}{type}::gateway-network-bridge",
        log=print,
        warn=print,
        cancelled=threading.Event(),
    )
    return str(taken(ctx, type, "net", id="0123", labels=labels))


def test_what_another_stack_owns_is_named_and_not_offered() -> None:
    assert said({"berth.stack": "dev", "berth.system": "gateway"}) == (
        "a network 'net' exists already and belongs to stack dev of berth\n"
        "  fix: give stack two its own name: berth:gateway.network.name"
    )


@pytest.mark.parametrize("labels", [None, {}, {"berth.stack": "two"}])
def test_the_import_command_is_filled(labels: dict[str, str] | None) -> None:
    line = f"pulumi import {NETWORK} gateway-network-bridge 0123 --stack two"
    assert said(labels).endswith(line) and "docker network rm net" in said(labels)


def test_a_child_needs_its_parent_and_provider() -> None:
    assert "--stack two --parent NAME=URN --provider" in said(None, parents="berth:stacks:Gateway$")


def test_a_volume_has_no_setting_for_its_name() -> None:
    text = said({"berth.stack": "dev", "berth.system": "gateway"}, type="docker:index/volume:Volume")
    assert text.endswith("give stack two its own name")
