"""What a stack file may say of the place of a system's data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from components.containers.host_paths import host_danger
from components.spec import Spec, default_tag
from components.units import Like, Memory

if TYPE_CHECKING:
    from components.containers.volume import Storage


def _harmless(path: str) -> str:
    if danger := host_danger(path, read_only=False):
        raise ValueError(f"{danger}; allowed: a folder of its own, like /opt/taifish")
    return path


Root = Annotated[
    str,
    Like(r"(/[A-Za-z0-9_][A-Za-z0-9._-]*)+", "an absolute path without spaces, like /opt/taifish"),
    AfterValidator(_harmless),
]


class EngineData(Spec):
    """Docker's own directory."""

    kind: Literal["engine"]

    def storage(self, folder: str) -> Storage:
        """Of one part of the data."""
        from components.containers.volume import EngineStorage

        del folder
        return EngineStorage()


class DirectoryData(Spec):
    """Below a directory of the host; the folders in it are made, for the users who write there."""

    kind: Literal["directory"] = "directory"
    root: Root = "/opt/taifish"
    minimum_free: Memory = Memory("1GiB")
    """Refused on a disk with less room."""

    def storage(self, folder: str) -> Storage:
        """Of one part of the data, which lies in this folder below the root."""
        from components.containers.volume import DirectoryStorage

        return DirectoryStorage(kind="directory", path=f"{self.root}/{folder}", prepared=True)


class EncryptedData(Spec):
    """As `directory`, and refused unless the root is on an encrypted disk (dm-crypt) that the host opened."""

    kind: Literal["encrypted"]
    root: Root = "/opt/taifish"
    minimum_free: Memory = Memory("1GiB")
    """Refused on a disk with less room."""

    def storage(self, folder: str) -> Storage:
        """Of one part of the data, which lies in this folder below the root."""
        from components.containers.volume import EncryptedStorage

        return EncryptedStorage(kind="encrypted", path=f"{self.root}/{folder}", prepared=True)


HostData = DirectoryData | EncryptedData
Data = Annotated[
    EngineData | DirectoryData | EncryptedData, Field(discriminator="kind"), default_tag("kind", "directory")
]
