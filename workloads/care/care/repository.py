"""A restic repository: on the backup volume, or off-site."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from care.causes import INTERNAL, NOTHING_THERE, hopeless, trouble
from care.settings import Settings
from care.trouble import Trouble

PASSWORD = "repository_password"  # noqa: S105  (the name of a secret)
_SSH_LOG = "ssh.log"
_TRIES = 2  # of what the server says is its own failure
_PATIENCE = 10.0  # seconds for a connection to the target


@dataclass
class Done:
    """What a command printed, and its exit status."""

    out: str
    said: str
    code: int


class Repository:
    """restic with its address, password and login. place: how people call it."""

    def __init__(self, settings: Settings, *, off_site: bool = False) -> None:
        self._settings, self._target = settings, settings.off_site if off_site else None
        if off_site and self._target is None:
            raise Trouble("no off-site copy is set", fix="set off_site in the stack file, then ./berth up")
        self.folder = settings.home / "repository"
        self.url = self._target.url if self._target else str(self.folder)
        self.place = f"the off-site repository {self.url}" if self._target else "the repository"
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(settings.tmp),
            "TMPDIR": str(settings.home),
            "RESTIC_PROGRESS_FPS": "0.02",
            "AWS_SHARED_CREDENTIALS_FILE": str(settings.tmp / "credentials"),
        }
        self._options: list[str] = []
        self._running: subprocess.Popen[str] | None = None
        self._over = False
        if self._target:
            self._sign_in()

    def made(self) -> bool:
        """Whether it exists."""
        if not self._target:
            return (self.folder / "config").exists()
        done = self.restic("cat", "config", check=False)
        if done.code == 0:
            return True
        # restic asks for the address after every failure: only what nothing else explains is a new place.
        if (found := trouble(self.place, done.said)).cause.startswith(f"{self.place}: {NOTHING_THERE}"):
            return False
        raise found

    def make(self, *, like: Repository | None = None) -> None:
        """A new one. like: whose pieces are cut in the same places, so that copies are deduplicated."""
        self.restic(
            "init", "--repository-version", "2", *(like.as_source("--copy-chunker-params") if like else ())
        )

    def as_source(self, *flags: str) -> list[str]:
        """Flags of another repository's command that reads from this one."""
        password = str(self._settings.secrets / PASSWORD)
        return [*flags, "--from-repo", self.url, "--from-password-file", password]

    def empty(self) -> bool:
        """Whether it has no snapshot, by a look that costs no start of restic; not for off-site."""
        assert not self._target
        return not any((self.folder / "snapshots").glob("*"))

    def drop(self, snapshot: str) -> None:
        """Take back a snapshot that was just made here, by the beginning of its id, as restic tells it.

        `restic forget` would want the repository for itself, and a restore may be reading from it.
        """
        assert not self._target
        found = (self.folder / "snapshots").glob(f"{snapshot}*")
        # One; none where restic could not keep it, which is told by what it said.
        if made := max(found, key=lambda path: path.stat().st_mtime, default=None):
            made.unlink(missing_ok=True)

    def interrupt(self) -> None:
        """End what restic does here for another thread, and start it no more; that thread raises Trouble."""
        self._over = True
        if running := self._running:
            running.send_signal(signal.SIGINT)

    def snapshots(self) -> list[dict[str, Any]]:
        """All, oldest first."""
        found: list[dict[str, Any]] = json.loads(self.restic("snapshots", "--json").out or "[]") or []
        return sorted(found, key=lambda one: str(one["time"]))

    def reachable(self) -> None:
        """Raises Trouble at once where restic would try for a quarter of an hour."""
        if not self._target:
            return
        address = self._target.host, self._target.port
        try:
            socket.create_connection(address, timeout=_PATIENCE).close()
        except OSError as error:
            reason = error.strerror or str(error)
            raise trouble(
                self.place, f"connection refused or lost: {address[0]}:{address[1]}: {reason}"
            ) from None

    def restic(self, *args: str, check: bool = True, cwd: Path | None = None) -> Done:
        """Runs it to its end. Raises Trouble unless `check` is False."""
        if self._over:
            raise Trouble(f"{self.place}: stopped", fix="begin again")
        command = [
            "restic",
            "--repo", self.url,
            "--password-file", str(self._settings.secrets / PASSWORD),
            "--cache-dir", str(self._settings.home / "cache"),
            *self._options,
            *args,
        ]  # fmt: skip
        process = subprocess.Popen(
            command, env=self._env, cwd=cwd, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        self._running = process
        if self._over:  # since it was asked, above
            process.send_signal(signal.SIGINT)
        said: list[str] = []
        # Of ssh alone: a restore from off-site copies what is there into the other repository meanwhile.
        log = self._settings.tmp / _SSH_LOG if self._target else None
        if log:
            log.unlink(missing_ok=True)
        assert process.stdout and process.stderr
        watcher = threading.Thread(target=_watch, args=(process, process.stderr, said), daemon=True)
        watcher.start()
        try:
            # Progress comes as lines, too; only the last ones matter.
            kept: list[str] = []
            for line in process.stdout:
                if '"message_type":"status"' not in line:
                    kept.append(line)
            process.wait()
        except BaseException:
            # It removes its locks when it is interrupted.
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
        finally:
            self._running = None
        watcher.join()
        if log and log.exists():
            said += log.read_text(errors="replace").splitlines(keepends=True)
        done = Done("".join(kept), "".join(said[-200:]), process.returncode)
        if check and done.code != 0:
            raise trouble(self.place, done.said + (done.out if args[0] == "check" else ""))
        return done

    def _sign_in(self) -> None:
        """The login as files in memory, for programs that take no other."""
        target, settings = self._target, self._settings
        assert target
        if target.kind == "s3":
            keys = (f"aws_access_key_id = {settings.secret('access_key')}",
                    f"aws_secret_access_key = {settings.secret('secret_key')}")  # fmt: skip
            _private(settings.tmp / "credentials", "\n".join(("[default]", *keys, "")))
            self._options += ["-o", f"s3.bucket-lookup={target.lookup}"]
            if target.region:
                self._options += ["-o", f"s3.region={target.region}"]
            if target.authority:
                self._options += ["--cacert", target.authority]
            return
        key = _private(settings.tmp / "sftp_key", settings.secret("sftp_key") + "\n")
        ssh = [
            "ssh", f"{target.user}@{target.host}", "-p", str(target.port), "-i", str(key),
            "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes",
            "-o", "UserKnownHostsFile=/etc/care/known_hosts", "-o", "GlobalKnownHostsFile=/dev/null",
            "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15",
            # restic passes on what ssh says, but may end before it has.
            "-E", str(settings.tmp / _SSH_LOG), "-s", "sftp",
        ]  # fmt: skip
        self._options += ["-o", f"sftp.command={shlex.join(ssh)}"]


def _watch(process: subprocess.Popen[str], stream: IO[str], said: list[str]) -> None:
    internal = 0
    for line in stream:
        said.append(line)
        # Each of these was ten attempts already.
        internal += bool("returned error, retrying" in line and re.search(INTERNAL, line, re.IGNORECASE))
        if hopeless(line) or internal >= _TRIES:
            process.send_signal(signal.SIGINT)


def _private(path: Path, text: str) -> Path:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path
