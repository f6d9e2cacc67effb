"""Instance types: a choice of the real ones, under their names, with what they have.

vCPUs, memory and GPUs are Alibaba Cloud's ("Overview of instance families"); quotas of network interfaces,
queues and bandwidth are of the size that its documents give for a type with as many vCPUs, not to the last
digit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final


@dataclass(frozen=True)
class Family:
    """Types that are alike but for their size."""

    id: str
    generation: str
    """As `DescribeInstanceTypeFamilies` says it: ecs-1 is the oldest."""
    level: str
    """EntryLevel, EnterpriseLevel or CreditEntryLevel."""
    category: str
    processor: str
    gigahertz: float
    turbo: float
    nvme: str = "unsupported"
    gpu: str = ""
    gpu_gib: float = 0


@dataclass(frozen=True)
class InstanceType:
    id: str
    family: Family
    vcpus: int
    gib: float
    gpus: int = 0
    initial_credit: int = 0
    """Of types that save up CPU time: 0 for the others."""
    baseline_credit: int = 0

    @property
    def enis(self) -> int:
        """Network interfaces, the first one included."""
        return next(
            number for most, number in ((2, 2), (4, 3), (8, 4), (12, 6), (1024, 8)) if self.vcpus <= most
        )

    @property
    def eni_addresses(self) -> int:
        """Private addresses of one network interface, of each IP version."""
        return next(number for most, number in ((2, 6), (8, 15), (1024, 30)) if self.vcpus <= most)

    @property
    def queues(self) -> int:
        """Of the first network interface."""
        return max(1, min(32, self.vcpus // 2 if self.vcpus > 2 else self.vcpus))

    @property
    def mbit(self) -> int:
        """Bandwidth inside the VPC, each way."""
        return max(1, round(self.vcpus / 2)) * 1000

    @property
    def packets(self) -> int:
        """A second, each way."""
        return min(24_000_000, max(300_000, self.vcpus * 150_000))


_SIZES: Final = {
    "large": 2, "xlarge": 4, "2xlarge": 8, "3xlarge": 12, "4xlarge": 16, "6xlarge": 24, "8xlarge": 32,
    "12xlarge": 48, "13xlarge": 52, "16xlarge": 64, "24xlarge": 96, "26xlarge": 104, "32xlarge": 128,
    "48xlarge": 192, "64xlarge": 256,
}  # fmt: skip
"""vCPUs by the last part of a type's name."""

