"""The Docker engine: a reachable one, else, as root on Debian or Ubuntu, one installed and started here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops import apt, places
from ops.errors import UserError
from ops.hold import hold
from ops.progress import say, step
from ops.project import WantedHost
from stacks.engine_context import context

if TYPE_CHECKING:
    from docker import DockerClient

    from offline.docker.engine import Engine as Connection

FROM_STACK = "the stack's `berth:host`"
DEFAULT_HOST = "unix:///var/run/docker.sock"
HERE = WantedHost()
PID_FILE = Path("/var/run/docker.pid")
START_DEADLINE = 60.0  # seconds; a first start on two slow cores took 6


@dataclass(frozen=True, kw_only=True)
class Engine:
    """A Docker engine that answers.

    host: its address (`unix://`, `tcp://`, `ssh://`).
    origin: where the address comes from, in words.
    pid: the dockerd that this command started by hand, which may therefore stop it again.
    """

    host: str
    origin: str
    cert_path: str | None = None
    ssh_opts: tuple[str, ...] = ()
    pid: int | None = None

    def client(self, *, timeout: float | None = None) -> DockerClient:
        """A client; close it after use. Raises UserError when the engine cannot be reached.

        timeout: seconds that the engine may be silent before a call fails; None: for ever.
        """
        import docker

        from offline.provider.resource import ResourceError

        client = docker.DockerClient.__new__(docker.DockerClient)
        try:
            # The plugin's connection: it knows ssh options, and what one can reach the other can.
            client.api = self.connection(timeout=timeout).api
        except ResourceError as error:
            if (reason := _known(error.cause)) is None:
                raise UserError(error.cause, fix=error.fix or ways_out(self.host)) from None
            raise self.silent(reason) from None
        return client

    def connection(self, *, timeout: float | None = None, **config: Any) -> Connection:
        """The plugin's connection, not yet made. config: more of the provider's settings."""
        from offline.docker.engine import Engine as Connection

        return Connection(
            {"host": self.host, "certPath": self.cert_path, "sshOpts": list(self.ssh_opts), **config},
            timeout=timeout,
        )

    def silent(self, reason: str) -> UserError:
        """The error for an engine that does not answer: the same words from every verb."""
        return UserError(
            f"no Docker engine answers at {self.host} ({self.origin}): {reason}", fix=ways_out(self.host)
        )

    def stop(self) -> None:
        """Stops the engine if this command started it; else does nothing."""
        if self.pid is None:
            return
        with step(f"Stopping the Docker engine that was started for this (pid {self.pid})"):
            os.kill(self.pid, signal.SIGTERM)
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                try:
                    if os.waitpid(self.pid, os.WNOHANG)[0]:
                        return
                except ChildProcessError:
                    return
                time.sleep(0.2)
            say(f"  dockerd (pid {self.pid}) still runs after 30 s; see {log_file()}")


def log_file() -> Path:
    """Where a dockerd started by hand writes."""
    return places.data() / "dockerd.log"


def address(wanted: WantedHost) -> tuple[str, str]:
    """The engine's address and its origin: the stack, DOCKER_HOST, the docker context, the default socket."""
    if wanted.address:
        return wanted.address, FROM_STACK
    if host := os.environ.get("DOCKER_HOST"):
        return host, "DOCKER_HOST"
    if found := context():
        name, host = found
        return host, f"the docker context {name!r}"
    return DEFAULT_HOST, "the default socket"


def answers(engine: Engine) -> str | None:
    """None when the engine answers, else why not."""
    import requests
    from docker.errors import DockerException

    try:
        client = engine.client()
    except UserError as error:
        return _reason(error)
    try:
        client.ping()
    except (DockerException, requests.RequestException, OSError) as error:
        return _reason(error)
    finally:
        client.close()
    return None


def failures() -> tuple[type[Exception], ...]:
    """What a client raises: the engine is gone, or its way there, or it refuses; or this machine does."""
    import requests
    from docker.errors import DockerException

    return DockerException, requests.RequestException, OSError


