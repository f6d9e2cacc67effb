"""A child process that never outlives the host: its own process group, ended whole."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from offline.language.options import LanguageError

# The engine gives a plugin 5 s between its interrupt and its kill; a child must be gone before that.
GRACE_S = 3.0

_running: set["Child"] = set()
_lock = threading.Lock()
_closing = False


class Child:
    """Started at once. stdin is `text`, or empty; stdout and stderr are the host's unless `capture`.

    Raises LanguageError when it cannot start.
    """

    def __init__(
        self,
        args: Sequence[str | Path],
        *,
        cwd: str,
        env: dict[str, str],
        text: str = "",
        capture: bool = False,
    ) -> None:
        pipe = subprocess.PIPE if capture else None
        try:
            self._process = subprocess.Popen(
                args, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=pipe, stderr=pipe, process_group=0
            )
        except OSError as error:
            raise LanguageError(f"{args[0]} cannot be started in {cwd}: {error.strerror}") from error
        self._reaping = threading.Lock()
        self.cancelled = False
        with _lock:
            _running.add(self)
            closing = _closing
        if closing:
            self.stop()
        self._feed(text.encode())

    def _feed(self, data: bytes) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended without reading; its exit status tells why
            stdin.write(data)
            stdin.close()

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def stderr(self) -> IO[bytes]:
        assert self._process.stderr is not None
        return self._process.stderr

    def wait(self) -> int:
        """The exit status, negative for a signal. What the child left running in its group is ended too."""
        pid = self._process.pid
        with self._reaping:
            if self._process.returncode is not None:
                return self._process.returncode
            # Not reaped yet, so the group's number cannot have passed to somebody else when it is signalled.
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            with _lock:
                _running.discard(self)
            # macOS refuses to signal a group of which only the unreaped leader is left.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
            return self._process.wait()

    def stop(self) -> None:
        """Interrupts the group, and kills what is left after GRACE_S. Returns at once; may be repeated."""
        self.cancelled = True
        self._signal(signal.SIGINT)
        timer = threading.Timer(GRACE_S, self._signal, (signal.SIGKILL,))
        timer.daemon = True
        timer.start()

    def _signal(self, number: signal.Signals) -> None:
        with _lock:
            if self in _running:
                os.killpg(self._process.pid, number)


def stop_all() -> None:
    """Ends every child, and every one that is started from now on. For the end of the host."""
    global _closing
    with _lock:
        _closing = True
        children = list(_running)
    for child in children:
        child.stop()
