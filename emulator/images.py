"""Public images: a choice of the real ones, under ids of their real form.

All start the same machine here, a container with sshd, Docker and cloud-init: the system that a client asked
for stands in the answers only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Final


@dataclass(frozen=True)
class Image:
    """`id` ends in the day it was made, and in .vhd."""

    id: str
    family: str
    name_en: str
    platform: str
    gib: int
    """Of the system disk, at the least."""
    created: datetime

    @property
    def os_name(self) -> str:
        """As the API says it in Chinese, its first language."""
        return self.name_en.replace(" 64 bit", " 64位")

    @property
    def version(self) -> str:
        return f"v{self.created:%Y.%-m.%-d}"


_SYSTEMS: Final = (
    ("aliyun_3_x64_20G_alibase", "acs:alibaba_cloud_linux_3_2104_lts_x64",
     "Alibaba Cloud Linux  3.2104 LTS 64 bit", "Aliyun", ("20240819", "20250117", "20250629")),
    ("ubuntu_22_04_x64_20G_alibase", "acs:ubuntu_22_04_x64", "Ubuntu  22.04 64 bit", "Ubuntu",
     ("20241016", "20250113", "20250630")),
    ("ubuntu_24_04_x64_20G_alibase", "acs:ubuntu_24_04_x64", "Ubuntu  24.04 64 bit", "Ubuntu",
     ("20241016", "20250113", "20250317", "20250630")),
    ("debian_12_x64_20G_alibase", "acs:debian_12_x64", "Debian  12 64 bit", "Debian",
     ("20240819", "20250117", "20250630")),
)  # fmt: skip


@cache
def images() -> dict[str, Image]:
    """All, by id; of one system the newest last."""
    found = [
        Image(
            f"{base}_{day}.vhd",
            family,
            name,
            platform,
            20,
            datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC),
        )
        for base, family, name, platform, days in _SYSTEMS
        for day in days
    ]
    return {image.id: image for image in found}
