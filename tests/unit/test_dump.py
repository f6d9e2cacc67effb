"""The nightly dump: when it comes, in the words of a POSIX shell, and what it is made of."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from components.base import Identity
from components.care.dump import UNTIL_NEXT, DumpSpec, health, script, service_spec
from components.stores.postgres_settings import PostgresSpec

COMMON: dict[str, Any] = {"identity": Identity(stack="dev", system="test", service="dump")}
STORE = PostgresSpec(**COMMON, alias="postgres", user="owner", database="things", data={"name": "data"})
SPEC = DumpSpec(**COMMON, alias="postgres-dump")
HOUR, MINUTE, SECOND = st.integers(0, 23), st.integers(0, 59), st.integers(0, 59)


def expected(hour: int, minute: int, now: datetime) -> int:
    """The same in Python."""
    then = now.replace(hour=hour, minute=minute, second=0)
    return int(((then if then > now else then + timedelta(days=1)) - now).total_seconds())


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(HOUR, MINUTE, HOUR, MINUTE, SECOND), min_size=1, max_size=60))
def test_the_shell_knows_how_long_it_is_until_then(cases: list[tuple[int, ...]]) -> None:
    lines = [f"until_next {h} {m} {at_h:02}:{at_m:02}:{at_s:02}" for h, m, at_h, at_m, at_s in cases]
    done = subprocess.run(["sh"], input=UNTIL_NEXT + "\n".join(lines), capture_output=True, text=True)
    assert not done.stderr
    assert [int(line) for line in done.stdout.split()] == [
        expected(h, m, datetime(2026, 1, 1, *at)) for h, m, *at in cases
    ]


def test_both_scripts_are_a_shell_s() -> None:
    for text in (script(SPEC, STORE), health(STORE)):
        assert subprocess.run(["sh", "-n"], input=text, text=True).returncode == 0


def test_it_logs_in_over_tls_with_a_password_that_nobody_sees() -> None:
    made = service_spec(SPEC, STORE, "authority")
    assert [env.name for env in made.env] == ["TZ"]
    assert "sslmode=verify-full" in script(SPEC, STORE) and "PGPASSWORD" not in script(SPEC, STORE)
    assert made.rollout.kind == "stop-first" and made.hardening.user == "70:70"


@pytest.mark.parametrize("wrong", [{"hour": 24}, {"keep_days": 0}, {"time_zone": "Mars; reboot"}])
def test_what_no_clock_shows_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DumpSpec(**COMMON, alias="d", **wrong)
