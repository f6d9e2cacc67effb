"""Runs `pulumi` as a child process: streams or captures, passes Ctrl-C on, explains failures."""

from __future__ import annotations

import ctypes
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from types import FrameType
from typing import TextIO

from ops.errors import UserError
from ops.explain import explain
from ops.places import ROOT
from ops.progress import say, signs_of_life

KEPT_LINES = 2000
_PR_SET_PDEATHSIG = 1
# Without a terminal each look at a resource is two lines; one that found a change says more.
_LOOKED = re.compile(r"\s*~\s+\S+ .+ refresh(ing)?( \([\d.a-z]+\))?\s*")


@dataclass(frozen=True, kw_only=True)
class Pulumi:
    """The CLI bound to one stack.

    program: path of the executable. environment: everything it needs on top of ours. stack: the stack's name.
    folder: the project's, with Pulumi.yaml.
    """

    program: str
    environment: Mapping[str, str]
    stack: str
    folder: Path = ROOT

    def stream(self, *args: str, verb: str | None = None, to: TextIO | None = None) -> str:
        """Runs a command and shows its output as it comes. verb: what the user ran, where that is another.

        Returns the last lines; raises UserError when it fails.
        """
        target, verb = to or sys.stdout, verb or args[0]
        output, code, interrupted = (self._live if target.isatty() else self._lines)(args, target)
        if interrupted:
            raise UserError(
                f"`{verb}` of stack {self.stack} was interrupted; what was finished is recorded",
                fix=f"./berth {verb} -s {self.stack} goes on from there; ./berth status -s "
                f"{self.stack} shows where it is",
                code=130,
            )
        if code:
            raise explain(output, command=verb, stack=self.stack, code=code)
        return output

    def capture(self, *args: str, text: str | None = None) -> str:
        """Runs a command quietly, with `text` as its input, and returns its stdout.

        Raises UserError when it fails.
        """
        process = self._start(
            list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.PIPE
        )
        words = " ".join(takewhile(lambda word: not word.startswith("-"), args[:2]))
        with self._lives(words), _interrupts_go_to(process) as interrupted:
            out, err = process.communicate(text)
        if interrupted:
            raise UserError(f"`pulumi {args[0]}` was interrupted", fix="run the same command again", code=130)
        if process.returncode:
            raise explain(out + err, command=args[0], stack=self.stack, code=process.returncode)
        return str(out)

    def _lines(self, args: Sequence[str], target: TextIO) -> tuple[str, int, bool]:
        kept: deque[str] = deque(maxlen=KEPT_LINES)
        process = self._start([*args, "--color", "never"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        with self._lives(args[0]) as showed, _interrupts_go_to(process) as interrupted:
            assert process.stdout is not None
            for line in process.stdout:
                kept.append(line)
                if _LOOKED.fullmatch(line):
                    continue
                target.write(line)
                target.flush()
                showed()
            code = process.wait()
        return "".join(kept), code, bool(interrupted)

    def _lives(self, doing: str) -> AbstractContextManager[Callable[[], None]]:
        return signs_of_life(f"pulumi {doing} of stack {self.stack}")

    def _live(self, args: Sequence[str], target: TextIO) -> tuple[str, int, bool]:
        """Through a terminal of its own, so that Pulumi shows each resource's elapsed seconds."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, fcntl.ioctl(target.fileno(), termios.TIOCGWINSZ, bytes(8)))
        kept: deque[bytes] = deque(maxlen=KEPT_LINES)
        try:
            try:
                process = self._start(
                    [*args, "--color", "always"],
                    stdin=theirs,
                    stdout=theirs,
                    stderr=theirs,
                    interactive=True,
                )
            finally:
                os.close(theirs)
            with _interrupts_go_to(process) as interrupted:
                while chunk := _next(ours, process):
                    kept.append(chunk)
                    target.buffer.write(chunk)
                    target.buffer.flush()
                code = process.wait()
        finally:
            os.close(ours)
        # What was drawn over is no line of its own; the last drawing stands.
        return b"".join(kept).decode(errors="replace").replace("\r", "\n"), code, bool(interrupted)

    def _start(
        self,
        args: list[str],
        *,
        stdout: int,
        stderr: int,
        stdin: int = subprocess.DEVNULL,
        interactive: bool = False,
    ) -> subprocess.Popen[str]:
        try:
            return subprocess.Popen(
                [self.program, *args, *([] if interactive else ["--non-interactive"])],
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                text=True,
                errors="replace",
                # A group of its own: a Ctrl-C in the terminal reaches it once, through us. Two would make it
                # abandon running operations.
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        except OSError as error:
            raise UserError(f"{self.program} cannot be run: {error}", fix="run ./berth doctor") from None


def _next(terminal: int, process: subprocess.Popen[str]) -> bytes:
    """What comes next; nothing once the process has ended and all was read."""
    while True:
        ended = process.poll() is not None
        if select.select([terminal], [], [], 0 if ended else 0.2)[0]:
            try:
                return os.read(terminal, 65536)
            except OSError:  # Linux's end of file: nobody has the other side open any more
                return b""
        if ended:
            return b""


def _end_with_parent() -> None:
    """Asks the kernel to interrupt the CLI when berth is killed, so that no update goes on unseen."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


@contextmanager
def _interrupts_go_to(process: subprocess.Popen[str]) -> Iterator[list[int]]:
    """Forwards the first interrupt;

    a second one makes the CLI give up at once. Yields the signals that came.
    """
    came: list[int] = []

    def forward(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        if len(came) == 1:
            say("\nstopping: running operations are finished or undone first (Ctrl-C again abandons them)")
        elif len(came) == 2:
            say("\nabandoning; the next up looks for what was left half made")
        if len(came) <= 2 and process.poll() is None:
            process.send_signal(signal.SIGINT)

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, forward) for number in signals}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
