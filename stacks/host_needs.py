"""What systems ask of the machine whose engine carries them: room on the disk, memory, GPUs.

Sizes are bytes. A GB is 10^9 of them, as disks are sold. Of the memory that a machine is sold with its kernel
keeps some for itself: one of 8 GiB shows 8 GB only where that is less than 7 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from components.cloud.capacity import LEAST
from components.containers.gpu import Gpu, engine_request, oci_runtime

GB: Final = 10**9
SMALL: Final = LEAST.memory.bytes * 7 // 8
"""The memory of the smallest machine (systems.md, 3: sold with 4 GiB): its kernel keeps at most an eighth."""


@dataclass(frozen=True, kw_only=True)
class GpuNeed:
    """The GPUs of a container, in the words of the engine's API. runtime: None for the engine's default."""

    request: Mapping[str, Any]
    runtime: str | None

    @property
    def by_cdi(self) -> bool:
        """Whether the devices have names of the Container Device Interface."""
        return bool(self.request["Driver"] == "cdi")

    @classmethod
    def of(cls, gpu: Gpu) -> GpuNeed:
        """What a request in a stack file asks for."""
        return cls(request=engine_request(gpu), runtime=oci_runtime(gpu))


@dataclass(frozen=True, kw_only=True)
class HostNeeds:
    """The least. disk: free where the engine keeps its data. memory: of the whole host. 0: none is stated."""

    disk: int = 0
    memory: int = 0
    gpu: GpuNeed | None = None


def together(needs: Iterable[HostNeeds]) -> HostNeeds:
    """What a host needs that carries all of them: room adds up, GPUs are shared."""
    each = list(needs)
    return HostNeeds(
        disk=sum(need.disk for need in each),
        memory=sum(need.memory for need in each),
        gpu=next((need.gpu for need in each if need.gpu), None),
    )
