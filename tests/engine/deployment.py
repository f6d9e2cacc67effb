"""A copy of the project with a stack of its own, worked on through `./berth` as a user would.

Nothing is shared with a deployment that the machine's user has: state, passphrase and settings lie in a
temporary folder, the system listens on free loopback ports, and the network has a name of its own. Only the
cache (built CLI, base image) is the user's.
"""

import json
import os
import secrets
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker
import httpx
import yaml
from uv import find_uv_bin

from tests.copied import copy_project
from tests.ports import free_port

TIMEOUT = 1200


class Deployment:
    """The copy's folder, its stack and the environment of its commands. system: the one that it runs."""

    def __init__(self, tmp: Path, system: str = "gateway") -> None:
        self.folder, self.system = tmp / "berth", system
        self.stack = f"t{secrets.token_hex(3)}"
        self.port, self.plain_port, self.admin_port = free_port(), free_port(), free_port()
        copy_project(self.folder)
        # Its own environment takes seconds with uv; `.ci/run` itself is the one that is set up by pip.
        tools = tmp / "tools"
        tools.mkdir(exist_ok=True)
        if not (tools / "uv").exists():
            (tools / "uv").symlink_to(find_uv_bin())
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "BERTH_"))
        } | {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "XDG_DATA_HOME": str(tmp / "data"),
            "XDG_CONFIG_HOME": str(tmp / "config"),
        }
        self._authority: str | None = None
        self.configure({})

    def configure(self, system: Mapping[str, Any], **beside: Mapping[str, Any]) -> None:
        """Sets `berth:<system>`; `system` is laid over what keeps this stack apart from others.

        beside: further systems of the stack, by name, with their settings.
        """
        path = self.folder / f"Pulumi.{self.stack}.yaml"
        document: dict[str, Any] = yaml.safe_load(path.read_text()) if path.exists() else {}
        settings = {
            "berth:systems": [self.system, *beside],
            "berth:images": {"source": "local"},
            "berth:generate_secrets": True,
            f"berth:{self.system}": _merged(self._apart(), system),
            **{f"berth:{name}": dict(given) for name, given in beside.items()},
        }
        document["config"] = {**document.get("config", {}), **settings}
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def _apart(self) -> dict[str, Any]:
        """What keeps its ports and its network apart."""
        network = {"name": f"{self.stack}-network"}
        if self.system == "gateway":
            gateway = {"port": self.port, "address": "127.0.0.1"}
            return {"mode": "unified", "network": network, "gateway": gateway}
        door = {"http_port": self.plain_port, "https_port": self.port, "address": "127.0.0.1"}
        apart: dict[str, Any] = {"network": network, "nginx": door}
        if self.system == "gpu":
            apart |= {
                "nginx_network": {"name": f"{self.stack}-nginx"},
                "admin": {"port": self.admin_port},
            }
        return apart

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
            raise AssertionError(
                f"{command} exited {done.returncode}\n{_end(done.stdout)}\n{_end(done.stderr)}"
            )
        return done

    def outputs(self) -> dict[str, Any]:
        """What the stack exports for the system."""
        script = f'eval "$(./berth env -s {self.stack})" && pulumi stack output --json --stack {self.stack}'
        outputs: dict[str, Any] = json.loads(self.shell(script).stdout)["systems"][self.system]
        return outputs

    @property
    def url(self) -> str:
        scheme = "http" if self.system == "gateway" else "https"
        return f"{scheme}://127.0.0.1:{self.port}"

    def client(self) -> httpx.Client:
        """HTTP to the system's door, past any proxy of the machine's user; a certificate must be right."""
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, verify=self.trust())

    def trust(self) -> ssl.SSLContext | bool:
        """What the door's certificate is checked with: the authority that the stack exports."""
        if self.system == "gateway":
            return True
        if self._authority is None:
            self._authority = str(self.outputs()["authority"])
        return ssl.create_default_context(cadata=self._authority)

    def objects(self, engine: docker.DockerClient) -> dict[str, list[str]]:
        """Names of all containers, networks and volumes on the engine that carry this stack's label."""
        mine = {"label": f"berth.stack={self.stack}"}
        return {
            "containers": sorted(c.name for c in engine.containers.list(all=True, filters=mine)),
            "networks": sorted(n.name for n in engine.networks.list(filters=mine)),
            "volumes": sorted(v.name for v in engine.volumes.list(filters=mine)),
        }


def _end(output: str, lines: int = 60) -> str:
    """Why a command failed stands there; with a whole preview before it a report has no room for that."""
    return "\n".join(output.splitlines()[-lines:])


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    return base | {
        key: _merged(base[key], value)
        if isinstance(value, Mapping) and isinstance(base.get(key), dict)
        else value
        for key, value in over.items()
    }
