"""The emulated cloud of this machine: a process of its own, found again by its folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from ops import hold, places
from ops.errors import UserError
from ops.places import ROOT
from ops.progress import step

REGION: Final = "cn-hangzhou"
"""Of the settings that are shown; each region of the cloud is served."""
PROFILE: Final = "berth-cloud"
SERVICES: Final = ("ecs", "oss", "ram", "sts", "vpc")
_START: Final = 60.0  # seconds until it listens; it took 2 on two slow cores
_STOP: Final = 30.0
_HUNG: Final = 3.0  # for one that does not answer: it would not end in good order
_ANSWER: Final = 5.0
_EMPTY: Final = 120.0  # seconds until the machines of a cloud that was reset are gone
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,19}")


class Machines(NamedTuple):
    """What machines boot, and the address of the Docker engine that runs them."""

    image: str
    host: str


@dataclass(frozen=True)
class Cloud:
    """One emulated cloud, whether it runs or not."""

    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UserError(
                f"{self.name!r} is no name for a cloud",
                fix="take up to 20 lower-case letters, digits and hyphens, the first no hyphen",
            )

    @property
    def folder(self) -> Path:
        """Its state, its log, its keys."""
        return places.data() / "cloud" / self.name

    @property
    def state(self) -> Path:
        """What the emulator itself writes."""
        return self.folder / "state"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def credentials(self) -> Path:
        """A profile of Alibaba's command line, with the account's key."""
        return self.state / "credentials.json"

    @property
    def label(self) -> str:
        """Its name on the Docker engine, where other users have clouds of the same name."""
        return f"{self.name}-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:6]}"

    @property
    def _lock(self) -> Path:
        return places.data() / "locks" / f"cloud-{self.name}.lock"

    # --- looking

    def runs(self) -> bool:
        """Whether its emulator lives: the kernel takes the lock from one that died."""
        return hold.held(self.state / "lock")

    def serving(self) -> dict[str, Any]:
        """What the emulator says of itself: url, pid, account; empty while it does not listen."""
        return _read(self.state / "serving.json")

    def made(self) -> dict[str, Any]:
        """How it was started last: image, host (the Docker engine), port, kept; empty where it never was."""
        return _read(self.folder / "cloud.json")

    def exists(self) -> bool:
        """Whether there is anything of it that stop would remove."""
        return self.state.exists()

    def report(self) -> dict[str, Any]:
        """How it is; `state`: runs, silent (it lives and does not answer), died or stopped."""
        found: dict[str, Any] = {"name": self.name, "state": "stopped"}
        if not self.exists():
            return found
        found |= {"folder": str(self.folder), "log": str(self.log)}
        if not self.runs():
            return found | {"state": "kept" if self.made().get("kept") else "died"}
        if not (serving := self.serving()):
            return found | {"state": "silent", "trouble": "it does not listen yet, or does not any more"}
        found |= serving | {"state": "runs", "page": f"{serving['url']}/_berth/"}
        found["config"] = config(serving["url"], self.credentials)
        try:
            return found | {"inside": self.ask("status")}
        except OSError as error:
            return found | {"state": "silent", "trouble": str(error)}

    def ask(self, what: str, method: str = "GET") -> Any:
        """An answer of its control API. Raises OSError where it gives none."""
        request = urllib.request.Request(  # noqa: S310 - http, to loopback
            f"{self.serving().get('url', 'http://127.0.0.1:0')}/_berth/{what}",
            method=method,
            headers={"Authorization": f"Bearer {(self.state / 'token').read_text()}"},
        )
        # A proxy of the environment is not for loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_ANSWER) as answer:
            return json.load(answer)

    # --- changing

    def start(self, *, port: int | None, seed: int | None, provide: Callable[[], Machines] | None) -> bool:
        """Starts it, or takes it up where one that died or was kept left off; False where it runs already.

        provide: makes what machines boot, once all else is well; None: nothing runs behind the API. Raises
        UserError.
        """
        with hold.hold(self._lock, doing=f"a change of cloud {self.name}", wait=True):
            if self.runs():
                return False
            before = self.made()
            if before and bool(before["image"]) != bool(provide):
                raise UserError(
                    f"cloud {self.name} was made {'with' if before['image'] else 'without'} machines",
                    fix=f"start it so again, or ./berth cloud stop --name {self.name} first",
                )
            if seed is not None and self.exists():
                raise UserError(
                    f"cloud {self.name} exists: its ids go on as they began",
                    fix=f"./berth cloud stop --name {self.name} first, or leave --seed out",
                )
            image, host = provide() if provide else Machines("", "")
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            wanted = port if port is not None else before.get("port", 0)
            chosen = {"image": image, "host": host, "port": wanted}
            _write(self.folder / "cloud.json", chosen)
            command = ["serve", "--folder", str(self.state), "--port", str(wanted), "--region", REGION]
            command += ["--machines", image, "--name", self.label] if image else []
            command += ["--seed", str(seed)] if seed is not None else []
            self._spawn(command, host)
            port = int(self.serving()["url"].rpartition(":")[2])
            _write(self.folder / "cloud.json", chosen | {"port": port})
            return True

    def stop(self, *, keep: bool) -> list[str]:
        """Ends it. keep: state and machines stay for the next start; else nothing of it does.

        The names of the containers that were removed. Raises UserError.
        """
        with hold.hold(self._lock, doing=f"a change of cloud {self.name}", wait=True):
            self._end()
            if not self.exists():
                return []
            if keep:
                _write(self.folder / "cloud.json", self.made() | {"kept": True})
                return []
            return self._remove()

    def reset(self) -> None:
        """Empties it: it goes on, with its account and keys. Raises UserError."""
        with hold.hold(self._lock, doing=f"a change of cloud {self.name}", wait=True):
            if not self.runs():
                raise UserError(
                    f"cloud {self.name} does not run", fix=f"./berth cloud start --name {self.name}"
                )
            self.ask("reset", "POST")
            deadline = time.monotonic() + _EMPTY
            while left := [one for one in self._containers() if not one.endswith("-plumber")]:
                if time.monotonic() > deadline:
                    raise UserError(
                        f"cloud {self.name} is empty, but {', '.join(left)} did not go within {_EMPTY:.0f} s",
                        fix=f"see {self.log}; ./berth cloud stop --name {self.name} removes them",
                    )
                time.sleep(0.3)

    def _containers(self) -> list[str]:
        machines = self.ask("status")["machines"]
        if machines.get("trouble"):
            raise UserError(f"cloud {self.name}: {machines['trouble']}", fix=f"see {self.log}")
        found: list[str] = machines.get("containers", [])
        return found

    def _spawn(self, command: list[str], host: str) -> None:
        """A new emulator, once it listens. host: of the Docker engine; empty where none is needed."""
        with self.log.open("ab") as log, step(f"Starting cloud {self.name}"):
            begun = log.tell()
            # Its own session: it outlives this command and does not see its Ctrl-C.
            process = subprocess.Popen(
                [sys.executable, "-m", "emulator", *command],
                cwd=ROOT,
                env=os.environ | ({"DOCKER_HOST": host} if host else {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
            try:
                said = _line(process, _START)
            except BaseException:
                process.terminate()
                raise
        if said is None:
            process.terminate()
            process.wait()
            last = self.log.read_bytes()[begun:].decode(errors="replace").strip().splitlines()
            raise UserError(
                f"cloud {self.name} did not start: {last[-1] if last else f'no answer in {_START:.0f} s'}",
                fix=f"see {self.log}",
            )

    def _end(self) -> None:
        if not self.runs():
            return
        if not (serving := self.serving()):
            raise UserError(
                f"the emulator of cloud {self.name} is just being started, or ended",
                fix=f"try again in a moment; see {self.log}",
            )
        pid = int(serving["pid"])
        with step(f"Stopping cloud {self.name} (pid {pid})"):
            usual = _STOP if self.report()["state"] == "runs" else _HUNG
            for sign, patience in ((signal.SIGTERM, usual), (signal.SIGKILL, 5.0)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sign)
                deadline = time.monotonic() + patience
                while self.runs():
                    if time.monotonic() > deadline:
                        break
                    time.sleep(0.05)
                else:
                    return
        raise UserError(f"the emulator of cloud {self.name} (pid {pid}) does not end", fix=f"see {self.log}")

    def _remove(self) -> list[str]:
        made = self.made()
        removed: list[str] = []
        if made.get("image") or not made:
            command = ["remove", "--folder", str(self.state), "--name", self.label]
            with step(f"Removing the machines of cloud {self.name}"):
                done = subprocess.run(
                    [sys.executable, "-m", "emulator", *command],
                    cwd=ROOT,
                    env=os.environ | ({"DOCKER_HOST": made["host"]} if made else {}),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                )
            if done.returncode:
                raise UserError(
                    f"cloud {self.name} was ended, but not removed: {done.stderr.strip().splitlines()[-1]}",
                    fix=f"correct that, then ./berth cloud stop --name {self.name} again",
                )
            removed = json.loads(done.stdout)["removed"]
        shutil.rmtree(self.folder)
        return removed


def known() -> list[Cloud]:
    """The clouds that there is anything of."""
    folder = places.data() / "cloud"
    names = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []
    return [Cloud(name) for name in names if _NAME.fullmatch(name)]


def config(url: str, credentials: Path) -> dict[str, str]:
    """What a stack's file must say for its alicloud resources to be made there."""
    place = url.removeprefix("http://")
    return {
        "alicloud:region": REGION,
        "alicloud:protocol": "HTTP",
        "alicloud:endpoints": json.dumps([dict.fromkeys(SERVICES, place)]),
        "alicloud:profile": PROFILE,
        "alicloud:sharedCredentialsFile": str(credentials),
    }


def _line(process: subprocess.Popen[str], patience: float) -> str | None:
    """The first line that a process prints; None where it ended or was silent for so many seconds."""
    import selectors

    assert process.stdout
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        return (process.stdout.readline() or None) if ready.select(patience) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def _write(path: Path, content: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.rename(path)