def in_words(error: Exception) -> str:
    """Which of the failures that was."""
    import requests
    from docker.errors import APIError

    lost = (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
        ConnectionError,
        TimeoutError,
    )
    if isinstance(error, lost):
        return f"the Docker engine stopped answering: {error}"
    if isinstance(error, APIError):
        return f"the Docker engine refuses: {error.explanation or error}"
    return f"it cannot be looked at: {error}"


def _reason(error: BaseException) -> str:
    return _known(str(error)) or str(error).splitlines()[0]


def _known(text: str) -> str | None:
    """The usual causes in our words, also where the text has them in these words already."""
    for sign, reason in {
        "Permission denied": "permission denied: you are not in the `docker` group",
        "No such file": "its socket does not exist",
        "Connection refused": "connection refused: no engine listens there",
        "timed out": "it does not answer in time",
    }.items():
        if sign in text or reason in text:
            return reason
    return None


def ways_out(host: str) -> str:
    """What to do when no engine can be had."""
    if host.startswith("ssh://"):
        target = host.removeprefix("ssh://")
        return f"make `ssh {target} docker version` work, or choose another `berth:host`"
    if host != DEFAULT_HOST:
        return f"start the engine at {host}, or unset what points there to use {DEFAULT_HOST}"
    return (
        "start Docker (`sudo systemctl start docker`, or Docker Desktop), point DOCKER_HOST at an engine, "
        "or run ./berth as root on Debian or Ubuntu to have one installed"
    )


def existing(wanted: WantedHost = HERE) -> Engine:
    """The engine's address, without a look whether it answers."""
    host, origin = address(wanted)
    return Engine(host=host, origin=origin, cert_path=wanted.cert_path, ssh_opts=wanted.ssh_opts)


def reachable(wanted: WantedHost = HERE) -> Engine:
    """The engine, which answers. Raises UserError when it does not."""
    engine = existing(wanted)
    if (reason := answers(engine)) is not None:
        raise engine.silent(reason)
    return engine


def ensure(wanted: WantedHost = HERE) -> Engine:
    """The engine, which answers.

    Installs and starts the distribution's one where that is allowed and needed.
    """
    engine = existing(wanted)
    if engine.host != DEFAULT_HOST or not apt.usable():
        return reachable(wanted)
    if answers(engine) is None:
        return engine
    with hold(places.data() / "locks" / "engine.lock", doing="starting a Docker engine", wait=True):
        if answers(engine) is None:
            return engine
        if shutil.which("dockerd") is None:
            apt.install("docker.io", why="no Docker engine is installed")
            if answers(engine) is None:  # with systemd, the package starts it
                return engine
        return replace(engine, pid=_start(engine))


def _start(engine: Engine) -> int | None:
    """Starts the installed engine; the pid where no service manager looks after it."""
    if Path("/run/systemd/system").exists():
        with step("Starting the Docker engine (systemctl start docker)"):
            done = subprocess.run(["systemctl", "start", "docker"], capture_output=True, text=True)
            if done.returncode:
                raise UserError(
                    f"systemd could not start docker: {done.stderr.strip()}", fix="see `journalctl -u docker`"
                )
            _wait(engine, None)
        say("  it goes on running; stop it with: systemctl stop docker docker.socket")
        return None
    log_file().parent.mkdir(parents=True, exist_ok=True)
    with step("Starting the Docker engine (dockerd)"), log_file().open("ab") as log:
        # Its own session: it outlives this command and does not see its Ctrl-C.
        process = subprocess.Popen(
            ["dockerd", "--pidfile", str(PID_FILE)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        _wait(engine, process)
    say(f"  it goes on running; stop it with: kill {process.pid}   (log: {log_file()})")
    return process.pid


def _wait(engine: Engine, process: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while (reason := answers(engine)) is not None:
        if process is not None and process.poll() is not None:
            last = "\n".join(log_file().read_text(errors="replace").splitlines()[-8:])
            say(last)
            raise UserError(
                f"dockerd ended at once with exit code {process.returncode} (its last lines are above)",
                fix=f"correct what it names (whole log: {log_file()}), or point DOCKER_HOST at another "
                "engine",
            )
        if time.monotonic() > deadline:
            raise UserError(
                f"the Docker engine does not answer {START_DEADLINE:.0f} s after its start: {reason}",
                fix=f"see {log_file()} or `journalctl -u docker`",
            )
        time.sleep(0.3)
