"""The nightly dump's arithmetic with busybox's shell, which the official alpine image has."""

from __future__ import annotations

from datetime import datetime
from itertools import product

import docker
import pytest

from components.care.dump import UNTIL_NEXT
from tests.docker.images import BUSYBOX, busybox_image  # noqa: F401
from tests.docker.once import said
from tests.unit.test_dump import expected

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("busybox_image")]


def test_busybox_knows_how_long_it_is_until_then() -> None:
    cases = list(product((0, 2, 8, 9, 23), (0, 8, 59), (0, 2, 8, 9, 10, 23), (0, 8, 9, 59), (0, 8, 9, 59)))
    lines = [f"until_next {h} {m} {at_h:02}:{at_m:02}:{at_s:02}" for h, m, at_h, at_m, at_s in cases]
    client = docker.from_env()
    try:
        told = said(client, BUSYBOX, ["sh", "-c", UNTIL_NEXT + "\n".join(lines)], network_disabled=True)
    finally:
        client.close()
    assert [int(line) for line in told.split()] == [
        expected(h, m, datetime(2026, 1, 1, *at)) for h, m, *at in cases
    ]
