"""A real container registry on a loopback port, with a login; Docker allows plain HTTP to loopback."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import httpx

from tests.ports import free_port

START_SECONDS = 20
PACKAGE = "docker-registry"


@dataclass(frozen=True)
class Registry:
    """Where it listens and who may log in."""

    host: str
    username: str
    password: str


@contextmanager
def start_registry(tmp: Path) -> Iterator[Registry]:
    """Run Debian's docker-registry with its data below `tmp`; installs it where it is missing."""
    _install()
    host = f"127.0.0.1:{free_port()}"
    registry = Registry(host, "berth", "correct-horse-battery")
    hashed = bcrypt.hashpw(registry.password.encode(), bcrypt.gensalt(4)).decode()
    (tmp / "htpasswd").write_text(f"{registry.username}:{hashed}\n")
    (tmp / "config.yml").write_text(
        f"version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {tmp}/data}}}}\n"
        f"http: {{addr: '{host}'}}\n"
        f"auth: {{htpasswd: {{realm: berth, path: {tmp}/htpasswd}}}}\n"
    )
    with (tmp / "registry.log").open("wb") as log:
        process = subprocess.Popen(
            [PACKAGE, "serve", str(tmp / "config.yml")], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait_until_up(process, host, tmp / "registry.log")
            yield registry
        finally:
            process.terminate()
            process.wait(10)


def _install() -> None:
    if shutil.which(PACKAGE):
        return
    command = ["apt-get", "install", "-y", "-q", PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        subprocess.run(["apt-get", "update", "-q"], capture_output=True, check=False)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not shutil.which(PACKAGE):
        raise RuntimeError(
            f"these tests need a registry, and {PACKAGE} cannot be installed (as root on Debian: "
            f"{' '.join(command)}):\n{done.stdout[-1000:]}{done.stderr[-1000:]}"
        )


def _wait_until_up(process: subprocess.Popen[bytes], host: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"http://{host}/v2/", trust_env=False).status_code == 401:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError(f"the registry did not come up; the end of its log:\n{log.read_text()[-2000:]}")
