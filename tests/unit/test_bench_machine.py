"""How much of the processors' time a measurement got."""

from hypothesis import given
from hypothesis import strategies as st

from bench.machine import Processors

TICKS = st.integers(min_value=0, max_value=10**12)


def stat(user: int, idle: int, stolen: int) -> str:
    return f"cpu  {user} 0 0 {idle} 0 0 0 {stolen} 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"


@given(TICKS, TICKS, TICKS, TICKS, TICKS, TICKS)
def test_only_time_that_was_wanted_can_be_stolen(
    u: int, i: int, s: int, ran: int, idle: int, lost: int
) -> None:
    before, after = Processors.now(stat(u, i, s)), Processors.now(stat(u + ran, i + idle, s + lost))
    part = after.stolen_since(before)
    assert part == (lost / (ran + lost) if ran + lost else 0)


def test_of_this_machine() -> None:
    before = Processors.now()
    while (after := Processors.now()).busy == before.busy:
        sum(range(10_000))
    assert 0 <= after.stolen_since(before) < 1
