"""InstallDependencies: `pulumi install`."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from offline.language.options import LanguageError, Options
from offline.language.process import Child
from offline.language.streams import Line, stream


def install(options: Options, program: Path, *, plugin: bool) -> Iterator[Line]:
    """Makes the environment where it is missing and installs what the project pins; yields the tools' output.

    The first of these decides: requirements.lock (with hashes), uv.lock or pyproject.toml (`toolchain: uv`),
    requirements.txt. Packages that none of them names stay: an environment may serve more than the program.
    """
    uv = _find_uv(options)
    environment = options.virtualenv
    if environment is not None and not (environment / "bin" / "python").is_file():
        yield Line(f"Creating {environment}\n".encode())
        make: list[str | Path] = (
            [uv, "venv", "--allow-existing", environment]
            if uv
            else [_base_python(), "-m", "venv", environment]
        )
        yield from _checked(make, options, program)
    for command in _commands(options, program, uv, plugin=plugin):
        yield Line(f"Running {' '.join(str(word) for word in command)}\n".encode())
        yield from _checked(command, options, program)
    yield Line(b"Finished installing dependencies\n")


def _commands(
    options: Options, program: Path, uv: Path | None, *, plugin: bool
) -> Iterator[list[str | Path]]:
    python = options.python()
    pip: list[str | Path] = (
        [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    )
    if plugin and (program / "pyproject.toml").is_file():
        yield [*pip, program]
    folders = [options.root, program] if program != options.root else [program]
    for folder in folders:
        if (lock := folder / "requirements.lock").is_file():
            yield [*pip, "--require-hashes", "-r", lock]
            return
        is_project = (folder / "uv.lock").is_file() or (folder / "pyproject.toml").is_file()
        if options.toolchain == "uv" and is_project and not plugin:
            if uv is None:
                raise LanguageError("`toolchain: uv` needs uv on PATH or in the virtualenv: pip install uv")
            yield [uv, "sync", "--inexact", "--project", folder]
            return
        if (plain := folder / "requirements.txt").is_file():
            yield [*pip, "-r", plain]
            return


def _checked(command: list[str | Path], options: Options, program: Path) -> Iterator[Line]:
    env = options.environ()
    if options.virtualenv is not None:
        env["UV_PROJECT_ENVIRONMENT"] = str(options.virtualenv)
    child = Child(command, cwd=str(program), env=env, capture=True)
    yield from stream(child)
    status = child.wait()
    if status != 0:
        raise LanguageError(f"`{' '.join(str(word) for word in command)}` failed with exit code {status}")


def _find_uv(options: Options) -> Path | None:
    """uv from the program's environment, the host's own or PATH: it is a package like any other."""
    places = [options.virtualenv / "bin"] if options.virtualenv else []
    for folder in (*places, Path(sys.executable).parent):
        if (folder / "uv").is_file():
            return folder / "uv"
    found = shutil.which("uv")
    return Path(found) if found else None


def _base_python() -> Path:
    """The Python that the host's own environment was made from; one made from that would break with it."""
    return Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
