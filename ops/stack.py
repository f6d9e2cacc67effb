"""A stack made ready to work on: its file read, the toolchain found, the engine running, the state opened."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from ops import base_image, engine, environment, pending, places, recorded, repair, settings, toolchain
from ops.errors import UserError
from ops.explain import NeverMadeError
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

    def outputs(self, exported: Mapping[str, Any]) -> StackOutputs:
        """What the stack with this state exports. Raises UserError when this version cannot read it."""
        if (found := recorded.outputs(exported)) is None:
            raise UserError(
                f"stack {self.name} has no outputs that this version of berth reads",
                fix=f"./berth up -s {self.name}",
            )
        return found

    def export(self) -> dict[str, Any]:
        """The recorded state. Raises NeverMadeError when there is none."""
        exported: dict[str, Any] = json.loads(self.pulumi.capture("stack", "export", "--stack", self.name))
        return exported

    def state(self) -> dict[str, Any]:
        """The recorded state, made the first time: one start of the CLI where it is there already."""
        try:
            return self.export()
        except NeverMadeError:
            self.select()
            return self.export()

    def deployed_systems(self) -> set[str]:
        """Those that an earlier `up` made anything of."""
        try:
            return recorded.systems(self.export())
        except NeverMadeError:
            return set()

    def run(self, *args: str, verb: str | None = None, to: TextIO | None = None) -> str:
        """Streams a Pulumi command on this stack, as a part of `verb` if it is not one.

        A lock left by a run that is dead is cleared once.
        """
        return self._unlocked(lambda: self.pulumi.stream(*args, "--stack", self.name, verb=verb, to=to))

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

    @property
    def key(self) -> str:
        """Tells this stack from others of its name, in the name of a file."""
        where = os.environ.get("PULUMI_BACKEND_URL") or self.pulumi.environment.get("PULUMI_BACKEND_URL", "")
        return "".join(character if character.isalnum() else "-" for character in f"{where}-{self.name}")[
            -120:
        ]

    @property
    def lock(self) -> Path:
        """What a berth holds while it changes the stack."""
        return places.data() / "locks" / f"stack{self.key}.lock"

    @contextmanager
    def alone(self, doing: str) -> Iterator[None]:
        """Refuses to start while another berth changes the same stack."""
        with hold(self.lock, doing=f"{doing} of stack {self.name}", wait=False):
            yield

    def settle(self, *, accepted: Sequence[str] = ()) -> tuple[dict[str, Any], repair.Plan]:
        """Heals; the state, and what must be put right then. `accepted` as in `repairs`.

        Lost data is looked for first: healing reads the real state, and so forgets what is gone.
        """
        before = self.state()
        plan = self.repairs(before, accepted=accepted)
        after = self.heal(before)
        return after, plan if after is before else self.repairs(after)

    def heal(self, exported: dict[str, Any] | None = None) -> dict[str, Any]:
        """Settles what an interrupted run left undecided. Returns the state; reads it once at best."""
        exported = self.state() if exported is None else exported
        if (engine := self.engine) is not None:
            text = json.dumps(exported)
            if self._unlocked(lambda: pending.heal(self.pulumi, engine, text)):
                return self.export()
        return exported

    def repairs(self, exported: dict[str, Any], *, accepted: Sequence[str] = ()) -> repair.Plan:
        """What must be put right because the engine was changed behind our back.

        accepted: lost data volumes that may be made again empty. Raises UserError when another one is lost.
        """
        if self.engine is None:
            return repair.Plan()
        return repair.plan(self.name, exported, self.engine, accepted=accepted)

    def seen_outside(self) -> list[str]:
        """The flags that make a preview see what `up` would put right; a refusal of `up` is told in words."""
        try:
            return list(self.repairs(self.state()).flags)
        except UserError as refusal:
            say(f"up will refuse: {refusal.cause}\n  fix: {refusal.fix}")
            return ["--refresh"]


def open_stack(
    name: str,
    *,
    ready: bool = True,
    program: bool = True,
    secrets: bool = True,
    new_secrets: Sequence[str] = (),
    tag: str | None = None,
) -> Stack:
    """The stack by name, with the toolchain that works on it.

    ready: also make what a run needs: a Docker engine, the stack's state, and what its program needs.
    program: the run asks the stack's program, which needs the base image and the secrets. secrets: False
    where the passphrase is not needed; the state can be read without it. new_secrets: those that may be made
    anew although the stack has resources. tag: of the images of our own, instead of the one in its file.
    """
    file = StackFile(name, tag=tag)
    if ready:
        settings.check(file, secrets=program)
    wanted = file.host
    found = toolchain.find()
    docker = engine.existing(wanted) if wanted.kind != "ecs" else None
    host = docker.host if docker and docker.origin != engine.FROM_STACK else None
    variables = environment.variables(file, program=found, host=host, secrets=secrets)
    stack = Stack(
        file=file,
        pulumi=Pulumi(program=str(found.pulumi), environment=variables, stack=name),
        toolchain=found,
        engine=docker,
    )
    if not ready:
        return stack
    if docker is not None:
        stack = replace(stack, engine=engine.ensure(wanted))
    if program:
        if docker is not None:
            base_image.ensure(docker, file)
        settings.ensure_secrets(stack, renewed=new_secrets)
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
