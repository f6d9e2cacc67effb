"""The CUDA matrix, at each of its boundaries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.containers.cuda import Cuda, check_cuda, cuda_for


@pytest.mark.parametrize(
    ("driver", "cuda"),
    [
        ("450", "11.8"),
        ("450.36.06", "11.8"),
        ("529", "11.8"),
        ("529.99.99", "11.8"),
        ("530", "12.1"),
        ("530.30.02", "12.1"),
        ("535.104.05", "12.1"),
        ("1000.1", "12.1"),
    ],
)
def test_driver_decides(driver: str, cuda: Cuda) -> None:
    assert cuda_for(driver) == cuda
    check_cuda(cuda, driver)


@pytest.mark.parametrize("driver", ["449", "449.99", "390.157", "99"])
def test_a_driver_that_is_too_old_is_to_be_upgraded(driver: str) -> None:
    with pytest.raises(ValueError, match=rf"driver {driver} is too old.*upgrade it to 450 or newer"):
        cuda_for(driver)


@pytest.mark.parametrize(
    ("cuda", "driver", "way_out"),
    [
        ("12.1", "529.99", 'allowed: "11.8", or a newer driver'),
        ("12.1", "449.1", "upgrade the driver to 530"),
        ("11.8", "449", "upgrade the driver to 530"),
    ],
)
def test_a_chosen_cuda_is_checked_against_the_driver(cuda: Cuda, driver: str, way_out: str) -> None:
    with pytest.raises(ValueError, match=way_out):
        check_cuda(cuda, driver)


def test_an_older_cuda_may_be_chosen_on_a_newer_driver() -> None:
    check_cuda("11.8", "550.54.15")


@pytest.mark.parametrize("text", ["", "N/A", "five", "530-server", "530.", "\n"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no version"):
        cuda_for(text)


@given(st.integers(0, 9999), st.integers(0, 999))
def test_every_driver_has_one_answer(branch: int, minor: int) -> None:
    driver = f"{branch}.{minor:02}"
    if branch < 450:
        with pytest.raises(ValueError, match="upgrade"):
            cuda_for(driver)
    else:
        assert cuda_for(driver) == ("12.1" if branch >= 530 else "11.8")
