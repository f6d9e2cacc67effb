"""A Pulumi project and state of our own, run with the toolchain that ./berth uses."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import docker
from docker.errors import DockerException

from bench.process import peak_memory

ROOT: Final = Path(__file__).resolve().parent.parent
POLICIES: Final = ROOT / "policies"
_OF_THE_SHELL: Final = ("PULUMI_STACK", "PULUMI_OPTION_POLICY_PACK", "PULUMI_CONFIG_PASSPHRASE_FILE")
"""What `./berth env` says and a measurement decides itself."""


@dataclass(frozen=True)
class Run:
    """One finished command.

    cpu: seconds of the whole process tree. peak: the largest resident size of the watched process in bytes,
    else 0.
    """

    seconds: float
    cpu: float
    peak: int
    output: str


@dataclass(frozen=True)
class Workspace:
    """One stack of one program.

    folder: the project. environment: for `pulumi`.
    """

    folder: Path
    environment: Mapping[str, str]
    stack: str = "bench"
    _flags: tuple[str, ...] = field(default=("--non-interactive", "--color", "never"))

    def run(self, *args: str, policies: bool = False, watch: str = "") -> Run:
        """Run `pulumi ARGS` to its end and time it; raises RuntimeError with the output where it fails.

        policies: with the policy pack. watch: record the memory of the child process with it in its command.
        """
        pack = ("--policy-pack", str(POLICIES)) if policies else ()
        command = ["pulumi", *args, *pack, "--stack", self.stack, *self._flags]
        began, cpu = time.perf_counter(), _cpu_of_children()
        with tempfile.TemporaryFile("w+") as out:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
            try:
                peak = peak_memory(process, watch) if watch else 0
                code = process.wait()
            except BaseException:
                # Interrupted: it must not hold the state while what it made is removed.
                process.send_signal(signal.SIGINT)
                process.wait()
                raise
            seconds = time.perf_counter() - began
            out.seek(0)
            output = out.read()
        if code:
            raise RuntimeError(f"`{' '.join(command)}` failed with {code}:\n{output}")
        return Run(seconds, _cpu_of_children() - cpu, peak, output)

    def clear(self) -> None:
        """Remove all that the stack made, data volumes included: they are protected, and nobody's here."""
        state = self.state()
        if any(resource.get("protect") for resource in state):
            self.run("state", "unprotect", "--all", "--yes")
        self.run("destroy", "--yes", "--skip-preview")
        kept = [resource["outputs"]["name"] for resource in state if resource.get("retainOnDelete")]
        if kept:
            client = docker.from_env()
            for name in kept:
                client.volumes.get(name).remove(force=True)
            client.close()

    def state(self) -> list[dict[str, Any]]:
        """The stack's resources in the order of their creation, secrets in the clear."""
        command = ["pulumi", "stack", "export", "--show-secrets", "--stack", self.stack]
        done = subprocess.run(
            command, cwd=self.folder, env=dict(self.environment), capture_output=True, text=True, check=True
        )
        resources: list[dict[str, Any]] = json.loads(done.stdout)["deployment"].get("resources", [])
        return resources


def _cpu_of_children() -> float:
    """Seconds that all ended child processes, and theirs, have computed."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def toolchain() -> dict[str, str]:
    """The environment that `./berth env` prints."""
    shell = f'eval "$({ROOT}/berth env)" && env -0'
    done = subprocess.run(["sh", "-c", shell], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode or "\0" not in done.stdout:
        raise RuntimeError(f"./berth env failed; ./berth doctor tells why:\n{done.stderr}")
    return dict(line.partition("=")[::2] for line in done.stdout.split("\0") if line)


@contextmanager
def workspace(program: str | None = None, **variables: str) -> Iterator[Workspace]:
    """A stack with an empty state; destroyed and removed at the end.

    program: the text of its __main__.py; None for the repository's own. variables: more of its environment.
    """
    folder = Path(tempfile.mkdtemp(prefix="berth-bench-"))
    project: dict[str, Any] = {
        "name": "berth",
        "runtime": {"name": "python", "options": {"toolchain": "uv", "virtualenv": str(ROOT / ".venv")}},
    }
    if program is None:
        # Through a link, so that the project's settings and state stay out of the repository.
        (folder / "program").symlink_to(ROOT)
        project["main"] = "program"
    else:
        (folder / "__main__.py").write_text(program, encoding="utf-8")
    (folder / "Pulumi.yaml").write_text(json.dumps(project), encoding="utf-8")
    (folder / "state").mkdir()
    environment = {
        **os.environ,
        **toolchain(),
        "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "bench",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        **variables,
    }
    for name in _OF_THE_SHELL:
        environment.pop(name, None)
    bench = Workspace(folder, environment)
    try:
        bench.run("stack", "init", "--no-select")
        yield bench
        bench.clear()
    except BaseException:
        # What was made must go, and the first error must stay the one that is told.
        with suppress(RuntimeError, DockerException):
            bench.clear()
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
