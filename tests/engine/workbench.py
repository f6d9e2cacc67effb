"""A small project of its own for the verbs:

one web server, the real launcher's code, policies and toolchain.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import docker

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]

PROJECT = """name: berth
runtime:
  name: python
  options: {toolchain: uv, virtualenv: .venv}
"""
STACK = """# This comment must survive.
config:
  berth:systems: [gateway]
  berth:images: {source: registry, tag: "1"}
  berth:generate_secrets: true
"""
PROGRAM = """
import json, os
from pathlib import Path
import pulumi
import pulumi_docker as docker
from stacks.reads import follow

follow(Path(__file__).parent)
wanted = json.loads(Path("wanted.json").read_text())
labels = {"berth.stack": wanted["stack"], "berth.system": "gateway", "berth.service": "web"}
data = docker.Volume(
    "data",
    name=wanted["stack"] + "-data",
    labels=[docker.VolumeLabelArgs(label=k, value=v) for k, v in labels.items()],
    opts=pulumi.ResourceOptions(protect=True),
)
joined = []
if wanted["network"]:
    network = docker.Network(
        "inner",
        name=wanted["stack"] + "-inner",
        labels=[docker.NetworkLabelArgs(label=k, value=v) for k, v in labels.items()],
    )
    joined = [docker.ContainerNetworksAdvancedArgs(name=network.name, aliases=["web"])]
web = docker.Container(
    "web",
    image="berth-test/busybox:1",
    command=["sh", "-c", wanted["command"]],
    user="65534",
    restart="unless-stopped",
    memory=64, memory_swap=64, cpus="0.5",
    log_driver="json-file", log_opts={"max-size": "1m", "max-file": "1"},
    capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
    security_opts=["no-new-privileges"],
    ports=[docker.ContainerPortArgs(internal=8080, external=wanted["port"], ip="127.0.0.1")],
    healthcheck=docker.ContainerHealthcheckArgs(
        tests=["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/health"],
        interval="1s", timeout="2s", retries=3, start_period="300s",
    ),
    wait=True, wait_timeout=300,
    networks_advanced=joined,
    labels=[docker.ContainerLabelArgs(label=k, value=v) for k, v in labels.items()],
    mounts=[docker.ContainerMountArgs(type="volume", source=data.name, target="/srv/data")],
    opts=pulumi.ResourceOptions(delete_before_replace=True),
)
pulumi.export("systems", {"gateway": {
    "services": {"web": {"containers": [web.name], "alias": "web", "port": 8080}},
    "networks": [], "volumes": [data.name], "url": f"http://127.0.0.1:{wanted['port']}",
}})
"""
SERVE = "mkdir -p /tmp/w && {wait} echo ok >/tmp/w/health && exec httpd -f -p 8080 -h /tmp/w"


class Workbench:
    """Runs the verbs on the small project, whose objects carry `name`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.prefix: list[str] = []  # words before each command, to run it beside another engine
        self.root = folder / "project"
        self.root.mkdir()
        for shared in (".venv", "policies", "workloads"):
            (self.root / shared).symlink_to(ROOT / shared)
        (self.root / "Pulumi.yaml").write_text(PROJECT)
        (self.root / "__main__.py").write_text(PROGRAM)
        self.file = self.root / "Pulumi.dev.yaml"
        self.file.write_text(STACK)
        self.port = free_port()
        self.want()
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "BERTH_"))},
            "BERTH_ROOT": str(self.root),
            "PYTHONPATH": str(ROOT),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }

    def want(self, *, ready: bool = True, mark: str = "", network: bool = False) -> None:
        """Chooses what the program asks for.

        Ready: False makes the server start listening only after minutes. network: one of the stack's own.
        """
        command = SERVE.format(wait=f": {mark};" if ready else "sleep 250;")
        wanted = {"stack": self.name, "port": self.port, "command": command, "network": network}
        (self.root / "wanted.json").write_text(json.dumps(wanted))

    @property
    def state(self) -> Path:
        """The file with the recorded state."""
        return Path(self.environment["XDG_DATA_HOME"]) / "berth/state/.pulumi/stacks/berth/dev.json"

    def start(self, *args: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Starts a verb in a session of its own."""
        return subprocess.Popen(
            [*self.prefix, sys.executable, "-m", "ops", *args],
            env={**self.environment, **(env or {})},
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, *args: str, env: Mapping[str, str] | None = None, input: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Runs a verb to its end."""
        return subprocess.run(
            [*self.prefix, sys.executable, "-m", "ops", *args],
            env={**self.environment, **(env or {})},
            cwd=self.root,
            input=input,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def ok(self, *args: str, env: Mapping[str, str] | None = None, input: str = "") -> str:
        """Runs a verb that must succeed; its stdout."""
        done = self.run(*args, env=env, input=input)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def fails(self, *args: str, code: int = 1, env: Mapping[str, str] | None = None) -> str:
        """Runs a verb that must fail as users' errors do:

        cause and fix last, no traceback; those two lines.
        """
        done = self.run(*args, env=env)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        cause, _, fix = done.stderr[done.stderr.rindex("error: ") :].partition("\n  fix: ")
        assert fix, done.stderr
        return f"{cause}\n{fix}"

    def containers(self, client: docker.DockerClient) -> list[Any]:
        """The engine's containers of this bench."""
        return list(
            client.containers.list(
                all=True, ignore_removed=True, filters={"label": f"berth.stack={self.name}"}
            )
        )


def wait_for(condition: Callable[[], Any], *, what: str, seconds: float = 90) -> Any:
    """The first true value of `condition`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {seconds} s")


def children(pid: int) -> list[int]:
    """All processes below `pid`."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
            if parent == pid:
                found += [int(entry.name), *children(int(entry.name))]
    return found


def kill(pids: list[int]) -> None:
    """Kills processes that this test started."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