_ICE, _SAPPHIRE = "Intel(R) Xeon(R) Platinum 8369B", "Intel(R) Xeon(R) Platinum 8475B"
_CASCADE, _ROME, _MILAN = "Intel(R) Xeon(R) Platinum 8269CY", "AMD EPYC(TM) 7H12", "AMD EPYC(TM) 7T83"
_GENERATIONS: Final = {
    "6": ("ecs-5", _CASCADE, 2.5, 3.2,
          "large xlarge 2xlarge 3xlarge 4xlarge 6xlarge 8xlarge 13xlarge 26xlarge"),
    "7": ("ecs-6", _ICE, 2.7, 3.5, "large xlarge 2xlarge 3xlarge 4xlarge 6xlarge 8xlarge 16xlarge 32xlarge"),
    "8i": ("ecs-7", _SAPPHIRE, 2.7, 3.8,
           "large xlarge 2xlarge 3xlarge 4xlarge 6xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    "6a": ("ecs-5", _ROME, 2.6, 3.3, "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge 32xlarge 64xlarge"),
    "7a": ("ecs-6", _MILAN, 2.55, 3.5, "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge 32xlarge"),
}  # fmt: skip
_RATIOS: Final = {"c": ("Compute-optimized", 2), "g": ("General-purpose", 4), "r": ("Memory-optimized", 8)}
"""GiB of memory for a vCPU."""

_BURSTABLE: Final = (
    ("c4m1.large", 2, 0.5, 6), ("c2m1.large", 2, 1, 12), ("c1m1.large", 2, 2, 24), ("c1m2.large", 2, 4, 24),
    ("c1m4.large", 2, 8, 36), ("c1m1.xlarge", 4, 4, 48), ("c1m2.xlarge", 4, 8, 48),
    ("c1m4.xlarge", 4, 16, 96),
    ("c1m1.2xlarge", 8, 8, 96), ("c1m2.2xlarge", 8, 16, 96), ("c1m4.2xlarge", 8, 32, 192),
)  # fmt: skip
"""Of ecs.t6: name, vCPUs, GiB, credits earned an hour."""
_ECONOMY: Final = (
    ("c1m1.large", 2, 2), ("c1m2.large", 2, 4), ("c1m4.large", 2, 8), ("c1m2.xlarge", 4, 8),
    ("c1m4.xlarge", 4, 16), ("c1m2.2xlarge", 8, 16), ("c1m4.2xlarge", 8, 32), ("c1m2.4xlarge", 16, 32),
    ("c1m4.4xlarge", 16, 64),
)  # fmt: skip
_GPU: Final = {
    Family("ecs.gn6i", "ecs-5", "EnterpriseLevel", "GPU", _CASCADE, 2.5, 3.2, gpu="NVIDIA T4", gpu_gib=16): (
        ("c4g1.xlarge", 4, 15, 1), ("c8g1.2xlarge", 8, 31, 1), ("c16g1.4xlarge", 16, 62, 1),
        ("c24g1.6xlarge", 24, 93, 1), ("c24g1.12xlarge", 48, 186, 2), ("c24g1.24xlarge", 96, 372, 4),
    ),
    Family("ecs.gn6v", "ecs-5", "EnterpriseLevel", "GPU", _CASCADE, 2.5, 0, gpu="NVIDIA V100", gpu_gib=16): (
        ("c8g1.2xlarge", 8, 32, 1), ("c8g1.8xlarge", 32, 128, 4), ("c8g1.16xlarge", 64, 256, 8),
    ),
    Family("ecs.gn7i", "ecs-6", "EnterpriseLevel", "GPU", _ICE, 2.9, 3.5, "required", "NVIDIA A10", 24): (
        ("c8g1.2xlarge", 8, 30, 1), ("c16g1.4xlarge", 16, 60, 1), ("c32g1.8xlarge", 32, 188, 1),
        ("c32g1.16xlarge", 64, 376, 2), ("c32g1.32xlarge", 128, 752, 4),
    ),
    Family("ecs.gn7e", "ecs-6", "EnterpriseLevel", "GPU", _ICE, 2.9, 3.5, "required", "NVIDIA A100", 80): (
        ("c16g1.4xlarge", 16, 125, 1), ("c16g1.8xlarge", 32, 250, 2), ("c16g1.16xlarge", 64, 500, 4),
        ("c16g1.32xlarge", 128, 1000, 8),
    ),
}  # fmt: skip


def _types() -> Iterator[InstanceType]:
    t6 = Family("ecs.t6", "ecs-5", "CreditEntryLevel", "Shared", _CASCADE, 2.5, 3.2)
    for name, vcpus, gib, earned in _BURSTABLE:
        yield InstanceType(
            f"ecs.t6-{name}", t6, vcpus, gib, initial_credit=30 * vcpus, baseline_credit=earned
        )
    economy = Family("ecs.e", "ecs-6", "EntryLevel", "Shared", "Intel(R) Xeon(R) Platinum", 2.5, 0)
    for name, vcpus, gib in _ECONOMY:
        yield InstanceType(f"ecs.e-{name}", economy, vcpus, gib)
    for suffix, (generation, processor, gigahertz, turbo, sizes) in _GENERATIONS.items():
        for letter, (category, ratio) in _RATIOS.items():
            nvme = (
                "required" if suffix in ("8i",) else "supported" if suffix.startswith("7") else "unsupported"
            )
            id_ = f"ecs.{letter}{suffix}"
            family = Family(id_, generation, "EnterpriseLevel", category, processor, gigahertz, turbo, nvme)
            for size in sizes.split():
                gib = _SIZES[size] * ratio
                # The largest of these two gives a part of the host's memory to the host.
                gib = {"26xlarge": {2: 192, 4: 384, 8: 768}}.get(size, {}).get(ratio, gib)
                gib = {"13xlarge": {2: 96, 4: 192, 8: 384}}.get(size, {}).get(ratio, gib)
                yield InstanceType(f"{id_}.{size}", family, _SIZES[size], gib)
    for family, types in _GPU.items():
        for name, vcpus, gib, gpus in types:
            yield InstanceType(f"{family.id}-{name}", family, vcpus, gib, gpus)


@cache
def instance_types() -> dict[str, InstanceType]:
    """All, by id."""
    return {one.id: one for one in _types()}


@cache
def families() -> dict[str, Family]:
    return {one.family.id: one.family for one in instance_types().values()}
