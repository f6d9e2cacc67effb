"""Which CUDA a host's NVIDIA driver runs. Pure; read without pulumi."""

from __future__ import annotations

import re
from typing import Final, Literal

Cuda = Literal["12.1", "11.8"]

LEAST_DRIVER: Final[dict[Cuda, int]] = {"12.1": 530, "11.8": 450}
"""The first driver branch that runs each, newest first (the review of the trainer's Docker files)."""
FLAVOUR: Final[dict[Cuda, str]] = {"12.1": "cu121", "11.8": "cu118"}
"""As PyTorch names its builds, and tags of the trainer's image end."""

_VERSION = re.compile(r"([0-9]{1,4})(\.[0-9]+)*")


def cuda_for(driver: str) -> Cuda:
    """The newest that this driver (as nvidia-smi prints it, like 535.104.05) runs.

    Raises ValueError for a driver that is too old for any, or is no version.
    """
    for cuda, least in LEAST_DRIVER.items():
        if _branch(driver) >= least:
            return cuda
    oldest = min(LEAST_DRIVER.values())
    raise ValueError(
        f"the NVIDIA driver {driver} is too old for CUDA 11.8 and 12.1; upgrade it to {oldest} or newer "
        f"({LEAST_DRIVER['12.1']} for CUDA 12.1)"
    )


def check_cuda(cuda: Cuda, driver: str) -> None:
    """Raises ValueError where this driver does not run that CUDA."""
    if _branch(driver) < LEAST_DRIVER[cuda]:
        raise ValueError(
            f"CUDA {cuda} needs the NVIDIA driver {LEAST_DRIVER[cuda]} or newer, the host has {driver}; "
            f"allowed: {_newest(driver)}"
        )


def _newest(driver: str) -> str:
    try:
        return f'"{cuda_for(driver)}", or a newer driver'
    except ValueError:
        return f"upgrade the driver to {LEAST_DRIVER['12.1']} or newer"


def _branch(driver: str) -> int:
    found = _VERSION.fullmatch(driver.strip())
    if found is None:
        raise ValueError(f"{driver!r} is no version of an NVIDIA driver, like 535.104.05")
    return int(found[1])
