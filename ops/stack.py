"""A stack made ready to work on: its file read, the toolchain found, the engine running, the state opened."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from ops import base_image, engine, environment, pending, places, settings, status, toolchain
from ops.errors import UserError
from ops.hold import hold
from ops.progress import say
from ops.project import StackFile
from ops.pulumi import Pulumi
from stacks.outputs import StackOutputs

if TYPE_CHECKING:
    from offline.toolchain import Toolchain

T = TypeVar("T")
_LOCKED = re.compile(r"locked by another Pulumi run: \S+@(?P<host>\S+), pid (?P<pid>\d+)")


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack that can be worked on. engine: None where the stack makes its own machine (a cloud host)."""

    file: StackFile
    pulumi: Pulumi
    toolchain: Toolchain
    engine: engine.Engine | None

    @property
    def name(self) -> str:
        return self.file.name

    def select(self) -> None:
        """Opens the stack's state; makes it the first time."""
        self.pulumi.capture("stack", "select", self.name, "--create")

    def outputs(self) -> StackOutputs:
        """What the stack exports. Raises UserError when it exports something else, or nothing yet."""
        raw = json.loads(self.pulumi.capture("stack", "output", "--json", "--stack", self.name))
        try:
            return StackOutputs.parse(raw)
        except (KeyError, TypeError):
            raise UserError(
                f"stack {self.name} has no outputs that this version of berth reads",
                fix=f"./berth up -s {self.name}",
            ) from None

    def export(self) -> dict[str, Any]:
        """The recorded state."""
        exported: dict[str, Any] = json.loads(self.pulumi.capture("stack", "export", "--stack", self.name))
        return exported

    def run(self, *args: str, to: TextIO | None = None) -> str:
        """Streams a Pulumi command on this stack. A lock left by a run that is dead is cleared once."""
        return self._unlocked(lambda: self.pulumi.stream(*args, "--stack", self.name, to=to))

    def _unlocked(self, work: Callable[[], T]) -> T:
        """Does the work; once more when it met the lock of a run that is dead."""
        try:
            return work()
        except UserError as error:
            if not _left_by_dead_run(error):
                raise
        say("The lock was left by a run that is dead; clearing it.")
        self.pulumi.capture("cancel", self.name, "--yes")
        return work()

    @contextmanager
    def alone(self, doing: str) -> Iterator[None]:
        """Refuses to start while another berth changes the same stack."""
        where = os.environ.get("PULUMI_BACKEND_URL") or self.pulumi.environment.get("PULUMI_BACKEND_URL", "")
        key = "".join(character if character.isalnum() else "-" for character in f"{where}-{self.name}")[
            -120:
        ]
        with hold(
            places.data() / "locks" / f"stack{key}.lock", doing=f"{doing} of stack {self.name}", wait=False
        ):
            yield

    def settle(self) -> list[str]:
        """Settles what an earlier run left undecided.

        Returns the flags that make the next run see what changed outside.

        Reading every object again at each run would double its time; one look at the list of containers
        tells whether
        that is needed.
        """
        if self.engine is None:
            return []
        exported = self.pulumi.capture("stack", "export", "--stack", self.name)
        engine = self.engine
        if self._unlocked(lambda: pending.heal(self.pulumi, engine, exported)):
            return []
        gone = status.gone(json.loads(exported), self.engine)
        if gone:
            say(f"changed behind our back: {', '.join(gone)}; reading the real state first")
        return ["--refresh"] if gone else []


def open_stack(name: str, *, ready: bool = True) -> Stack:
    """The stack by name, with the toolchain that works on it.

    ready: also make what a run needs: a Docker engine, the base image, the stack's state and its secrets.
    """
    file = StackFile(name)
    if ready:
        settings.check(file)
    wanted = file.host
    found = toolchain.find()
    docker = None
    if wanted.kind != "ecs":
        docker = engine.ensure(wanted) if ready else engine.existing(wanted)
    host = docker.host if docker and docker.origin != engine.FROM_STACK else None
    variables = environment.variables(file, program=found, host=host)
    stack = Stack(
        file=file,
        pulumi=Pulumi(program=str(found.pulumi), environment=variables, stack=name),
        toolchain=found,
        engine=docker,
    )
    if ready:
        if docker is not None:
            base_image.ensure(docker, file)
        stack.select()
        settings.ensure_secrets(stack.file, stack.pulumi)
    return stack


def _left_by_dead_run(error: UserError) -> bool:
    """Whether the error names a lock of this machine whose process is gone, or is no Pulumi any more."""
    match = _LOCKED.search(error.cause)
    if match is None or match["host"] != socket.gethostname():
        return False
    try:
        return "pulumi" not in Path(f"/proc/{match['pid']}/cmdline").read_text()
    except FileNotFoundError:
        return Path("/proc/self").exists()
