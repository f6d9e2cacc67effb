"""Names and labels of what the plane makes on the engine. By them it is found again, and removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CLOUD: Final = "berth.cloud"
"""The label that says which cloud a container, volume or network belongs to."""
INSTANCE: Final = "berth.cloud.instance"
VPC: Final = "berth.cloud.vpc"
ROLE: Final = "berth.cloud.role"


@dataclass(frozen=True)
class Names:
    """The names of one cloud. Two clouds on an engine have different ones."""

    cloud: str

    @property
    def labels(self) -> dict[str, str]:
        return {CLOUD: self.cloud}

    @property
    def network(self) -> str:
        """The network that public addresses are on."""
        return f"berth-cloud-{self.cloud}"

    @property
    def plumber(self) -> str:
        return f"berth-cloud-{self.cloud}-plumber"

    @property
    def disks(self) -> str:
        """The volume that holds the files of all disks."""
        return f"berth-cloud-{self.cloud}-disks"

    def router(self, vpc: str) -> str:
        return f"berth-cloud-{self.cloud}-{vpc}"

    def machine(self, instance: str) -> str:
        return f"berth-cloud-{self.cloud}-{instance}"

    def root(self, instance: str) -> str:
        """The volume of a machine's Docker: images and containers stay when it stops."""
        return f"berth-cloud-{self.cloud}-{instance}-docker"


def interface(instance: str) -> str:
    """The router's end of a machine's link; a name of at most 15 characters."""
    return f"e{instance[-12:]}"
