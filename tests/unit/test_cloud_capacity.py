"""What an instance type has, and what it may carry."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.cloud.capacity import LEAST, Capacity, capacity, must_carry, together
from components.units import Memory


# As the vendor's lists of instance families say, looked up in November 2026.
@pytest.mark.parametrize(
    ("name", "vcpus", "memory"),
    [
        ("ecs.c7.large", 2, "4GiB"),
        ("ecs.c6.xlarge", 4, "8GiB"),
        ("ecs.c7.2xlarge", 8, "16GiB"),
        ("ecs.g7.large", 2, "8GiB"),
        ("ecs.g8i.4xlarge", 16, "64GiB"),
        ("ecs.r7.16xlarge", 64, "512GiB"),
        ("ecs.u1-c1m1.large", 2, "2GiB"),
        ("ecs.u1-c1m2.large", 2, "4GiB"),
        ("ecs.e-c1m4.xlarge", 4, "16GiB"),
        ("ecs.t6-c2m1.large", 2, "1GiB"),
        ("ecs.t6-c4m1.large", 2, "512MiB"),
    ],
)
def test_the_name_tells_what_a_type_has(name: str, vcpus: int, memory: str) -> None:
    assert capacity(name) == Capacity(vcpus=vcpus, memory=Memory(memory))


@pytest.mark.parametrize(
    "name",
    [
        "ecs.c7.tiny",
        "ecs.c6.26xlarge",
        "ecs.gn7i-c8g1.2xlarge",
        "ecs.c7-c1m2.large",
        "ecs.e.large",
        "c7.large",
        "",
    ],
)
def test_a_name_that_tells_nothing_is_refused(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"its vCPU and memory are not known; allowed: .* like ecs\.c7\.large"
    ):
        capacity(name)


def test_the_gateway_fits_on_two_processors_and_four_gibibytes() -> None:
    must_carry("ecs.c7.large", {"gateway": LEAST})
    with pytest.raises(ValueError) as error:
        must_carry("ecs.u1-c1m1.large", {"gateway": LEAST})
    assert str(error.value) == (
        "ecs.u1-c1m1.large has 2 vCPU and 2GiB; allowed: a type of at least 2 vCPU and 4GiB, for gateway"
    )


def test_memory_adds_up() -> None:
    both = {"gateway": LEAST, "celery": LEAST}
    with pytest.raises(ValueError, match="at least 2 vCPU and 8GiB, for gateway and celery"):
        must_carry("ecs.c7.large", both)
    must_carry("ecs.g7.large", both)


def test_a_machine_that_carries_nothing_is_no_smaller() -> None:
    with pytest.raises(ValueError, match="for any machine"):
        must_carry("ecs.t6-c1m1.large", {})


@given(
    st.dictionaries(
        st.text(min_size=1), st.builds(Capacity, vcpus=st.integers(1, 64), memory=st.just("2GiB"))
    )
)
def test_what_carries_all_carries_each(loads: dict[str, Capacity]) -> None:
    needed = together(loads)
    assert needed.vcpus >= LEAST.vcpus and needed.memory.bytes >= LEAST.memory.bytes
    for load in loads.values():
        assert needed.vcpus >= load.vcpus and needed.memory.bytes >= load.memory.bytes
