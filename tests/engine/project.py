"""A Pulumi project in a temporary folder, worked on by the real engine with our plugins.

    def test_something(project):
        project.program('import pulumi; pulumi.export("answer", 42)')
        project.up()
        assert project.outputs() == {"answer": 42}

Every project has its own state (file backend), its own selected stack `dev` and a passphrase. The fixture
destroys what the stack still holds at the end. The docker plugin is registered like the language host, so
programs may `import pulumi_docker`.
"""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offline.toolchain import Toolchain

VIRTUALENV = Path(sys.prefix)
# A program with one resource that needs no plugin.
COMPONENT = """
    import pulumi
    pulumi.ComponentResource("test:index:Thing", "thing")
"""


@dataclass(frozen=True)
class Result:
    """A finished command. `text` is all that a user saw."""

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout + self.stderr


class Project:
    """`folder` holds the program; `env` is what its commands run with, and may be changed by a test."""

    def __init__(self, toolchain: Toolchain, folder: Path, home: Path, *, name: str = "tried") -> None:
        self.toolchain = toolchain
        self.folder = folder / "project"
        self.state = folder / "state"
        self.folder.mkdir(parents=True)
        self.state.mkdir()
        self.name = name
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
        self.env = toolchain.environ(clean) | {
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": self.state.as_uri(),
            "PULUMI_CREDENTIALS_PATH": str(home),
            "PULUMI_CONFIG_PASSPHRASE": "correct horse",
        }
        self.settings()
        self.program("")

    def settings(self, *, toolchain: str = "uv", virtualenv: str | Path = VIRTUALENV, **more: str) -> None:
        """Writes Pulumi.yaml. `more` goes to the runtime's options."""
        options = {"toolchain": toolchain, "virtualenv": str(virtualenv), **more}
        description = {"name": self.name, "runtime": {"name": "python", "options": options}}
        (self.folder / "Pulumi.yaml").write_text(json.dumps(description))

    def program(self, text: str) -> Path:
        """Writes `__main__.py`, dedented."""
        file = self.folder / "__main__.py"
        file.write_text(textwrap.dedent(text))
        return file

    def run(self, *args: str, check: bool = True, **env: str) -> Result:
        """`pulumi ARGS`. Fails the test on a non-zero exit unless `check=False`."""
        done = subprocess.run(
            [self.toolchain.pulumi, "--non-interactive", *args],
            cwd=self.folder,
            env=self.env | env,
            capture_output=True,
            text=True,
            timeout=300,
        )
        result = Result(done.returncode, done.stdout, done.stderr)
        assert not check or result.code == 0, f"pulumi {' '.join(args)} exited {result.code}\n{result.text}"
        return result

    def start(self, *args: str, **env: str) -> "subprocess.Popen[str]":
        """`pulumi ARGS` in the background, in a process group of its own, output merged."""
        return subprocess.Popen(
            [self.toolchain.pulumi, "--non-interactive", *args],
            cwd=self.folder,
            env=self.env | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def init(self, stack: str = "dev") -> None:
        """Makes the stack; `run` works on it from then on."""
        self.run("stack", "init", stack)

    def preview(self, *args: str, check: bool = True) -> Result:
        """`pulumi preview --diff ARGS`."""
        return self.run("preview", *args, check=check)

    def up(self, *args: str, check: bool = True) -> Result:
        """`pulumi up` without questions and without its own preview."""
        return self.run("up", "--yes", "--skip-preview", *args, check=check)

    def refresh(self, *args: str, check: bool = True) -> Result:
        """`pulumi refresh` without questions."""
        return self.run("refresh", "--yes", "--skip-preview", *args, check=check)

    def destroy(self, *args: str, check: bool = True) -> Result:
        """`pulumi destroy` without questions."""
        return self.run("destroy", "--yes", "--skip-preview", *args, check=check)

    def unchanged(self) -> Result:
        """A preview that fails the test when anything would change."""
        return self.run("preview", "--expect-no-changes", "--diff")

    def config(self, key: str, value: str, *, secret: bool = False) -> None:
        """Sets a value of the stack's configuration."""
        self.run("config", "set", "--secret" if secret else "--plaintext", key, "--", value)

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """The stack's outputs."""
        flags = ["--show-secrets"] if show_secrets else []
        found: dict[str, Any] = json.loads(self.run("stack", "output", "--json", *flags).stdout)
        return found

    def resources(self) -> list[dict[str, Any]]:
        """The resources in the state, the stack itself and providers included."""
        deployment = json.loads(self.run("stack", "export").stdout)["deployment"]
        found: list[dict[str, Any]] = deployment.get("resources", [])
        return found

    def state_text(self) -> str:
        """Everything that the backend stores, as text: to look for what must not be there."""
        files = (file for file in self.state.rglob("*") if file.is_file())
        return "\n".join(file.read_text(errors="replace") for file in files)
