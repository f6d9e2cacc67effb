"""Makes `.venv` from a lock file. Run by ./berth with whatever Python it found; standard library only.

A finished environment carries `.venv/.berth/`: a copy of each lock it satisfies and its own folder.
Both are removed before anything changes and written last, so what an interrupted run leaves is made anew.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RUNTIME_LOCK = "requirements.lock"
CLOUD_LOCK = "requirements-cloud.lock"
DEV_LOCK = "requirements-dev.lock"
LOCKS = (RUNTIME_LOCK, CLOUD_LOCK, DEV_LOCK)
"""Each is made under the constraints of those before, and satisfies them."""
PACKAGES = ("components", "emulator", "offline", "ops", "policies", "stacks")
TICK = 10.0  # seconds between signs of life where there is no terminal


class BootstrapError(Exception):
    """The environment cannot be made: one line of cause, then the next step."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - rich is not installed yet


@contextmanager
def step(title: str) -> Iterator[None]:
    """Says what runs and, while it runs, for how long already."""
    started = time.monotonic()
    done = threading.Event()
    terminal = sys.stderr.isatty()

    def tick() -> None:
        while not done.wait(1.0 if terminal else TICK):
            elapsed = int(time.monotonic() - started)
            if terminal:
                sys.stderr.write(f"\r{title} ({elapsed} s)")
                sys.stderr.flush()
            else:
                say(f"  still at it: {title} ({elapsed} s)")

    if not terminal:
        say(f"{title} ...")
    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        done.set()
        ticker.join()
        if terminal:
            sys.stderr.write("\r\033[K")
    say(f"{title}: done in {time.monotonic() - started:.0f} s")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One set-up at a time; the kernel releases the lock when its holder dies."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another ./berth is setting up .venv; waiting for it ...")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run(command: list[str | Path], *, fix: str) -> None:
    """Runs quietly; output is shown only when it fails."""
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise BootstrapError(
            f"`{Path(str(command[0])).name}` failed with exit code {done.returncode}\n  fix: {fix}"
        )


def ready(venv: Path, root: Path, lock: str) -> bool:
    stamp = venv / ".berth"
    try:
        return (
            os.access(venv / "bin" / "python", os.X_OK)
            and (stamp / "root").read_text() == f"{root}\n"
            and (stamp / lock).read_bytes() == (root / lock).read_bytes()
        )
    except FileNotFoundError:
        return False


def find_uv(venv: Path) -> str | None:
    """uv from PATH, else the one that the last set-up put into the environment."""
    own = venv / "bin" / "uv"
    return shutil.which("uv") or (str(own) if os.access(own, os.X_OK) else None)


def pip_index() -> dict[str, str]:
    """pip's index and CA settings for uv, which reads neither: many networks have only a mirror."""
    wanted = {"UV_DEFAULT_INDEX": "index-url", "UV_EXTRA_INDEX_URL": "extra-index-url"}
    if "UV_INDEX_URL" in os.environ:
        del wanted["UV_DEFAULT_INDEX"]
    missing = {variable: key for variable, key in wanted.items() if variable not in os.environ}
    found = {}
    if missing:
        # One `section.key='value'` a line; pip itself merges its files and PIP_* for us.
        asked = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True
        )
        settings = dict(line.split("=", 1) for line in asked.stdout.splitlines() if "=" in line)
        for variable, key in missing.items():
            for section in ("install", ":env:", "global"):
                if value := settings.get(f"{section}.{key}", "").strip("'\""):
                    found[variable] = " ".join(value.replace("\\n", " ").split())
                    break
    certificate = os.environ.get("PIP_CERT")
    if certificate and "SSL_CERT_FILE" not in os.environ:
        found["SSL_CERT_FILE"] = certificate
    return found


def ensure_venv_module() -> None:
    """Debian ships Python without ensurepip; `python3-venv` brings it."""
    if subprocess.run([sys.executable, "-c", "import venv, ensurepip"], capture_output=True).returncode == 0:
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if os.geteuid() != 0 or shutil.which("apt-get") is None or not sys.executable.startswith("/usr/bin/"):
        raise BootstrapError(
            f"{sys.executable} has no `venv` module\n"
            f"  fix: as root run `apt-get install {package}`, or install uv, then run ./berth again"
        )
    with step(f"Installing Debian's {package} (apt)"):
        apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
        fix = f"install {package} by hand, or install uv, then run ./berth again"
        run([*apt, "update"], fix=fix)
        run([*apt, "install", "--no-install-recommends", package], fix=fix)


def make(root: Path, venv: Path, lock: str) -> None:
    """Brings `.venv` to exactly the lock's versions, whose hashes are checked."""
    network = "check the network, or set PIP_INDEX_URL to a mirror that you can reach, then run ./berth again"
    stamp = venv / ".berth"
    usable = (
        os.access(venv / "bin" / "python", os.X_OK)
        and (stamp / "root").is_file()
        and (stamp / "root").read_text() == f"{root}\n"
    )
    uv = find_uv(venv) if usable else shutil.which("uv")
    shutil.rmtree(stamp, ignore_errors=True)
    if not usable:
        # Whatever is there is broken, half made or was moved here; its scripts would name another folder.
        shutil.rmtree(venv, ignore_errors=True)
        if uv is None:
            ensure_venv_module()
    if uv:
        os.environ.update(pip_index())
        if not usable:
            run([uv, "venv", "--quiet", "--no-project", "--python", sys.executable, venv], fix=network)
        run(
            [
                uv,
                "pip",
                "sync",
                "--quiet",
                "--require-hashes",
                "--compile-bytecode",
                "--python",
                venv / "bin" / "python",
                root / lock,
            ],
            fix=network,
        )
    else:
        if not usable:
            run(
                [sys.executable, "-m", "venv", venv],
                fix="free disk space, or install uv, then run ./berth again",
            )
        run(
            [venv / "bin" / "python", "-m", "pip", "install", "--require-hashes", "-r", root / lock],
            fix=network,
        )
    compile_own(venv, root)
    fresh = venv / ".berth.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    (fresh / "root").write_text(f"{root}\n")
    for satisfied in LOCKS[: LOCKS.index(lock) + 1]:
        shutil.copyfile(root / satisfied, fresh / satisfied)
    fresh.rename(stamp)


def compile_own(venv: Path, root: Path) -> None:
    """Writes the bytecode of our own packages, whatever PYTHONDONTWRITEBYTECODE says.

    A preview starts five Python processes, and each would compile what it imports. Where it cannot be
    written, that is what happens; an edited file is never mistaken for what was compiled.
    """
    subprocess.run(
        [venv / "bin" / "python", "-m", "compileall", "-q", *(root / package for package in PACKAGES)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def keep_superset(venv: Path, lock: str) -> str:
    """What an environment has beyond what is asked for it keeps: going back and forth would reinstall it."""
    has = [one for one in LOCKS if (venv / ".berth" / one).is_file()]
    return max([lock, *has], key=LOCKS.index)


def main(root: Path, lock: str) -> int:
    venv = root / ".venv"
    try:
        with alone(root / ".berth" / "setup.lock"):
            if ready(venv, root, lock):
                return 0
            lock = keep_superset(venv, lock)
            with step(f"Setting up .venv from {lock}"):
                make(root, venv, lock)
    except BootstrapError as error:
        say(f"error: {error}")
        return 1
    except OSError as error:
        say(f"error: .venv cannot be made: {error.strerror}: {error.filename or root}")
        say("  fix: make the folder writable and free some disk space, then run ./berth again")
        return 1
    except KeyboardInterrupt:
        say("stopped; the next ./berth starts the set-up again")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
