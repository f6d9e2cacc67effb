"""What an instance type has, read from its name, and whether that is enough for what it will carry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field

from components.spec import Spec
from components.units import Memory


class Capacity(Spec):
    """Processors and memory of a machine."""

    vcpus: Annotated[int, Field(ge=1)]
    memory: Memory

    def __str__(self) -> str:
        return f"{self.vcpus} vCPU and {self.memory}"


LEAST: Final = Capacity(vcpus=2, memory=Memory("4GiB"))
"""Of any machine, whatever it carries (systems.md, 3)."""

# MiB for each vCPU: compute, general purpose, memory. x86 only, as the images are.
_FAMILIES: Final = {
    f"{letter}{generation}": mebibytes
    for letter, mebibytes in {"c": 2048, "g": 4096, "r": 8192}.items()
    for generation in ("6", "6e", "7", "7a", "8i", "8a", "9i")
}
# These say the ratio in the name of the type: ecs.u1-c1m2.large has 2 GiB for each vCPU.
_WITH_RATIO: Final = ("e", "t6", "u1")
# 13xlarge and 26xlarge do not keep to the ratio of their family.
_VCPUS: Final = {"large": 2, "xlarge": 4} | {f"{times}xlarge": 4 * times for times in (2, 3, 4, 6, 8, 16)}
_NAME: Final = re.compile(r"ecs\.(?P<family>[a-z0-9]+)(-c(?P<c>[1-9])m(?P<m>[1-9]))?\.(?P<size>[a-z0-9]+)")


def capacity(instance_type: str) -> Capacity:
    """What a machine of this type has. Whether a zone sells it, only Alibaba Cloud knows.

    Raises ValueError for a name that tells nothing.
    """
    named = _NAME.fullmatch(instance_type)
    vcpus = _VCPUS.get(named["size"]) if named else None
    if named and vcpus:
        if not named["c"] and named["family"] in _FAMILIES:
            return _of(vcpus, vcpus * _FAMILIES[named["family"]])
        if named["c"] and named["family"] in _WITH_RATIO:
            return _of(vcpus, vcpus * 1024 * int(named["m"]) // int(named["c"]))
    families = ", ".join([*_FAMILIES, *(f"{name}-cXmY" for name in _WITH_RATIO)])
    raise ValueError(
        f"{instance_type}: its vCPU and memory are not known; allowed: a type of the families {families}, "
        f"of the sizes {', '.join(_VCPUS)}, like ecs.c7.large"
    )


def together(loads: Mapping[str, Capacity]) -> Capacity:
    """What a machine needs that carries all of them: memory adds up, processors are shared."""
    needed = [LEAST, *loads.values()]
    memory = max(LEAST.memory.mebibytes, sum(load.memory.mebibytes for load in loads.values()))
    return _of(max(need.vcpus for need in needed), memory)


def must_carry(instance_type: str, loads: Mapping[str, Capacity]) -> None:
    """Refuses a type that is too small. loads: the least for each system, by name. Raises ValueError."""
    has, needs = capacity(instance_type), together(loads)
    if has.vcpus < needs.vcpus or has.memory.mebibytes < needs.memory.mebibytes:
        raise ValueError(
            f"{instance_type} has {has}; allowed: a type of at least {needs}, for "
            f"{' and '.join(loads) or 'any machine'}"
        )


def _of(vcpus: int, mebibytes: int) -> Capacity:
    size = f"{mebibytes}MiB" if mebibytes % 1024 else f"{mebibytes // 1024}GiB"
    return Capacity(vcpus=vcpus, memory=Memory(size))
