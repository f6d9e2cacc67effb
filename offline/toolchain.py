"""Which Pulumi runs: the official one where there is one, else the one built from offline/pulumi.

    toolchain = find_or_build(progress=lambda text, seconds: print(text))
    subprocess.run([toolchain.pulumi, "preview"], env=toolchain.environ())

The stack definitions never learn the answer.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Literal

from offline.alicloud.schema import VERSION as ALICLOUD
from offline.build import Progress, ToolchainError, build, cache_folder, pulumi_version, silent

__all__ = [
    "Progress",
    "Toolchain",
    "ToolchainError",
    "find_official",
    "find_or_build",
    "offline_toolchain",
    "register_plugins",
]

CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Toolchain:
    """A Pulumi that can run. `bin_dirs` belong in front of PATH; `env` holds what else to set."""

    kind: Literal["official", "offline"]
    pulumi: Path
    bin_dirs: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def environ(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """`base` (by default this process's environment) with the toolchain put in front; a new dict."""
        result = dict(os.environ if base is None else base)
        known = [entry for entry in result.get("PATH", os.defpath).split(os.pathsep) if entry]
        own = [str(folder) for folder in self.bin_dirs]
        result["PATH"] = os.pathsep.join([*own, *(entry for entry in known if entry not in own)])
        return result | dict(self.env)


def find_or_build(progress: Progress = silent, *, environ: Mapping[str, str] | None = None) -> Toolchain:
    """The toolchain for this machine; the first call on a machine without Pulumi takes minutes.

    `progress` is called about once a second with what is being done and for how many seconds.
    Raises ToolchainError, which explains the ways out, when there is no Pulumi and none can be built.
    """
    environ = os.environ if environ is None else environ
    return find_official(environ) or offline_toolchain(progress, environ=environ)


def find_official(environ: Mapping[str, str]) -> Toolchain | None:
    """The `pulumi` on PATH that is not one of our builds, used as it is, with its own plugins."""
    ours = cache_folder(environ)
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        found = shutil.which("pulumi", path=folder) if folder else None
        if found and not Path(found).resolve().is_relative_to(ours.resolve()):
            return Toolchain("official", Path(found))
    return None


def offline_toolchain(progress: Progress = silent, *, environ: Mapping[str, str] | None = None) -> Toolchain:
    """Our build with our plugins, even where an official Pulumi is on PATH."""
    environ = os.environ if environ is None else environ
    pulumi = build(progress, environ=environ)
    home = cache_folder(environ) / "home"
    try:
        register_plugins(home / "plugins")
    except OSError as error:
        raise ToolchainError(f"our plugins cannot be registered in {home}: {error.strerror}") from error
    env = {
        "PULUMI_HOME": str(home),
        # Plugins found on PATH make the engine warn at every start; those in its home do not. Checkouts
        # share that home, so this says whose plugins to run.
        "BERTH_CHECKOUT": str(CHECKOUT),
        "PULUMI_CREDENTIALS_PATH": environ.get("PULUMI_CREDENTIALS_PATH") or str(_users_home(environ, home)),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # A plugin that is not here cannot be downloaded either: say so at once, not after network timeouts.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        # `pulumi import` would end with an error after a good import: our language host writes no programs.
        "PULUMI_OPTION_GENERATE_CODE": "false",
    }
    return Toolchain("offline", pulumi, (pulumi.parent,), env)


def _users_home(environ: Mapping[str, str], ours: Path) -> Path:
    """Where the user's own Pulumi keeps its logins, so that `pulumi login` works across both."""
    home = environ.get("PULUMI_HOME")
    if home and Path(home) != ours:
        return Path(home)
    return Path(environ.get("HOME") or Path.home()) / ".pulumi"


def register_plugins(folder: Path) -> None:
    """Puts our plugins where the engine looks for installed ones. Safe while other runs use them."""
    version = pulumi_version()
    plugins = {
        f"language-python-{version}": "pulumi-language-python",
        f"resource-pulumi-python-{version}": "pulumi-resource-pulumi-python",
        f"resource-alicloud-v{ALICLOUD}": "pulumi-resource-alicloud",
        f"resource-docker-v{metadata.version('pulumi-docker')}": "pulumi-resource-docker",
    }
    for name, executable in plugins.items():
        file = folder / name / executable
        ours = f"${{BERTH_CHECKOUT:?run pulumi through ./berth}}/offline/bin/{executable}"
        text = f'#!/bin/sh\nexec "{ours}" "$@"\n'
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{executable}.{os.getpid()}")
        fresh.write_text(text, encoding="utf-8")
        fresh.chmod(0o755)
        fresh.replace(file)
