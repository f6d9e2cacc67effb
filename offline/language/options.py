"""The runtime options of Pulumi.yaml, and the Python environment that they choose."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class LanguageError(Exception):
    """A request that cannot be served; the text is shown to the user by the engine."""


@dataclass(frozen=True)
class Options:
    """Where a program's Python lives. `virtualenv` is absolute, or None for the Python on PATH."""

    root: Path
    toolchain: str
    virtualenv: Path | None

    @classmethod
    def parse(cls, root: str, options: Mapping[str, Any], *, plugin: bool = False) -> "Options":
        """Reads `runtime.options`. Raises LanguageError naming what this host does not serve.

        `plugin` applies the official host's default for plugins, which never run in an ambient Python.
        """
        for key, value in options.items():
            if key not in ("toolchain", "virtualenv"):
                raise LanguageError(
                    f"Pulumi.yaml: runtime.options.{key} is not served by the offline Python host; "
                    "remove it, or install the official Pulumi CLI"
                )
            if not isinstance(value, str):
                raise LanguageError(f"Pulumi.yaml: runtime.options.{key} is {value!r}; it must be a string")
        toolchain = options.get("toolchain", "pip")
        if toolchain not in ("pip", "uv"):
            raise LanguageError(
                f"Pulumi.yaml: runtime.options.toolchain is {toolchain!r}; "
                "the offline Python host serves 'pip' and 'uv'"
            )
        here = Path(root)
        virtualenv = options.get("virtualenv", "")
        if virtualenv:
            return cls(here, toolchain, here / virtualenv)
        if toolchain == "uv":
            return cls(here, toolchain, _uv_environment(here))
        return cls(here, toolchain, here / "venv" if plugin else None)

    def python(self) -> Path:
        """The interpreter. Raises LanguageError when the environment does not exist."""
        if self.virtualenv is not None:
            python = self.virtualenv / "bin" / "python"
            if python.is_file():
                return python
            state = "is not a virtual environment" if self.virtualenv.exists() else "does not exist"
            raise LanguageError(
                f"the virtualenv of Pulumi.yaml, {self.virtualenv}, {state}; run `pulumi install`"
            )
        wanted = (
            [os.environ["PULUMI_PYTHON_CMD"]]
            if os.environ.get("PULUMI_PYTHON_CMD")
            else ["python3", "python"]
        )
        for name in wanted:
            if found := shutil.which(name):
                return Path(found)
        raise LanguageError(f"no Python on PATH (looked for {', '.join(wanted)})")

    def environ(self) -> dict[str, str]:
        """This process's environment with the virtualenv activated."""
        env = dict(os.environ)
        if self.virtualenv is not None:
            env["VIRTUAL_ENV"] = str(self.virtualenv)
            env["PATH"] = f"{self.virtualenv / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}"
            env.pop("PYTHONHOME", None)
        return env


def _uv_environment(root: Path) -> Path:
    """Where uv itself would put it: beside the nearest uv.lock, else the nearest pyproject.toml."""
    project = root
    for name in ("uv.lock", "pyproject.toml"):
        found = next((folder for folder in (root, *root.parents) if (folder / name).is_file()), None)
        if found is not None:
            project = found
            break
    return project / (os.environ.get("UV_PROJECT_ENVIRONMENT") or ".venv")
