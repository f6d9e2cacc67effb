"""A deployment as it is recorded."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Outcome = Literal["running", "deployed", "unchanged", "refused", "rolled back", "failed", "interrupted"]


class Image(BaseModel):
    """An image that a container runs, or was pulled for one. id: engine's; digests: registries'."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    id: str
    digests: tuple[str, ...] = ()


class Deployment(BaseModel):
    """One deployment. of: the release whose definitions it took, where that is an earlier one.

    name: UTC time and commit. changed: the definitions are those of the commit and more. definitions,
    migrations: digests. containers: name to id, of what it left. migrates: its jobs that change a schema,
    name to image. builds: the images it was to make, by name. cause: why it is not `deployed`, or what its
    record lacks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    verb: Literal["init", "update", "rollback"]
    who: str
    began: str
    outcome: Outcome = "running"
    seconds: float = 0.0
    commit: str | None = None
    changed: bool = False
    definitions: str = ""
    of: str | None = None
    migrations: str = ""
    images: tuple[Image, ...] = ()
    containers: dict[str, str] = {}
    migrates: dict[str, str] = {}
    builds: tuple[str, ...] = ()
    backups: tuple[str, ...] = ()
    cause: str | None = None
    rolled_back_to: str | None = None

    @property
    def origin(self) -> str:
        """The release that holds its definitions."""
        return self.of or self.name
