"""A copy of the project with a stack of its own, worked on through `./berth` as a user would.

Nothing is shared with a deployment that the machine's user has: state, passphrase and settings lie in a
temporary folder, the gateway listens on a free loopback port, and the network has a name of its own. Only the
cache (built CLI, base image) is the user's.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker
import httpx
import yaml

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 1200


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Deployment:
    """The copy's folder, its stack and the environment of its commands."""

    def __init__(self, tmp: Path) -> None:
        self.folder = tmp / "berth"
        self.stack = f"t{secrets.token_hex(3)}"
        self.port = free_port()
        files = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        for name in filter(None, files.stdout.decode().split("\0")):
            source, target = ROOT / name, self.folder / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "BERTH_"))
        } | {
            "XDG_DATA_HOME": str(tmp / "data"),
            "XDG_CONFIG_HOME": str(tmp / "config"),
        }
        self.configure({})

    def configure(self, gateway: Mapping[str, Any]) -> None:
        """Sets `berth:gateway`; `gateway` is laid over what keeps this stack apart from others."""
        path = self.folder / f"Pulumi.{self.stack}.yaml"
        document: dict[str, Any] = yaml.safe_load(path.read_text()) if path.exists() else {}
        settings = {
            "berth:systems": ["gateway"],
            "berth:images": {"source": "local"},
            "berth:generate_secrets": True,
            "berth:gateway": _merged(
                {
                    "mode": "unified",
                    "network": {"name": f"{self.stack}-network"},
                    "gateway": {"port": self.port, "address": "127.0.0.1"},
                },
                gateway,
            ),
        }
        document["config"] = {**document.get("config", {}), **settings}
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def berth(
        self, *args: str, text: str | None = None, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """`./berth ARGS -s STACK` without a terminal."""
        return self._run([str(self.folder / "berth"), *args, "-s", self.stack], text=text, check=check)

    def shell(self, script: str, *, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """A POSIX shell script in the copy's folder."""
        return self._run(["sh", "-c", script], check=check)

    def _run(
        self, command: list[str], *, text: str | None = None, check: bool
    ) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            input=text or "",
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        if check and done.returncode:
            raise AssertionError(f"{command} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def outputs(self) -> dict[str, Any]:
        """What the stack exports for the gateway."""
        script = f'eval "$(./berth env -s {self.stack})" && pulumi stack output --json --stack {self.stack}'
        outputs: dict[str, Any] = json.loads(self.shell(script).stdout)["systems"]["gateway"]
        return outputs

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> httpx.Client:
        """HTTP to the gateway, past any proxy of the machine's user."""
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    def objects(self, engine: docker.DockerClient) -> dict[str, list[str]]:
        """Names of all containers, networks and volumes on the engine that carry this stack's label."""
        mine = {"label": f"berth.stack={self.stack}"}
        return {
            "containers": sorted(c.name for c in engine.containers.list(all=True, filters=mine)),
            "networks": sorted(n.name for n in engine.networks.list(filters=mine)),
            "volumes": sorted(v.name for v in engine.volumes.list(filters=mine)),
        }


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    return base | {
        key: _merged(base[key], value)
        if isinstance(value, Mapping) and isinstance(base.get(key), dict)
        else value
        for key, value in over.items()
    }
