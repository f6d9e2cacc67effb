"""Units: what is accepted, what it means to Docker, what is refused and how."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.units import Address, Cidr, Cpus, Duration, Memory, Unit


@given(st.integers(6, 1_000_000))
def test_memory_counts_mebibytes(count: int) -> None:
    memory = Memory(f"{count}MiB")
    assert (memory.mebibytes, memory.bytes) == (count, count * 1024 * 1024)
    assert Memory(f"{count}GiB").mebibytes == count * 1024
    assert Memory(f"{count * 1024}KiB").mebibytes == count


def _seconds(text: str) -> Decimal:
    """How Go reads a duration, written the other way round."""
    units = {"h": 3600, "m": 60, "s": 1, "ms": Decimal("0.001")}
    return sum(
        (Decimal(number) * units[unit] for number, unit in re.findall(r"([\d.]+)(ms|[hms])", text)),
        Decimal(0),
    )


@given(st.integers(0, 100_000_000))
def test_duration_reads_back_what_docker_prints(milliseconds: int) -> None:
    duration = Duration(f"{milliseconds}ms")
    assert duration.seconds == Decimal(milliseconds) / 1000
    assert _seconds(duration.docker) == duration.seconds
    assert duration.whole_seconds - 1 < duration.seconds <= duration.whole_seconds


@pytest.mark.parametrize(
    ("text", "docker"),
    [
        ("30s", "30s"),
        ("90s", "1m30s"),
        ("1m30s", "1m30s"),
        ("60m", "1h0m0s"),
        ("500ms", "500ms"),
        ("1500ms", "1.5s"),
        ("0s", "0s"),
        ("2m", "2m0s"),
    ],
)
def test_duration_is_spelled_like_go(text: str, docker: str) -> None:
    assert Duration(text).docker == docker


@given(st.decimals(Decimal("0.01"), 512, places=2))
def test_cpus_keep_their_value_without_trailing_zeros(cores: Decimal) -> None:
    text = Cpus(cores).docker
    assert Decimal(text) == cores
    assert text == text.rstrip(".") and not ("." in text and text.endswith("0"))


@given(st.integers(8, 29), st.integers(0, 2**24 - 1), st.integers(8, 29), st.integers(0, 2**24 - 1))
def test_cidrs_overlap_exactly_when_one_holds_the_other(p1: int, a1: int, p2: int, a2: int) -> None:
    first, second = (_cidr(prefix, host) for prefix, host in ((p1, a1), (p2, a2)))
    shorter = min(first.network.prefixlen, second.network.prefixlen)
    same = int(first.network[0]) >> (32 - shorter) == int(second.network[0]) >> (32 - shorter)
    assert first.overlaps(second) is same is second.overlaps(first)


def _cidr(prefix: int, host: int) -> Cidr:
    value = (10 << 24 | host) >> (32 - prefix) << (32 - prefix)
    return Cidr(".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0)) + f"/{prefix}")


def test_every_address_meets_the_one_for_all_interfaces() -> None:
    every, loopback, other = Address("0.0.0.0"), Address("127.0.0.1"), Address("10.0.0.1")
    assert every.overlaps(loopback) and loopback.overlaps(every) and loopback.overlaps(loopback)
    assert not loopback.overlaps(other)


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        *(
            (Memory, text)
            for text in ("", "512", "512MB", "512 MiB", "1.5GiB", "0MiB", "5MiB", "7000KiB", 512, True, None)
        ),
        *((Duration, text) for text in ("", "30", "-1s", "1.5s", "30 s", "1d", 30)),
        *((Cpus, text) for text in ("", "0", "0.001", "-1", "1000", "500m", "inf", True)),
        *(
            (Cidr, text)
            for text in ("", "10.0.0.0", "10.0.0.1/24", "8.8.8.0/24", "10.0.0.0/30", "300.0.0.0/8", "::/64")
        ),
        *((Address, text) for text in ("", "localhost", "1.2.3", "1.2.3.256")),
    ],
)
def test_a_wrong_unit_says_what_is_allowed(unit: type[Unit], text: object) -> None:
    with pytest.raises(ValueError, match=r"^allowed: ") as error:
        unit(text)
    assert unit.allowed in str(error.value)
