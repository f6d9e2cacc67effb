"""What was deployed: a record of each deployment, the newest kept whole, all of them a line of a log."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from ops import definitions, hold, places
from ops.deployment import Deployment
from ops.errors import UserError

if TYPE_CHECKING:
    from ops.stack import Stack

KEPT = 5  # releases, and deployments of any outcome


@dataclass(frozen=True)
class Deployments:
    """All of one stack, below a folder that its user alone reads."""

    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "deployments.log"

    def place(self, name: str) -> Path:
        """Where a deployment is kept whole."""
        return self.folder / "releases" / name

    def definitions(self, name: str) -> Path:
        """The copy of what a release was made from."""
        return self.place(name) / "definitions"

    @cached_property
    def ended(self) -> list[Deployment]:
        """Those that ended, oldest first; without a last line that was cut off.

        Raises UserError where the log cannot be read.
        """
        try:
            content = self.log.read_bytes()
        except FileNotFoundError:
            return []
        lines = content.removesuffix(_torn(content)).split(b"\n")
        try:
            return [Deployment.model_validate_json(line) for line in lines if line.strip()]
        except ValidationError as error:
            raise UserError(
                f"{self.log} cannot be read: {_why(error)}",
                fix="take the broken line out of it (each is one JSON document), or use a newer berth",
            ) from None

    def running(self) -> list[Deployment]:
        """Those without a line of the log: one that runs, or others that were killed.

        Raises UserError where the record of one cannot be read.
        """
        known = {one.name for one in self.ended}
        found = []
        for path in sorted(self.folder.glob("releases/*/record.json")):
            if path.parent.name not in known:
                try:
                    found.append(Deployment.model_validate_json(path.read_bytes()))
                except (ValidationError, OSError) as error:
                    raise UserError(
                        f"{path} cannot be read: {_why(error)}",
                        fix=f"take the folder {path.parent} away: that deployment was never finished; or use "
                        "a newer berth",
                    ) from None
        return found

    def whole(self, name: str) -> bool:
        """Whether its definitions are still kept."""
        return self.definitions(name).is_dir()

    def good(self) -> list[Deployment]:
        """Those that ended well, oldest first."""
        return [one for one in self.ended if one.outcome == "deployed"]

    @property
    def present(self) -> Deployment | None:
        """What the stack was brought to by the last deployment that ended well, or was rolled back to."""
        by_name = {one.name: one for one in self.good()}
        for one in reversed(self.ended):
            if one.outcome == "deployed":
                return one
            if one.rolled_back_to in by_name and one.outcome == "rolled back":
                return by_name[one.rolled_back_to]
        return None

    @property
    def last(self) -> Deployment | None:
        """The last that may have changed anything."""
        return next(
            (one for one in reversed(self.ended) if one.outcome not in ("refused", "unchanged")), None
        )

    def strayed(self, now: Mapping[str, str]) -> bool:
        """Whether the last deployment left other containers (name to id); of a killed one nobody knows."""
        return self.last is not None and bool(self.last.containers) and self.last.containers != now

    def image_ids(self) -> set[str]:
        """The images of the releases that can be gone back to."""
        return {image.id for one in self.good() if self.whole(one.origin) for image in one.images}

    def find(self, name: str) -> Deployment:
        """A deployment by name, or the one that begins with it. Raises UserError where there is none."""
        everything = [*self.ended, *self.running()]
        found = [one for one in everything if one.name == name] or [
            one for one in everything if one.name.startswith(name)
        ]
        if len(found) == 1:
            return found[0]
        names = ", ".join(one.name for one in reversed(found or everything[-KEPT:]))
        raise UserError(
            f"{name} means several deployments" if found else f"there is no deployment {name}",
            fix=f"name one of: {names}" if names else "./berth deploy init makes the first",
        )

    def before(self, present: Deployment | None) -> Deployment:
        """The last good release before another, rollbacks left out. Raises UserError where there is none."""
        made = [one for one in self.good() if one.of is None]
        origin = present.origin if present else ""
        earlier = [one for one in made if one.name < origin]
        if not earlier:
            raise UserError(
                f"there is no release before {origin or 'the first one'} to go back to",
                fix="./berth deploy list shows what there is; ./berth deploy update goes forward",
            )
        return earlier[-1]

    def begin(
        self,
        verb: Literal["init", "update", "rollback"],
        *,
        of: Deployment | None = None,
        needed: Sequence[str] = (),
    ) -> Deployment:
        """Writes down that a deployment runs; unless it is `of` an earlier one, with its definitions.

        needed: files of the project that are kept although git may ignore them. Raises UserError where these
        cannot be kept; then nothing is.
        """
        commit = of.commit if of else definitions.commit(places.ROOT)
        label = commit[:12] if commit else "no-commit"
        while self.place(name := f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{label}").exists():
            time.sleep(0.1)  # a name is one second
        place = self.place(name)
        place.mkdir(parents=True, mode=0o700)
        self.folder.chmod(0o700)
        try:
            if of is None:
                digest = definitions.copy(places.ROOT, self.definitions(name), needed=needed)
                changed, steps = (
                    definitions.changed(places.ROOT),
                    definitions.migrations(self.definitions(name)),
                )
            else:
                digest, changed, steps = of.definitions, of.changed, of.migrations
            found = Deployment(
                name=name,
                verb=verb,
                who=f"{_user()}@{socket.gethostname()}",
                began=datetime.now(UTC).isoformat(timespec="seconds"),
                commit=commit,
                changed=changed,
                definitions=digest,
                migrations=steps,
                of=of.origin if of else None,
            )
            self._write(found)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return found

    def end(self, ended: Deployment) -> Deployment:
        """Writes down how a deployment ended, and forgets what is no longer kept whole.

        Raises OSError where that cannot be written.
        """
        if ended.outcome in ("unchanged", "refused"):
            shutil.rmtree(self.place(ended.name), ignore_errors=True)
        else:
            self._write(ended)
        line = os.open(self.log, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(line, "r+b", buffering=0) as log:
            size = log.seek(0, os.SEEK_END)
            cut = bool(size) and os.pread(line, 1, size - 1) != b"\n"
            _all(line, (b"\n" if cut else b"") + ended.model_dump_json().encode() + b"\n")
            os.fsync(line)
        self.__dict__.pop("ended", None)
        for name in forgotten(self.ended, self.present, sorted(self._names())):
            shutil.rmtree(self.place(name), ignore_errors=True)
        return ended

    def settle(self) -> None:
        """Puts the log right: what was cut off goes, who was killed was interrupted.

        Only for who holds the stack's lock. Raises UserError where a record cannot be read.
        """
        with suppress(FileNotFoundError):
            content = self.log.read_bytes()
            if torn := _torn(content):
                os.truncate(self.log, len(content) - len(torn))
        known = {one.name for one in self.ended}
        for name in self._names():
            if name not in known and not (self.place(name) / "record.json").exists():
                shutil.rmtree(self.place(name), ignore_errors=True)  # killed while it was copied
        for one in self.running():
            if one.outcome == "running":
                cause = "it ended without a word: berth was killed, or the machine stopped"
                one = one.model_copy(update={"outcome": "interrupted", "cause": cause})
            self.end(one)

    def note(self, running: Deployment) -> None:
        """Writes down what is known of one that runs. Raises OSError where that cannot be written."""
        self._write(running)

    def _names(self) -> list[str]:
        return [path.name for path in self.folder.glob("releases/*")]

    def _write(self, one: Deployment) -> None:
        file = self.place(one.name) / "record.json"
        part = file.with_suffix(".part")
        part.touch(mode=0o600)
        with part.open("w", encoding="utf-8") as out:
            out.write(one.model_dump_json(indent=2) + "\n")
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)


def _torn(content: bytes) -> bytes:
    """What stands after the last line of a log, where that is not the whole of another."""
    tail = content.rpartition(b"\n")[2]
    try:
        Deployment.model_validate_json(tail)
    except ValidationError:
        return tail
    return b""


def _all(file: int, content: bytes) -> None:
    """Writes to the end; a disk that fills up takes a part and refuses the rest."""
    while content:
        content = content[os.write(file, content) :]


def _why(error: Exception) -> str:
    return str(error.errors()[0]["msg"]) if isinstance(error, ValidationError) else str(error)


def forgotten(ended: Sequence[Deployment], present: Deployment | None, kept: Sequence[str]) -> list[str]:
    """Which of the deployments kept whole go: all but the newest of any outcome, the newest releases, and
    what the stack runs now. One that has not ended stays."""
    newest = [one for one in ended if one.outcome not in ("refused", "unchanged")][-KEPT:]
    releases = [one for one in ended if one.outcome == "deployed" and one.of is None][-KEPT:]
    spared = {one.name for one in (*newest, *releases)}
    spared |= {present.origin, present.name} if present else set()
    known = {one.name for one in ended}
    return [name for name in kept if name in known and name not in spared]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())


def of(stack: Stack) -> Deployments:
    """Those of a stack."""
    return Deployments(places.data() / "deployments" / f"stack{stack.key}")


def listing(stack: Stack) -> list[Deployment]:
    """All deployments, oldest first; one without an end and without a holder of the lock was interrupted."""
    found = of(stack)
    left: list[Deployment] = found.running()
    if left and not hold.held(stack.lock):
        left = [
            one.model_copy(update={"outcome": "interrupted"}) if one.outcome == "running" else one
            for one in left
        ]
    return [*found.ended, *left]
